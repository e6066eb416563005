"""Buys one unit when its sale begins, and pays: python3 buy.py URL PRODUCT NAME PASSWORD. Needs requests."""

import sys
import time
import uuid
from urllib.parse import quote

import requests
from urllib3.util import Retry

url, product, name, password = sys.argv[1:]
shop = requests.Session()
shop.headers["Accept"] = "application/json"
# What says "come back later" is asked again, as late as it says.
patient = Retry(9, status_forcelist=[429, 503], allowed_methods=None, raise_on_status=False)
shop.mount(url, requests.adapters.HTTPAdapter(max_retries=patient))


def ask(path: str, needed: str | None, body: dict | None = None) -> dict:
    """An answer that has what is needed. Under its key a call whose answer got lost may be repeated."""
    method, key = ("GET" if body is None else "POST"), {"Idempotency-Key": str(uuid.uuid4())}
    answer = shop.request(method, url + path, json=body, headers=key, timeout=30).json()
    return answer if needed in (None, *answer) else sys.exit(answer["error"])


person = {"name": name, "age": 30, "address": "somewhere", "avatar": "https://example.com/me.png"}
shop.post(f"{url}/register", json={**person, "password": password})  # whoever was registered before just logs in
shop.headers["Authorization"] = f"Bearer {ask('/login', 'token', {'name': name, 'pass': password})['token']}"
sale = f"/miaosha/{quote(product, safe='')}"
seen = ask(sale, "time_begintokill")
time.sleep(max(0, seen["time_begintokill"] - ask("/time", "now")["now"] / 1000))  # by the shop's clock
while "draw_closes" in (told := ask(sale, None, {})):  # by lot: it is decided soon after the draw has closed
    time.sleep(1)
order = told.get("order") or sys.exit(told["error"])  # limit_reached names the order that one has already
paid = ask(f"/orders/{order}/pay", None, {})
print(order, paid.get("state") or paid["error"])

"""Buys one unit when its sale begins, and pays: python3 buy.py URL PRODUCT NAME PASSWORD. Needs nothing but Python."""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

url, product, name, password = sys.argv[1:]


def ask(path: str, body: dict | None = None, headers: dict | None = None) -> dict:
    """The answer of a call. What says "come back later" is asked again, as late as it says."""
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, sent, {"Accept": "application/json", **(headers or {})})
    if sent:
        request.add_header("Content-Type", "application/json")
    for _ in range(10):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            told = json.load(refusal)
            if refusal.code < 429 and told["code"] != "not_started":
                return told
            time.sleep(int(refusal.headers.get("Retry-After", 1)))
    sys.exit(told["error"])


ask(
    "/register",
    {"name": name, "age": 30, "address": "somewhere", "avatar": "https://example.com/me.png", "password": password},
)  # whoever was registered before just logs in
answer = ask("/login", {"name": name, "pass": password})
if "token" not in answer:
    sys.exit(answer["error"])

sale = f"/miaosha/{urllib.parse.quote(product, safe='')}"
seen = ask(sale)
if "error" in seen:
    sys.exit(seen["error"])
time.sleep(max(0, seen["time_begintokill"] - ask("/time")["now"] / 1000))  # by the shop's clock


def ask_once(path: str) -> dict:
    """With its key, a call whose answer got lost may be repeated. Each thing that is to be done has its own."""
    return ask(path, {}, {"Authorization": f"Bearer {answer['token']}", "Idempotency-Key": str(uuid.uuid4())})


bought = ask_once(sale)
if "order" not in bought:  # limit_reached names the order that one has already
    sys.exit(bought["error"])
paid = ask_once(f"/orders/{bought['order']}/pay")
print(bought["order"], paid.get("state") or paid["error"])

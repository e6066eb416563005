"""Every link of the description leads somewhere: its expressions stand for something, and its call is one."""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from storefront.services import accounts
from storefront.shop import Shop
from tests.conftest import unique
from tests.described import description_of
from tests.faces import Answer, Program


class Caller:
    """Calls operations by their ids, as a merchant who registered just now."""

    def __init__(self, app: Flask, shop: Shop) -> None:
        self.program = Program(app)
        self.calls = {
            told["operationId"]: (method, path, told)
            for path, item in description_of(app).document["paths"].items()
            for method, told in item.items()
        }
        merchant = self.bodies()["register"]
        self.call("register", body=merchant)
        accounts.grant_merchant(shop, merchant["name"])
        self.program.log_in(merchant["name"])
        self.name = merchant["name"]

    def bodies(self) -> dict[str, dict[str, Any]]:
        """What calls take that take something."""
        now = int(time.time())
        return {
            "register": {
                "name": unique("商家"), "age": 30, "address": "北京", "avatar": "http://example.com/a.png",
                "password": "secret123",
            },
            "logIn": {"name": getattr(self, "name", ""), "pass": "secret123"},
            "openSale": {
                "name": unique("手机"), "num": 5, "producter": "A", "time_begintokill": now - 9,
                "time_endkill": now + 99,
            },
            "restockSale": {"units": 1, "why": "more"},
            "extendSale": {"time_endkill": now + 999},
            "cancelSale": {"why": "a mistake"},
            "setWebhookAddress": {"address": "https://receiver.invalid/"},
        }  # fmt: skip

    def call(self, id_: str, body: dict[str, Any] | None = None, **values: str) -> Answer:
        """Call an operation, with these parts of its path."""
        method, path, _ = self.calls[id_]
        address = re.sub(r"{(\w+)}", lambda found: quote(values[found[1]], safe=""), path)
        return self.program.post(address, body) if method == "post" else self.program.get(address)

    def links(self, id_: str) -> dict[str, dict[str, Any]]:
        """The links of an operation."""
        found: dict[str, dict[str, Any]] = self.calls[id_][2]["responses"]["200"].get("links", {})
        return found


def resolved(expression: str, body: dict[str, Any], values: dict[str, str], answer: Answer) -> Any:
    """What a runtime expression stands for. Raises LookupError where that isn't there."""
    if expression.startswith("$request.path."):
        return values[expression.rpartition(".")[2]]
    where, _, pointer = expression.partition("#/")
    found: Any = {"$request.body": body, "$response.body": answer.json}[where]
    for part in pointer.split("/"):
        found = found[int(part) if isinstance(found, list) else part]
    return found


@pytest.fixture
def caller(app: Flask, shop: Shop) -> Caller:
    return Caller(app, shop)


def test_every_link_leads_somewhere(caller: Caller) -> None:
    sale = caller.call("openSale", caller.bodies()["openSale"]).json
    product, number = sale["product name"], sale["sale"]

    def bought() -> str:
        fresh = caller.call("openSale", caller.bodies()["openSale"]).json["product name"]
        return caller.call("buy", product=fresh).order

    sources: dict[str, Callable[[], dict[str, str]]] = {
        "register": dict, "logIn": dict, "openSale": dict, "listSales": dict, "listOrders": dict,
        "listSalesOfMerchant": dict, "setWebhookAddress": dict,
        "showSale": lambda: {"product": product},
        "buy": lambda: {"product": caller.call("openSale", caller.bodies()["openSale"]).json["product name"]},
        "showOrder": lambda: {"order_id": bought()},
        "pay": lambda: {"order_id": bought()},
        "cancelOrder": lambda: {"order_id": bought()},
        "oversee": lambda: {"sale_id": number},
    }  # fmt: skip
    bought()
    untried = {"joinWaitlist"}  # a sale of which every unit is held would be needed
    assert sources.keys() | untried == {id_ for id_ in caller.calls if caller.links(id_)}
    for source, values_of in sources.items():
        for target, link in caller.links(source).items():
            values, body = values_of(), caller.bodies().get(source, {})
            answer = caller.call(source, body, **values)
            assert answer.status == 200, (source, answer.text)
            given = {
                name.removeprefix("path."): resolved(expression, body, values, answer)
                for name, expression in link.get("parameters", {}).items()
            }
            brought = {
                name: resolved(expression, body, values, answer)
                for name, expression in link.get("requestBody", {}).items()
            }
            mine, caller.program.token = caller.program.token, "" if "token" in brought else caller.program.token
            led_to = caller.call(target, caller.bodies().get(target, {}) | brought, **given)
            caller.program.token = mine
            asks_for_more = source == "listSales" and led_to.json.get("code") in ("account_too_new", "proof_required")
            assert led_to.status in (200, 409) or asks_for_more, (source, target, led_to.text)

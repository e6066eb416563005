"""What accompanies a request: its id, from the web to the order worker's log; its place in the figures."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local.shop import LocalShop
from storefront.services import buying, tokens
from storefront.shop import Shop
from tests.conftest import eventually
from tests.web.test_metrics import scraped

ID = "7f3a5c2e-proxy:1"


def logged(running: LocalShop, process: str, request_id: str = "") -> list[dict[str, Any]]:
    """The lines of a process that are about a request; without its id those about any."""
    lines = (running.var / "log" / f"{process}.log").read_text(encoding="utf-8").splitlines()
    objects = [json.loads("{" + line.partition(" {")[2]) for line in lines if " {" in line]
    return [one for one in objects if "request_id" in one and request_id in ("", one["request_id"])]


@pytest.mark.parametrize(("proxies", "given", "is_taken"), [
    (1, ID, True), (0, ID, False), (1, "short", False), (1, "a" * 129, False), (1, 'quoted" id', False),
    (1, None, False),
])  # fmt: skip
def test_a_requests_id_is_the_proxys_if_there_is_one_and_it_is_sane(
    app_with: Callable[..., Flask], proxies: int, given: str | None, is_taken: bool
) -> None:
    headers = {"X-Request-ID": given} if given else {}
    client = app_with(proxies=proxies).test_client()
    for path in ("/", "/no/such/page"):
        told = [client.get(path, headers=headers).headers["X-Request-ID"] for _ in range(2)]
        assert told == [given] * 2 if is_taken else len({*told, given}) == 3


def test_a_purchase_is_followed_from_its_answer_to_its_order(
    real_shop: LocalShop, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    buyer, sale = somebody("追踪 Trace"), a_sale()
    token = tokens.issue(buyer, shop.config.secret, 60)
    answer = requests.post(
        f"{real_shop.url}/miaosha/{sale.product}", json={"token": token}, headers={"X-Request-ID": ID}, timeout=30
    )
    assert answer.status_code == 200
    request_id, order = answer.headers["X-Request-ID"], answer.json()["order"]
    assert request_id != ID  # there is no proxy here
    (applied,) = eventually(lambda: logged(real_shop, "orders", request_id))
    assert {**applied, "time": "", "process": 0} == {
        "message": "applied", "level": "INFO", "logger": "storefront.trail", "time": "", "process": 0,
        "request_id": request_id, "record": "Requested", "answer": "placed", "sale": sale.id, "order": order,
    }  # fmt: skip
    (answered,) = eventually(lambda: logged(real_shop, "web", request_id))
    told = {name: answered[name] for name in ("message", "method", "route", "status", "account")}
    assert told == {
        "message": "answered", "method": "POST", "route": "/miaosha/<product:product>", "status": 200,
        "account": buyer.id,
    }  # fmt: skip

    refused = requests.post(f"{real_shop.url}/orders/{order}x/pay", json={"token": token}, timeout=30)
    assert refused.status_code == 404
    assert logged(real_shop, "web", refused.headers["X-Request-ID"]) == []  # a flood must not fill a disk


def test_a_sweep_is_followed_as_a_request_is(
    real_shop: LocalShop, app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    hurried: Shop = app_with(payment_window=1).extensions["shop"]
    order = buying.buy(hurried, somebody(), a_sale().product).order
    expired = eventually(
        lambda: [
            line for line in logged(real_shop, "orders") if (line.get("order"), line["record"]) == (order, "Expired")
        ]
    )
    assert [line["request_id"].startswith("sweep-") for line in expired] == [True]
    assert eventually(lambda: logged(real_shop, "expiry", expired[0]["request_id"]))[0]["message"] == "swept"


def test_requests_are_counted_for_all_web_processes_together(app: Flask, app_with: Callable[..., Flask]) -> None:
    def counted(figures: dict[tuple[str, ...], float]) -> tuple[float, float]:
        told = figures.get(("storefront_http_requests_total", "HEAD", "/time", "2xx"), 0)
        return told, figures.get(("storefront_http_request_duration_seconds_count", "HEAD", "/time"), 0)

    processes = app, app_with()
    before = counted(scraped(app))
    for process in processes:
        for _ in range(3):
            assert process.test_client().head("/time").status_code == 200
    for process in processes:
        eventually(lambda: counted(scraped(process)) == (before[0] + 6, before[1] + 6))  # noqa: B023

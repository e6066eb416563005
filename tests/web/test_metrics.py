"""The figures for Prometheus."""

import time
from collections.abc import Callable

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.records import Paid
from storefront.domain.sale import Sale
from storefront.gateways.ends import LedgerEnds
from storefront.gateways.ledger import Ledger
from storefront.services import buying, measuring, paying
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.connection import connect
from tests.conftest import charged, eventually

LABELS = ("topic", "partition", "kind", "sale", "method", "route", "state", "status", "code")
Scraped = dict[tuple[str, ...], float]


def scraped(app: Flask) -> Scraped:
    """Every sample of one scrape: its name and the values of its labels, and its value."""
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return {
        (sample.name, *(sample.labels[label] for label in LABELS if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(sale: Sale, figures: Scraped, name: str) -> dict[str, float]:
    """The samples of one sale by their state, or under its id."""
    return {key[-1]: value for key, value in figures.items() if key[:2] == (f"storefront_sale_{name}", sale.id)}


def test_every_web_process_tells_the_figures_of_a_sale(
    app: Flask, app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:  # fmt: skip
    sale, buyers = a_sale(num=7), [somebody() for _ in range(3)]
    orders = [buying.buy(shop, buyer, sale.product).order for buyer in buyers]
    paying.pay(shop, buyers[0], orders[0])
    paying.cancel(shop, buyers[1], orders[1])
    charge = charged(shop, orders[1], 1000, "CNY")
    shop.ledger.append(Paid(at=shop.memory.now_ms(), sale=sale.id, order=orders[1], charge=charge.id))
    eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid == 1 and now.refunds.done == 1)
    for web_process in (app, app_with()):
        figures = scraped(web_process)
        assert of(sale, figures, "units") == {"left": 5, "reserved": 0, "unpaid": 1, "paid": 1}
        assert of(sale, figures, "num") == {sale.id: 7}
        assert of(sale, figures, "adds_up") == {sale.id: 1}
        assert of(sale, figures, "refunds") == {"due": 0, "done": 1}
        assert of(sale, figures, "expired_total") == {sale.id: 0}
        assert figures["storefront_redis_up",] == figures["storefront_open",] == figures["storefront_ledger_up",] == 1
        assert figures["storefront_workers",] >= 1
        assert figures["storefront_agenda",] >= 1


def test_a_counter_that_was_tampered_with_shows(app: Flask, shop: Shop, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(num=7)
    shop.memory.redis.hincrby(keys.sale(sale.id), "paid", 1)
    figures = scraped(app)
    shop.memory.redis.hincrby(keys.sale(sale.id), "paid", -1)
    assert of(sale, figures, "adds_up") == {sale.id: 0}
    assert of(sale, scraped(app), "adds_up") == {sale.id: 1}


def test_the_ledgers_end_is_told_and_what_is_not_applied(app: Flask, shop: Shop, a_sale: Callable[..., Sale]) -> None:
    a_sale()
    partitions = [(topic, str(number)) for topic, number in shop.ledger.partitions]

    def caught_up() -> bool:
        figures = scraped(app)
        for one in partitions:
            end, position = figures["storefront_ledger_end", *one], figures["storefront_ledger_position", *one]
            assert figures["storefront_ledger_lag", *one] == max(0, end - position)
        return all(figures["storefront_ledger_lag", *one] == 0 for one in partitions)

    eventually(caught_up)


def test_a_ledger_that_is_down_does_not_hold_the_scrape_up(app_with: Callable[..., Flask]) -> None:
    app = app_with()
    shop: Shop = app.extensions["shop"]
    shop.ends = LedgerEnds(Ledger("127.0.0.1:9", "", 4, 1, 0.1))
    for _ in range(2):
        began = time.monotonic()
        figures = scraped(app)
        assert time.monotonic() - began < measuring.LEDGER_PATIENCE + 1
        assert figures["storefront_ledger_up",] == 0
        assert ("storefront_ledger_position", "orders", "0") in figures
        assert not any(name == "storefront_ledger_lag" for name, *_ in figures)


def test_a_redis_that_is_down_is_told(app_with: Callable[..., Flask]) -> None:
    app = app_with(redis_url="redis://127.0.0.1:1/0")
    assert scraped(app) == {("storefront_redis_up",): 0}


def test_only_the_newest_sales_are_told(
    app: Flask, shop: Shop, a_sale: Callable[..., Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = [a_sale(begins=begins, ends=9000) for begins in (8000, 8100, 8200)]
    listed = shop.sales.watched(shop.memory.now_ms() // 1000)
    monkeypatch.setattr(measuring, "MOST_SALES", listed.index(sales[0].id))
    figures = scraped(app)
    assert [bool(of(sale, figures, "num")) for sale in sales] == [False, True, True]
    assert figures["storefront_sales",] >= 3


def test_anomalies_are_told_by_kind(app: Flask, shop: Shop) -> None:
    shop.memory.anomaly("made up for a test")
    try:
        assert scraped(app)["storefront_anomalies_total", "made up for a test"] == 1
    finally:
        shop.memory.redis.hdel(keys.ANOMALIES, "made up for a test")


def test_scrapes_are_not_limited(app: Flask, config: Config) -> None:
    with app.test_client() as client, connect(config.limiter_url, decode_responses=True) as counts:

        def counted(path: str) -> set[str]:
            """The endpoints that are counted just after a request. Counts are forgotten when their window is over."""
            assert client.get(path).status_code == 200
            return {key.split("/")[2] for key in counts.scan_iter("LIMITS:LIMITER/*")}

        assert "metrics.metrics" not in counted("/metrics")
        # where a busy Redis was too slow once, the limiter counts in memory, and asks again after 2, 4 … 32 seconds
        eventually(lambda: "ops.clock" in counted("/time"), timeout=90)

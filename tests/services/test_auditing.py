"""The audit finds nothing where nothing is wrong, and what is wrong where something is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from flask import Flask

from storefront.config import Config
from storefront.domain import trace
from storefront.domain.account import Account
from storefront.domain.errors import Overloaded, Recovering, Refused
from storefront.domain.ids import new_order_id
from storefront.domain.records import Paid
from storefront.domain.sale import Sale
from storefront.services import auditing, buying, paying
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import charged, eventually, unique


@pytest.fixture
def busy_sale(shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]) -> Sale:
    """A sale with an order of every kind, one of them with a refund."""
    sale, buyers = a_sale(num=9), [somebody() for _ in range(4)]
    paid, cancelled, _ = (buying.buy(shop, buyer, sale.product).order for buyer in buyers[:3])
    paying.pay(shop, buyers[0], paid)
    paying.cancel(shop, buyers[1], cancelled)
    charge = charged(shop, cancelled, 1000, "CNY")
    shop.ledger.append(Paid(at=shop.memory.now_ms(), sale=sale.id, order=cancelled, charge=charge.id))
    shop.orders.reserve(sale.id, new_order_id(sale.id), buyers[3].id, "", doubt_ms=600_000, pay_ms=60_000)
    eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid == 1 and now.refunds.done == 1)
    return sale


@contextmanager
def tampered(shop: Shop, *names: str) -> Iterator[None]:
    """What stands under these keys is put back afterwards."""
    redis = shop.memory.redis
    kept = {name: redis.dump(name) for name in names}
    try:
        yield
    finally:
        for name, value in kept.items():
            redis.delete(name)
            if value is not None:
                redis.restore(name, 0, value)


@pytest.fixture
def bytes_shop(config: Config) -> Iterator[Shop]:
    """The shop through a connection that leaves bytes alone, as dumps need it."""
    opened = Shop(config)
    opened.memory.redis.connection_pool.connection_kwargs["decode_responses"] = False
    yield opened
    opened.close()


def differences(shop: Shop, sale: Sale) -> list[str]:
    report = auditing.audit(shop, sale.id)
    (found,) = report.findings
    return found.differences + report.strays


def an_order(shop: Shop, sale: Sale, state: str) -> tuple[str, str]:
    """The id and the shopper of an order in ``state``."""
    return next(
        (order, fields["shopper"])
        for order, fields in shop.orders.all_of({sale.id})[sale.id]
        if fields["state"] == state
    )


def test_a_sale_that_adds_up_is_said_to(shop: Shop, busy_sale: Sale) -> None:
    assert differences(shop, busy_sale) == []


TAMPERINGS = {
    "a unit too many": ("HINCRBY {sale} stock 1", "the units add up to 10, not 9"),
    "a reservation too many": (
        "HINCRBY {sale} reserved 1; HINCRBY {sale} stock -1",
        "Redis counts 2 reserved, the reservations are 1",
    ),
    "a sale lost": ("DEL {sale}", "Redis knows nothing of this sale"),
    "a sale left out of the lists": ("ZREM {by_end} {id}", "the shop's lists of sales do not name it"),
    "another price": ("HSET {sale} price 1", "its price is “1” in Redis, “1000” in the ledger"),
    "another age": ("HSET {sale} min_account_age 60", "its min_account_age is “60” in Redis, “0” in the ledger"),
    "another number of units": ("HSET {sale} num 8", "its num is “8” in Redis, “9” in the ledger"),
    "another epoch": ("HSET {sale} signed x", "the sale is not open to the epoch that the ledger has signed"),
    "an order lost": ("DEL {order}", "is unknown in Redis, pending in the ledger"),
    "an order made up": ("HSET {made_up} state paid sale {id}", "is paid in Redis, unknown in the ledger"),
    "an order of no sale": (
        "HSET {made_up} state paid sale nowhere",
        "of the sale “nowhere”, which the ledger doesn't know",
    ),
    "a state changed": ("HSET {order} state paid", "is paid in Redis, pending in the ledger"),
    "a refund not made": ("HSET {cancelled} refund due", "has “due” as its refund in Redis, “done” in the ledger"),
    "a refund not counted": ("HSET {sale} refunded 0", "Redis counts 0 refunds made, the orders say 1"),
    "a waiter made up": (
        "ZADD {waitlist} 1 nobody",
        "the waitlist in Redis isn't the one that the ledger tells",
    ),
    "a holder forgotten": ("HDEL {buyers} {shopper}", "is pending, and noted as not held"),
    "a holder made up": ("HSET {buyers} nobody nothing", "but there is no such order"),
}
"""What is done to Redis, and what the audit then says."""


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_what_does_not_add_up_is_found(shop: Shop, bytes_shop: Shop, busy_sale: Sale, tampering: str) -> None:
    pending, shopper = an_order(shop, busy_sale, "pending")
    cancelled, _ = an_order(shop, busy_sale, "cancelled")
    names = {
        "sale": keys.sale(busy_sale.id),
        "buyers": keys.buyers(busy_sale.id),
        "order": keys.order(pending),
        "cancelled": keys.order(cancelled),
        "made_up": keys.order(new_order_id(busy_sale.id)),
        "by_end": keys.SALES_BY_END,
        "waitlist": keys.waitlist(busy_sale.id),
    }
    commands, sentence = TAMPERINGS[tampering]
    with tampered(bytes_shop, *names.values()):
        for command in commands.split("; "):
            words = command.format(**names, id=busy_sale.id, shopper=shopper).split()
            shop.memory.redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py has no types here
        found = differences(shop, busy_sale)
    assert len(found) == 1
    assert sentence in found[0]


def test_a_sale_from_before_a_term_was_known_differs_in_nothing(shop: Shop, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale()
    shop.memory.redis.hdel(keys.sale(sale.id), "proof", "min_account_age")
    assert differences(shop, sale) == []
    assert shop.sales.get(sale.id) == sale


def test_a_sale_that_a_request_opened_differs_in_nothing(shop: Shop, a_sale: Callable[..., Sale]) -> None:
    trace.follow(trace.new_id())
    try:
        sale = a_sale()
    finally:
        trace.follow("")
    assert differences(shop, sale) == []


def test_a_sale_that_stands_in_redis_alone_is_found(shop: Shop, bytes_shop: Shop, busy_sale: Sale) -> None:
    made_up = busy_sale.id[:-1] + ("0" if busy_sale.id[-1] != "0" else "1")
    with tampered(bytes_shop, keys.sale(made_up)):
        shop.memory.redis.copy(keys.sale(busy_sale.id), keys.sale(made_up))
        report = auditing.audit(shop, busy_sale.product)
    assert {found.sale: bool(found.differences) for found in report.findings} == {busy_sale.id: False, made_up: True}


def test_all_sales_that_a_product_has_had_are_shown_by_its_name(shop: Shop, a_sale: Callable[..., Sale]) -> None:
    product = unique("twice")
    sales = [a_sale(product=product, begins=-100, ends=-50), a_sale(product=product)]
    assert [found.sale for found in auditing.audit(shop, product).findings] == [sale.id for sale in sales]
    assert [found.sale for found in auditing.audit(shop, sales[0].id).findings] == [sales[0].id]
    everything = {found.sale for found in auditing.audit(shop).findings}
    assert everything >= {sale.id for sale in sales}


def test_a_shop_that_is_selling_raises_no_false_alarm(
    shop: Shop, config: Config, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, crowd, over = a_sale(num=10_000, limit=10_000), [somebody() for _ in range(3)], threading.Event()
    bought: list[str] = []

    def shopping(account: Account) -> None:
        hurried = Shop(replace(config, payment_window=1))
        while not over.is_set():
            order = buying.buy(hurried, account, sale.product).order
            bought.append(order)
            try:
                if len(bought) % 3 == 0:
                    paying.pay(hurried, account, order)
                elif len(bought) % 3 == 1:
                    paying.cancel(hurried, account, order)
            except Refused:
                continue  # it expired first
        hurried.close()

    threads = [threading.Thread(target=shopping, args=[account]) for account in crowd]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            eventually(lambda: len(bought) > 20)
            bought.clear()
            assert differences(shop, sale) == []
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_shop_that_is_recovering_is_not_judged(app: Flask, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    audited: Shop = app.extensions["shop"]
    monkeypatch.setattr(audited.positions, "is_open", lambda _partitions: False)
    with pytest.raises(Recovering):
        auditing.audit(audited)
    result = app.test_cli_runner().invoke(args=["audit"])
    assert result.exit_code == 2
    assert "The shop is recovering" in result.output


def test_a_ledger_that_nobody_applies_is_not_judged(
    shop: Shop, busy_sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise Overloaded

    monkeypatch.setattr(shop.positions, "wait", never)
    with pytest.raises(Overloaded):
        auditing.audit(shop)


def test_the_command_says_what_it_found_and_ends_accordingly(app: Flask, shop: Shop, busy_sale: Sale) -> None:
    run = app.test_cli_runner().invoke
    result = run(args=["audit", busy_sale.product])
    assert result.exit_code == 0
    assert f"adds up  {busy_sale.id}  stock 6 + reserved 1 + pending 1 + paid 1 = 9 of num 9" in result.output
    assert "1 sales with 3 orders; 0 sales differ." in result.output
    shop.memory.redis.hincrby(keys.sale(busy_sale.id), "stock", -1)
    try:
        result = run(args=["audit", busy_sale.id])
    finally:
        shop.memory.redis.hincrby(keys.sale(busy_sale.id), "stock", 1)
    assert result.exit_code == 1
    assert "the units add up to 8, not 9" in result.output
    assert run(args=["audit", "no such product"]).exit_code == 2

"""The audit finds nothing where nothing is wrong, and what is wrong where something is."""

from collections.abc import Callable

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.ids import new_order_id
from storefront.domain.sale import Sale
from storefront.services import auditing, buying, paying
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import eventually


@pytest.fixture
def busy_sale(shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]) -> Sale:
    """A sale with an order of every kind."""
    sale, buyers = a_sale(num=9), [somebody() for _ in range(4)]
    paid, cancelled, _ = (buying.buy(shop, buyer, sale.product).order for buyer in buyers[:3])
    paying.pay(shop, buyers[0], paid)
    paying.cancel(shop, buyers[1], cancelled)
    shop.orders.reserve(sale.id, new_order_id(sale.id), buyers[3].id, "", doubt_ms=600_000, pay_ms=60_000)
    eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid == 1)
    return sale


def differences(shop: Shop, sale: Sale) -> list[str]:
    (found,) = (found for found in auditing.audit(shop) if found.sale.id == sale.id)
    return found.differences


def test_a_sale_that_adds_up_is_said_to(shop: Shop, busy_sale: Sale) -> None:
    assert differences(shop, busy_sale) == []


@pytest.mark.parametrize("tampering", ["a unit too many", "an order lost", "an order made up", "a state changed"])
def test_what_does_not_add_up_is_found(shop: Shop, busy_sale: Sale, tampering: str) -> None:
    redis, sale = shop.memory.redis, keys.sale(busy_sale.id)
    ((order, _), *_others) = (
        (order, fields)
        for order, fields in shop.orders.all_of({busy_sale.id})[busy_sale.id]
        if fields["state"] == "pending"
    )
    before = {key: shop.memory.hash(key) for key in (sale, keys.order(order))}
    made_up = keys.order(new_order_id(busy_sale.id))
    try:
        match tampering:
            case "a unit too many":
                redis.hincrby(sale, "stock", 1)
            case "an order lost":
                redis.delete(keys.order(order))
            case "an order made up":
                redis.hset(made_up, mapping={"state": "paid", "sale": busy_sale.id})
            case "a state changed":
                redis.hset(keys.order(order), "state", "paid")
        found = differences(shop, busy_sale)
        assert len(found) == 1
        assert found[0].startswith("the units add up to 10" if tampering == "a unit too many" else "order ")
    finally:
        redis.delete(made_up)
        for key, fields in before.items():
            for name, value in fields.items():
                redis.hset(key, name, value)


def test_the_command_says_what_it_found_and_ends_accordingly(app: Flask, shop: Shop, busy_sale: Sale) -> None:
    run = app.test_cli_runner().invoke
    result = run(args=["audit", busy_sale.product])
    assert result.exit_code == 0
    assert "adds up" in result.output
    assert "left 6 + reserved 1 + unpaid 1 + paid 1 = 9 of 9" in result.output
    shop.memory.redis.hincrby(keys.sale(busy_sale.id), "stock", -1)
    try:
        result = run(args=["audit", busy_sale.product])
    finally:
        shop.memory.redis.hincrby(keys.sale(busy_sale.id), "stock", 1)
    assert result.exit_code == 1
    assert "the units add up to 8, not 9" in result.output
    assert run(args=["audit", "no such product"]).exit_code == 1

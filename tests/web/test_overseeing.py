"""The merchant's dashboard, in both faces."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.errors import NoSaleOfThisId, NotYourSale
from storefront.domain.records import Paid
from storefront.domain.sale import Sale, Terms
from storefront.services import accounts, buying, overseeing, paying, selling
from storefront.services.overseeing import PAGE
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import charged, eventually, unique
from tests.faces import FACES, Face, Person, Program


@pytest.fixture
def own_sale(shop: Shop, merchant: Account, somebody: Callable[..., Account]) -> Sale:
    """A merchant's sale of nine units: one paid, one unpaid, two cancelled, both paid too late."""
    now = shop.memory.now_ms() // 1000
    terms = Terms(unique("帽子"), 9, "x", now - 60, now + 3600, price=1000)
    sale = selling.open_sale(shop, merchant, terms).sale
    buyers = [somebody() for _ in range(4)]
    orders = [buying.buy(shop, buyer, sale.product).order for buyer in buyers]
    paying.pay(shop, buyers[0], orders[0])
    for buyer, order in zip(buyers[2:], orders[2:], strict=True):
        paying.cancel(shop, buyer, order)
        charge = charged(shop, order, 1000, "CNY")
        shop.ledger.append(Paid(at=shop.memory.now_ms(), sale=sale.id, order=order, charge=charge.id))
    found: Sale = eventually(
        lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid == 1 and now.refunds.done == 2 and now
    )
    return found


def whole_list(face: Face) -> str:
    """Every page of the list, one behind the other: other tests open sales of nobody's too."""
    pages = [face.get("/dashboard").text]
    while f"cursor={len(pages) * PAGE}" in pages[-1]:
        pages.append(face.get(f"/dashboard?cursor={len(pages) * PAGE}").text)
    return "".join(pages)


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("open_to", ["merchants", "anyone"])
def test_a_merchant_sees_where_units_and_money_are(
    app_with: Callable[..., Flask], merchant: Account, own_sale: Sale, kind: type[Face], open_to: str
) -> None:
    face = kind(app_with(sales_open_to=open_to))
    face.log_in(merchant.name)
    answer = face.get(f"/dashboard/{own_sale.id}")
    assert answer.status == 200
    if answer.json:
        assert answer.json["units"] == {"total": 9, "left": 7, "reserved": 0, "unpaid": 1, "paid": 1, "expired": 0}
        assert answer.json["adds_up"] is True
        assert answer.json["revenue"] == {"orders": 1, "amount": 1000}
        assert answer.json["refunds"] == {"due": {"orders": 0, "amount": 0}, "done": {"orders": 2, "amount": 2000}}
    else:
        assert "Adds up ✓" in answer.text
        assert ">CN¥20.00<" in answer.text
    assert own_sale.product in whole_list(face)


def test_units_that_do_not_add_up_are_said_not_to(face: Face, shop: Shop, merchant: Account, own_sale: Sale) -> None:
    face.log_in(merchant.name)
    shop.memory.redis.hincrby(keys.sale(own_sale.id), "paid", 1)
    answer = face.get(f"/dashboard/{own_sale.id}")
    shop.memory.redis.hincrby(keys.sale(own_sale.id), "paid", -1)
    if answer.json:
        assert answer.json["adds_up"] is False
    else:
        assert "Does not add up" in answer.text
        assert "9 units, but 10 are counted" in answer.text


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("open_to", ["merchants", "anyone"])
def test_nobody_else_sees_a_merchants_sale(
    app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account], own_sale: Sale, kind: type[Face],
    open_to: str,
) -> None:  # fmt: skip
    face, other = kind(app_with(sales_open_to=open_to)), somebody()
    answer = face.get(f"/dashboard/{own_sale.id}")
    if isinstance(face, Program):
        assert (answer.status, answer.json["error"]) == (401, "Invalid token")
    else:
        assert "Please log in first." in answer.text
    accounts.grant_merchant(shop, other.name)
    face.log_in(other.name)
    answer = face.get(f"/dashboard/{own_sale.id}")
    assert answer.status == 403
    assert answer.says(NotYourSale)
    page = face.get(f"/miaosha/{own_sale.product}")
    assert "dashboard/" not in page.text
    assert "refunds" not in page.text
    assert own_sale.product not in whole_list(face)


def test_an_unknown_sale_is_not_found(face: Face) -> None:
    answer = face.get("/dashboard/nothing")
    assert answer.status == 404
    assert answer.says(NoSaleOfThisId)


@pytest.mark.parametrize("kind", FACES)
def test_a_sale_of_nobody_is_seen_by_anyone_where_anyone_may_open_sales(
    app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale], kind: type[Face]
) -> None:
    sale = a_sale()
    face = kind(app_with(sales_open_to="anyone"))
    assert face.get(f"/dashboard/{sale.id}").status == 200
    assert sale.product in whole_list(face)
    strict = kind(app_with(sales_open_to="merchants"))
    strict.log_in(somebody().name)
    assert strict.get(f"/dashboard/{sale.id}").status == 403
    assert sale.product not in whole_list(strict)


def test_the_sales_page_leads_its_merchant_to_the_dashboard(app: Flask, merchant: Account, own_sale: Sale) -> None:
    face = Person(app)
    face.log_in(merchant.name)
    assert f'href="/dashboard/{own_sale.id}"' in face.get(f"/miaosha/{own_sale.product}").text


def test_a_merchants_sales_are_paged_the_last_to_begin_in_front(
    config: Config, shop: Shop, merchant: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = Shop(replace(config, sales_open_to="merchants"))
    monkeypatch.setattr(overseeing, "PAGE", 2)
    now = shop.memory.now_ms() // 1000
    opened = [
        selling.open_sale(shop, merchant, Terms(unique("sale"), 1, "x", now + begins, now + 3600)).sale.id
        for begins in (10, 30, 20)
    ]
    first, following = overseeing.sales_of(strict, merchant)
    assert following == 2
    second, following = overseeing.sales_of(strict, merchant, following)
    assert following is None
    strict.close()
    assert [sale.id for sale in first + second] == [opened[1], opened[2], opened[0]]


def test_a_page_that_should_stand_still_does(app: Flask, merchant: Account, own_sale: Sale) -> None:
    face = Person(app)
    face.log_in(merchant.name)
    assert "data-poll" in face.get(f"/dashboard/{own_sale.id}").text
    assert "data-poll" not in face.get(f"/dashboard/{own_sale.id}?live=0").text

"""The waitlist, in both faces."""

from collections.abc import Callable

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.errors import AllHeld, NoSaleOfThisId, NotStarted, UnitsLeft
from storefront.domain.sale import Sale
from storefront.services import buying, paying
from storefront.shop import Shop
from tests.conftest import eventually
from tests.faces import Face, Person, Program


@pytest.fixture
def shopper(face: Face, somebody: Callable[..., Account]) -> Face:
    """A logged-in caller of each face in turn."""
    face.log_in(somebody().name)
    return face


def waitlist(sale: Sale) -> str:
    return f"/sales/{sale.id}/waitlist"


def test_a_shopper_joins_is_told_the_place_and_leaves(
    shop: Shop, shopper: Face, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale()
    buying.buy(shop, somebody(), sale.product)
    assert shopper.buy(sale.product).says(AllHeld)
    joined = shopper.post(waitlist(sale))
    assert joined.status == 200
    assert joined.json.get("place", 1) == 1
    if isinstance(shopper, Person):
        assert "You are on the waitlist, at place 1." in joined.text
    assert [sale.waiting for sale in [shop.sales.get(sale.id)] if sale] == [1]
    left = shopper.post(f"{waitlist(sale)}/leave")
    assert left.status == 200
    assert left.json.get("place") is None
    assert shop.waitlist.all(sale.id) == []


def test_who_waits_gets_the_unit_that_comes_back(
    shop: Shop, shopper: Face, app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, buyer = a_sale(), Program(app)
    buyer.log_in(somebody().name)
    bought = buyer.buy(sale.product).order
    shopper.post(waitlist(sale))
    buyer.post(f"/orders/{bought}/cancel")
    (found,) = eventually(
        lambda: [one for one in shop.orders.all_of({sale.id})[sale.id] if one[1]["state"] == "pending"]
    )
    page = shopper.get(f"/orders/{found[0]}")
    assert page.status == 200
    assert shopper.post(f"/orders/{found[0]}/pay").status == 200
    assert eventually(lambda: shop.sales.get(sale.id).units.paid) == 1  # type: ignore[union-attr]


def test_where_there_is_nothing_to_wait_for_one_is_told_why(shopper: Face, a_sale: Callable[..., Sale]) -> None:
    assert shopper.post(waitlist(a_sale())).says(UnitsLeft)
    assert shopper.post(waitlist(a_sale(begins=600))).says(NotStarted)
    assert shopper.post("/sales/nothing/waitlist").says(NoSaleOfThisId)


def test_who_waits_for_nothing_any_more_is_not_told_that_they_wait(
    app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, buyer, person = a_sale(), somebody(), Person(app)
    bought = buying.buy(shop, buyer, sale.product)
    person.log_in(somebody().name)
    person.post(waitlist(sale))
    paying.pay(shop, buyer, bought.order)
    page = person.get(f"/miaosha/{sale.product}").text
    assert "The sale is sold out." in page
    assert "data-poll" not in page
    assert "at place" not in page


def test_waiting_asks_who_one_is(app: Flask, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale()
    assert (Program(app).post(waitlist(sale)).status, Program(app).get(waitlist(sale)).status) == (401, 401)
    assert "Log in" in Person(app).post(waitlist(sale)).text


def test_a_program_sees_who_waits(
    app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, program = a_sale(), Program(app)
    buying.buy(shop, somebody(), sale.product)
    program.log_in(somebody().name)
    assert program.get(waitlist(sale)).json["place"] is None
    program.post(waitlist(sale))
    seen = program.get(waitlist(sale)).json
    assert (seen["place"], seen["waiting"], seen["orders"]) == (1, 1, [])
    assert Program(app).get(f"/miaosha/{sale.product}").json["waiting"] == 1

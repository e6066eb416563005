"""What a merchant does to a running sale: it is done, it is in the history, and no unit is lost by it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.errors import (
    Cancelled,
    ChangeLost,
    Ended,
    InvalidToken,
    NotLater,
    NotYourSale,
    SaleCancelled,
    SalePaused,
    TooFewFree,
    TooManyUnits,
)
from storefront.domain.ids import repeatable_order_id
from storefront.domain.sale import MOST_UNITS, Sale, Terms
from storefront.services import accounts, auditing, buying, changing, overseeing, paying, selling, waiting
from storefront.services.changing import Said
from storefront.shop import Shop
from tests.conftest import eventually, unique
from tests.faces import FACES, Face, Person, Program

Accounts = Callable[..., Account]
WHY = "交货推迟"


@pytest.fixture
def sale(shop: Shop, merchant: Account) -> Sale:
    """A running sale of five units."""
    now = shop.memory.now_ms() // 1000
    return selling.open_sale(shop, merchant, Terms(unique("茶杯"), 5, "x", now - 60, now + 3600, price=1000)).sale


@pytest.fixture(params=FACES)
def desk(request: pytest.FixtureRequest, app: Flask, merchant: Account) -> Face:
    """The merchant, logged in, with either face."""
    face: Face = request.param(app)
    face.log_in(merchant.name)
    return face


@pytest.fixture
def crowd(shop: Shop, somebody: Accounts, sale: Sale) -> Callable[[int], list[tuple[Account, str]]]:
    """Has so many shoppers buy a unit each; their orders are placed."""

    def buy(number: int) -> list[tuple[Account, str]]:
        bought = [(one := somebody(), buying.buy(shop, one, sale.product).order) for _ in range(number)]
        for one, order in bought:
            buying.placed_order_of(shop, one, order)
        return bought

    return buy


def now_of(shop: Shop, sale: Sale) -> Sale:
    found = shop.sales.get(sale.id)
    assert found
    assert found.adds_up
    return found


def told(desk: Face, sale: Sale) -> Any:
    """The sale's history: as JSON, or the page."""
    answer = desk.get(f"/dashboard/{sale.id}")
    return answer.json.get("history") or answer.text


def test_a_paused_sale_sells_nothing_and_goes_on_where_it_was(
    desk: Face, shop: Shop, sale: Sale, somebody: Accounts, crowd: Any
) -> None:
    ((holder, order),) = crowd(1)
    assert desk.post(f"/dashboard/{sale.id}/pause", {"why": WHY}).status == 200
    with pytest.raises(SalePaused):
        buying.buy(shop, somebody(), sale.product)
    assert paying.pay(shop, holder, order).order.state == "paid"
    look = selling.visit(shop, sale.product).look
    assert (look.phase, look.sale.units.left) == ("paused", 4)
    assert desk.post(f"/dashboard/{sale.id}/pause", {"why": "again"}).status == 200  # it changes nothing
    assert desk.post(f"/dashboard/{sale.id}/resume").status == 200
    buying.buy(shop, somebody(), sale.product)
    assert [(line.kind, line.why) for line in shop.changes.history(sale.id)] == [
        ("Resumed", ""), ("Paused", WHY), ("Opened", "")
    ]  # fmt: skip
    assert WHY in str(told(desk, sale))


def test_whoever_waits_is_offered_nothing_during_a_pause(shop: Shop, merchant: Account, sale: Sale, crowd: Any) -> None:
    bought = crowd(5)
    changing.pause(shop, merchant, sale.id, Said())
    with pytest.raises(SalePaused):
        waiting.join(shop, bought[0][0], sale.id)
    changing.resume(shop, merchant, sale.id, Said())


@pytest.mark.parametrize("kind", FACES)
def test_a_shopper_is_told_that_a_sale_is_paused_or_cancelled(
    app: Flask, shop: Shop, merchant: Account, sale: Sale, somebody: Accounts, kind: type[Face]
) -> None:
    face = kind(app)
    face.log_in(somebody().name)
    changing.pause(shop, merchant, sale.id, Said())
    assert face.buy(sale.product).says(SalePaused)
    changing.cancel(shop, merchant, sale.id, Said(WHY))
    assert face.buy(sale.product).says(SaleCancelled)
    shown = face.get(f"/miaosha/{sale.product}")
    assert shown.json.get("state") == "cancelled" or WHY in shown.text


def test_units_are_added_and_taken_out_but_never_below_what_is_sold(
    desk: Face, shop: Shop, sale: Sale, crowd: Any
) -> None:
    crowd(3)
    address = f"/dashboard/{sale.id}/restock"
    refused = desk.post(address, {"units": -3, "why": WHY})
    assert "2" in (refused.text if isinstance(desk, Person) else str(refused.json["free"]))
    assert refused.status == 409
    assert refused.json.get("code") == TooFewFree.code or "Free units: 2." in refused.text
    assert now_of(shop, sale).terms.num == 5
    assert desk.post(address, {"units": -2, "why": WHY}).status == 200
    assert (now_of(shop, sale).terms.num, now_of(shop, sale).units.left) == (3, 0)
    assert desk.post(address, {"units": 4, "why": WHY}).status == 200
    assert (now_of(shop, sale).terms.num, now_of(shop, sale).units.left) == (7, 4)
    too_many = desk.post(address, {"units": MOST_UNITS, "why": WHY})
    assert too_many.status == 409
    assert too_many.json.get("code") == TooManyUnits.code or f"{MOST_UNITS} units at most" in too_many.text
    history = told(desk, sale)
    assert "Units added: 4" in history or [(one["what"], one.get("units")) for one in history] == [
        ("restocked", 4), ("withdrawn", 2), ("opened", 5)
    ]  # fmt: skip
    assert not auditing.audit(shop, sale.id).findings[0].differences


def test_a_sale_whose_units_are_all_taken_out_is_sold_out_on_every_page(desk: Face, shop: Shop, sale: Sale) -> None:
    assert desk.post(f"/dashboard/{sale.id}/restock", {"units": -5, "why": WHY}).status == 200
    assert selling.visit(shop, sale.product).look.phase == "sold_out"
    dashboard = f"/dashboard/{sale.id}"
    for page in (f"/?q={sale.product}", f"/miaosha/{sale.product}", dashboard, f"{dashboard}/cancel"):
        shown = desk.get(page)
        assert (shown.status, sale.product in shown.text) == (200, True), page
    pages, cursor = "", 0
    while sale.product not in pages:  # other tests' sales may have begun later
        shown = desk.get(f"/dashboard?cursor={cursor}")
        pages, cursor = pages + shown.text, cursor + overseeing.PAGE
        assert shown.status == 200
        assert f"cursor={cursor}" in shown.text or sale.product in pages
    if isinstance(desk, Person):
        assert "100% taken" in desk.get(f"/?q={sale.product}").text


@pytest.mark.parametrize("units", [2, -2])
def test_a_change_that_is_sent_twice_is_made_once(
    app: Flask, merchant: Account, shop: Shop, sale: Sale, units: int
) -> None:
    program, person = Program(app), Person(app)
    for face in (program, person):
        face.log_in(merchant.name)
    for _ in range(2):
        assert program.post(f"/dashboard/{sale.id}/restock", {"units": units, "why": WHY}, key="k").status == 200
    assert now_of(shop, sale).terms.num == 5 + units
    for _ in range(2):
        fields = {"units": units, "why": WHY, "once": "one form"}
        assert person.post(f"/dashboard/{sale.id}/restock", fields).status == 200
    assert now_of(shop, sale).terms.num == 5 + 2 * units
    assert len(shop.changes.history(sale.id)) == 3


@pytest.mark.parametrize("kind", FACES)
def test_another_change_under_the_same_key_is_made(
    app: Flask, merchant: Account, shop: Shop, sale: Sale, kind: type[Face]
) -> None:
    """Back in a browser brings the form back with its key; a program may use one key for all it does."""
    face = kind(app)
    face.log_in(merchant.name)
    for action, fields in [
        ("pause", {}),
        ("resume", {}),
        ("restock", {"units": 3, "why": WHY}),
        ("restock", {"units": -1, "why": WHY}),
    ]:
        address = f"/dashboard/{sale.id}/{action}"
        if isinstance(face, Person):
            assert face.post(address, {**fields, "once": "k"}).status == 200
        else:
            assert face.post(address, fields, key="k").status == 200
    now = now_of(shop, sale)
    assert (now.paused, now.terms.num) == (False, 5 + 3 - 1)


def test_units_whose_withdrawal_is_not_recorded_come_back(
    desk: Face, shop: Shop, merchant: Account, sale: Sale
) -> None:
    """The web process dies between taking the units and the record: the sweep gives them back. A repeat is told so."""
    shop.changes.withdraw(sale.id, repeatable_order_id(sale.id, merchant.id, "k\x1frestock\x1f-3\x1f"), 3, doubt_ms=10)
    assert now_of(shop, sale).units.reserved == 3
    eventually(lambda: now_of(shop, sale).units.left == 5)
    assert now_of(shop, sale).terms.num == 5
    fields = {"units": -3, "why": WHY}
    address = f"/dashboard/{sale.id}/restock"
    key: dict[str, Any] = (
        {"fields": fields | {"once": "k"}} if isinstance(desk, Person) else {"fields": fields, "key": "k"}
    )
    repeat = desk.post(address, **key)
    assert repeat.status == 409
    assert repeat.says(ChangeLost)
    assert 'value="k"' not in repeat.text
    assert desk.post(address, fields).status == 200


def test_a_sale_can_end_later_and_not_sooner(desk: Face, shop: Shop, sale: Sale) -> None:
    ends = sale.terms.ends
    assert desk.post(f"/dashboard/{sale.id}/extend", {"time_endkill": ends + 3600, "why": ""}).status == 200
    assert now_of(shop, sale).terms.ends == ends + 3600
    sooner = desk.post(f"/dashboard/{sale.id}/extend", {"time_endkill": ends, "why": ""})
    assert sooner.status == 409
    assert sooner.says(NotLater)
    assert now_of(shop, sale).terms.ends == ends + 3600


def test_a_sale_that_ended_can_not_go_on(desk: Face, shop: Shop, merchant: Account) -> None:
    now = shop.memory.now_ms() // 1000
    over = selling.open_sale(shop, merchant, Terms(unique("旧"), 5, "x", now - 60, now - 10, price=1000)).sale
    actions: dict[str, dict[str, Any]] = {
        "extend": {"time_endkill": now + 3600},
        "pause": {},
        "restock": {"units": 1, "why": "x"},
    }
    for action, fields in actions.items():
        refused = desk.post(f"/dashboard/{over.id}/{action}", fields)
        assert (refused.status, refused.says(Ended)) == (409, True), action


def test_a_cancelled_sale_gives_all_money_back_and_its_name_free(
    desk: Face, shop: Shop, merchant: Account, sale: Sale, crowd: Any
) -> None:
    (payer, paid), (idler, unpaid), (_, third) = crowd(3)
    paying.pay(shop, payer, paid)
    assert desk.post(f"/dashboard/{sale.id}/cancel", {"why": WHY}).status == 200
    with pytest.raises((SaleCancelled, Cancelled)):  # the sweep may have been there
        paying.pay(shop, idler, unpaid)
    eventually(lambda: (now := now_of(shop, sale)).units.left == 5 and now.refunds.done == 1)
    states = [(order.state, order.refund) for order in shop.orders.some([paid, unpaid, third])]
    assert states == [("cancelled", "done"), ("cancelled", ""), ("cancelled", "")]
    assert desk.post(f"/dashboard/{sale.id}/cancel", {"why": "again"}).status == 200  # it changes nothing
    for action in ("pause", "resume", "restock"):
        refused = desk.post(f"/dashboard/{sale.id}/{action}", {"units": 1, "why": "x"} if action == "restock" else {})
        assert refused.says(SaleCancelled), action
    anew = selling.open_sale(shop, merchant, replace(sale.terms, num=1)).sale
    assert selling.visit(shop, sale.product).look.sale.id == anew.id
    assert not auditing.audit(shop, sale.id).findings[0].differences


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("action", ["pause", "resume", "restock", "extend", "cancel"])
def test_nobody_else_changes_a_sale(
    app: Flask, shop: Shop, sale: Sale, somebody: Accounts, kind: type[Face], action: str
) -> None:
    other, nobody = kind(app), kind(app)
    stranger = somebody()
    accounts.grant_merchant(shop, stranger.name)
    other.log_in(stranger.name)
    fields = {"why": "x"} | {"restock": {"units": 1}, "extend": {"time_endkill": sale.terms.ends + 9}}.get(action, {})
    refused = other.post(f"/dashboard/{sale.id}/{action}", fields)
    assert (refused.first, refused.says(NotYourSale)) == (403, True)
    assert nobody.post(f"/dashboard/{sale.id}/{action}", fields).says(InvalidToken)
    assert other.get(f"/dashboard/{sale.id}/{action}").status == 403
    assert shop.changes.history(sale.id)[0].kind == "Opened"


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        ("restock", {"units": 0, "why": "x"}, "units"),
        ("restock", {"units": 5}, "why"),
        ("extend", {}, "time_endkill"),
        ("cancel", {}, "why"),
        ("cancel", {"why": "x" * 201}, "why"),
    ],
)
def test_bad_input_changes_nothing(
    desk: Face, shop: Shop, sale: Sale, action: str, fields: dict[str, Any], field: str
) -> None:
    answer = desk.post(f"/dashboard/{sale.id}/{action}", fields)
    assert answer.status == 400
    assert field in answer.json["fields"] if answer.json else f'id="{field}-error"' in answer.text
    assert len(shop.changes.history(sale.id)) == 1


def test_a_change_asks_once(app: Flask, merchant: Account, sale: Sale) -> None:
    person = Person(app)
    person.log_in(merchant.name)
    for action in ("pause", "restock", "extend", "cancel"):
        assert f"/dashboard/{sale.id}/{action}" in person.get(f"/dashboard/{sale.id}").text
        page = person.get(f"/dashboard/{sale.id}/{action}")
        assert (page.status, "No, change nothing" in page.text) == (200, True)
    assert person.get(f"/dashboard/{sale.id}/dance").status == 404

"""A sale that draws its units by lot, in both faces: entering, leaving, what is told when, and what comes of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.draw import number_of, seal_of
from storefront.domain.errors import AccountTooNew, AllHeld, LimitReached, NotStarted, SalePaused
from storefront.domain.sale import Sale
from storefront.services import changing
from storefront.services.changing import Said
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import eventually
from tests.faces import Face, Person, Program


@pytest.fixture
def shopper(face: Face, somebody: Callable[..., Account]) -> Face:
    """A logged-in caller of each face in turn."""
    face.log_in(somebody().name)
    return face


@pytest.fixture
def opening(a_sale: Callable[..., Sale]) -> Callable[..., Sale]:
    """Opens sales of which the draw closes in ``closes`` seconds."""
    return lambda closes=600, **terms: a_sale(draw=60 + closes, **terms)


def waitlist(sale: Sale) -> str:
    return f"/sales/{sale.id}/waitlist"


def page(face: Face, sale: Sale) -> Any:
    return face.get(f"/miaosha/{quote(sale.product, safe='')}")


def test_pressing_enters_the_draw_and_buys_nothing_yet(shop: Shop, shopper: Face, opening: Callable[..., Sale]) -> None:
    sale = opening()
    before = page(shopper, sale)
    for _ in range(2):  # twice is once
        pressed = shopper.buy(sale.product)
        if isinstance(shopper, Program):
            assert pressed.status == 202
            assert "success" not in pressed.json
            assert (pressed.json["message"], pressed.json["sale"]) == ("entered the draw", sale.id)
            assert datetime.fromisoformat(pressed.json["draw_closes"]).timestamp() == sale.terms.draw_closes
        else:
            assert (pressed.first, pressed.status, pressed.order) == (303, 200, "")
            assert "You are in the draw" in pressed.text
            assert "Leave the draw" in pressed.text
    assert len(eventually(lambda: shop.waitlist.all(sale.id))) == 1
    found = shop.sales.get(sale.id)
    assert found
    assert (found.units.left, found.waiting) == (1, 1)
    if isinstance(shopper, Program):
        assert (before.json["state"], before.json["in_draw"], before.json["draw"]) == ("drawing", False, 660)
        after = page(shopper, sale)
        assert (after.json["in_draw"], after.json["your_place"]) == (True, None)
        place = shopper.get(waitlist(sale)).json
        assert (place["in_draw"], place["place"], place["waiting"]) == (True, None, 1)
        assert shopper.get(f"/sales/{sale.id}/status").json["state"] == "drawing"
    else:
        assert "Enter the draw" in before.text
        assert "Draw closes in" in before.text
        assert "Buy now" not in before.text


def test_who_leaves_is_out(shop: Shop, shopper: Face, opening: Callable[..., Sale]) -> None:
    sale = opening()
    shopper.buy(sale.product)
    left = shopper.post(f"{waitlist(sale)}/leave")
    assert left.status == 200
    assert shop.waitlist.all(sale.id) == []
    if isinstance(shopper, Program):
        assert left.json["in_draw"] is False
        assert shopper.post(waitlist(sale)).json["in_draw"] is True  # the waitlist leads into the draw, too
    else:
        assert "Enter the draw" in left.text


def test_winners_are_told_to_pay_and_others_wait(
    app: Flask, shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    people = [somebody() for _ in range(4)]
    callers: list[Face] = [Program(app), Person(app), Program(app), Person(app)]
    for caller, one in zip(callers, people, strict=True):
        caller.log_in(one.name)
    sale = opening(5, num=2)
    for caller in callers:
        assert caller.buy(sale.product).status in (200, 202)
    assert not any(shop.orders.of_buyer(sale.id, one.id) for one in people)
    eventually(lambda: shop.sales.get(sale.id).units.unpaid == 2)  # type: ignore[union-attr]
    ranked = sorted(zip(people, callers, strict=True), key=lambda pair: number_of(sale.seed, pair[0].name))
    for rank, (_, caller) in enumerate(ranked):
        seen = page(caller, sale)
        if isinstance(caller, Program):
            assert seen.json["in_draw"] is False
            assert (len(seen.json["your_orders"]), seen.json["your_place"]) == (
                (1, None) if rank < 2 else (0, rank - 1)
            )
            assert caller.buy(sale.product).says(LimitReached if rank < 2 else AllHeld)
        else:
            assert ("Time left" in seen.text) == (rank < 2)
            assert (f"You are at place {rank - 1} of 2" in seen.text) == (rank >= 2)


def test_the_seed_is_a_secret_until_the_draw_is_closed(
    app: Flask, shop: Shop, opening: Callable[..., Sale], a_sale: Callable[..., Sale]
) -> None:
    program, person = Program(app), Person(app)
    upcoming, sale, plain = a_sale(begins=600, draw=30), opening(3), a_sale()
    for one in (upcoming, sale):
        shown = page(program, one)
        assert (shown.json["seal"], shown.json["seed"]) == (seal_of(one.seed), None)
        assert one.seed not in shown.text + page(person, one).text + program.get("/").text
        assert seal_of(one.seed) in page(person, one).text
    eventually(lambda: shop.memory.now_ms() > sale.terms.draw_closes * 1000)
    assert page(program, sale).json["seed"] == sale.seed
    assert sale.seed in page(person, sale).text
    assert (page(program, plain).json["seal"], page(program, plain).json["draw"]) == (None, 0)
    assert "How the draw can be checked" not in page(person, plain).text


def test_before_the_begin_and_in_a_pause_nobody_enters(
    shop: Shop, shopper: Face, opening: Callable[..., Sale], a_sale: Callable[..., Sale]
) -> None:
    upcoming, paused = a_sale(begins=600, draw=30), opening()
    changing.pause(shop, None, paused.id, Said())
    assert shopper.buy(upcoming.product).says(NotStarted)
    assert shopper.buy(paused.product).says(SalePaused)
    assert shop.waitlist.all(upcoming.id) == shop.waitlist.all(paused.id) == []
    if isinstance(shopper, Person):
        shown = page(shopper, upcoming).text
        assert 'data-words-open="Enter the draw"' in shown
        assert "The units are drawn by lot." in shown


def test_who_is_too_new_or_on_probation_stays_out(
    shop: Shop, face: Face, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    young, crowded = somebody(), somebody()
    sale, for_the_old = opening(), opening(min_account_age=3600)
    shop.memory.redis.hset(keys.account(crowded.name), "probation", str(shop.memory.now_ms() + 3_600_000))
    face.log_in(young.name)
    assert face.buy(for_the_old.product).status in (200, 403)
    face.log_in(crowded.name)
    pressed = face.buy(sale.product)
    if isinstance(face, Program):
        assert pressed.says(AccountTooNew)
        told = datetime.fromisoformat(pressed.json["allowed_from"]).timestamp()
        assert told == sale.terms.draw_closes  # put back to where the draw is over
    assert shop.waitlist.all(sale.id) == shop.waitlist.all(for_the_old.id) == []


def test_a_repeat_under_a_key_is_told_how_things_are_then(
    app: Flask, shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    program, one = Program(app), somebody()
    program.log_in(one.name)
    sale = opening(3)
    assert [program.buy(sale.product, key="k").status for _ in range(2)] == [202, 202]
    eventually(lambda: shop.sales.get(sale.id).units.unpaid == 1)  # type: ignore[union-attr]
    again = program.buy(sale.product, key="k")
    assert again.says(LimitReached)
    assert again.json["orders"] == shop.orders.held(sale.id, one.id)


def test_the_gate_lets_through_whoever_may_enter(
    shop: Shop, app_with: Callable[..., Flask], somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    """It takes a sale that others wait for as one with nothing to be had, but not while it draws."""
    app = app_with(gate=True)
    snapshots, callers = app.extensions["shop"].snapshots, [Program(app) for _ in range(4)]
    for caller in callers:
        caller.log_in(somebody().name)
    sale = opening(5)
    for caller in callers[:3]:
        eventually(lambda: snapshots.of(sale.product))
        assert caller.buy(sale.product).status == 202
    eventually(lambda: snapshots.of(sale.product).refusal() is AllHeld)
    assert shop.memory.now_ms() > sale.terms.draw_closes * 1000
    assert callers[3].buy(sale.product).says(AllHeld)

"""The short form of `make chaos`, and a proof that its verdict can be a bad one."""

from dataclasses import replace
from pathlib import Path

import pytest

from storefront.domain.order import OrderState
from storefront.domain.replay import ReplayedOrder
from storefront.domain.sale import Sale, Terms, Units
from tests.chaos import faults, verdict
from tests.chaos.crowd import Deed
from tests.chaos.run import run_at
from tests.chaos.venue import Kind


@pytest.mark.timeout(400)
def test_no_word_that_was_given_is_broken_by_what_dies(tmp_path: Path) -> None:
    chosen = [
        faults.WEB_PROCESS,
        faults.killed("orders", only=1),
        faults.killed("expiry"),
        faults.REDIS_CUT,
        faults.killed("broker", excused=faults.CUT),
        faults.LEDGER_ALONE,
    ]
    rows = list(run_at(Kind("embedded broker"), chosen, tmp_path, rate=40, seed=1))
    assert [row.fault for row in rows] == [fault.name for fault in chosen]
    assert [breach for row in rows for breach in row.breaches] == []
    assert all(row.told_yes > 0 for row in rows)


SALE = Sale("sale", Terms("phone", 1, "x", 0, 9), Units(left=0, reserved=0, unpaid=1, paid=0), "", "")
YES = Deed("buy", "anna", "sale", 200, "", "order", 1.0)


def story(*orders: tuple[str, ReplayedOrder]) -> verdict.Story:
    return verdict.Story(dict(orders), {order_id: "sale" for order_id, _ in orders})


@pytest.mark.parametrize("state", ["released", "refused", None])
def test_an_acknowledged_order_that_is_missing_is_a_breach(state: str | None) -> None:
    told = story(("order", ReplayedOrder(OrderState(state), "anna"))) if state else story()
    assert verdict.words_broken(told, [YES])


@pytest.mark.parametrize("act", ["pay", "cancel"])
def test_an_acknowledged_payment_or_cancellation_that_did_not_happen_is_a_breach(act: str) -> None:
    told = story(("order", ReplayedOrder(OrderState.EXPIRED, "anna")))
    assert verdict.words_broken(told, [YES, replace(YES, act=act)])
    assert not verdict.words_broken(told, [YES])


def test_a_cancellation_that_nobody_asked_for_is_a_breach() -> None:
    told = story(("order", ReplayedOrder(OrderState.CANCELLED, "anna")))
    assert verdict.words_broken(told, [YES])
    assert not verdict.words_broken(told, [YES, replace(YES, act="cancel", status=0)])


def test_an_order_told_twice_and_a_shopper_with_two_orders_are_breaches() -> None:
    pending = ReplayedOrder(OrderState.PENDING, "anna")
    assert verdict.sold_twice(story(("order", pending)), [YES, YES])
    assert verdict.sold_twice(story(("order", pending), ("other", pending)), [YES])
    assert not verdict.sold_twice(story(("order", pending)), [YES])


def test_a_waiter_who_was_forgotten_is_a_breach() -> None:
    waits = Deed("join", "anna", "sale", 200, "waits", "", 1.0)
    assert verdict.forgotten(story(), [waits])
    offered = story(("offered", ReplayedOrder(OrderState.EXPIRED, "anna")))
    assert not verdict.forgotten(offered, [waits])
    assert verdict.forgotten(offered, [waits, replace(YES, order="offered")])
    offered.waiting["sale"] = {"anna"}
    assert not verdict.forgotten(offered, [waits, replace(YES, order="offered")])


def test_who_was_passed_over_in_a_draw_is_a_breach() -> None:
    told = story(("order", ReplayedOrder(OrderState.EXPIRED, "anna")))
    told.numbers = {("sale", "anna"): 7, ("sale", "bert"): 8, ("sale", "carl"): 6}
    told.waiting["sale"] = {"bert"}
    assert not verdict.passed_over(told)
    told.waiting["sale"] = {"bert", "carl"}
    assert len(verdict.passed_over(told)) == 1


def test_more_live_orders_than_units_at_any_time_are_a_breach() -> None:
    told = story()
    assert not verdict.oversold(told, [SALE])
    told.excess["sale"] = 1
    assert verdict.oversold(told, [SALE])


@pytest.mark.parametrize("act", ["restock", "extend", "cancel_sale", "pause"])
def test_a_change_that_a_merchant_was_told_is_made_and_is_not_is_a_breach(act: str) -> None:
    assert verdict.changes_undone(story(), [replace(YES, act=act, order="change")])
    assert not verdict.changes_undone(story(), [replace(YES, act=act, order="change", status=503)])
    told = story()
    told.changes["sale"], told.paused, told.called_off = {"change"}, {"sale"}, {"sale"}
    assert not verdict.changes_undone(told, [replace(YES, act=act, order="change")])


def test_an_order_that_outlives_its_sale_is_a_breach() -> None:
    told = story(("order", ReplayedOrder(OrderState.PAID, "anna", "charge")))
    told.called_off.add("sale")
    assert verdict.changes_undone(told, [])
    told.orders["order"] = ReplayedOrder(OrderState.CANCELLED, "anna", "charge", "charge=done")
    assert not verdict.changes_undone(told, [])
    assert not verdict.words_broken(told, [YES, replace(YES, act="pay")])


def test_money_that_came_too_late_and_was_kept_is_a_breach() -> None:
    late = ReplayedOrder(OrderState.EXPIRED, "anna", "charge", "charge=due")
    assert verdict.money_kept(story(("order", late)))
    assert not verdict.money_kept(story(("order", replace(late, returns="charge=done"))))

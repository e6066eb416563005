"""The audit's own account of the ledger (``domain/replay.py``) and the scripts in Redis tell the same story.

The same ledgers are tried each time. Others, as many as one likes:

    REPLAYS=4000 python -m pytest tests/services/test_replay.py
"""

import os
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storefront.domain import records
from storefront.domain.draw import MOST
from storefront.domain.ids import new_order_id, new_sale_id
from storefront.domain.order import OrderState
from storefront.domain.records import Record
from storefront.domain.replay import LIVE, Replay
from storefront.shop import Shop
from storefront.stores import changes, keys, orders, positions, sales, waitlist
from storefront.stores.scripts import Call, place
from tests.conftest import unique

UNRESTORED = (OrderState.RESERVED, OrderState.RELEASING, OrderState.WITHDRAWN)
RESTORED = [one for one in OrderState if one not in UNRESTORED]
CHANGES: dict[str, Any] = {"Restocked": {"units": 2}, "Withdrew": {"units": 1}, "Extended": {"ends": 20}}
TERMS: dict[str, Any] = {
    "merchant": "", "merchant_name": "", "producter": "x", "begins": 0, "price": 1, "currency": "CNY", "limit": 1,
    "description": "", "image": "",
}  # fmt: skip
ORDERS = st.integers(0, 2)
CHARGES = st.sampled_from(["first", "second", "free"])
MONEY = st.sampled_from(
    [("", "", ""), ("first", "", ""), ("first", "due", ""), ("second", "done", ""), ("free", "", "first=due"),
     ("first", "done", "second=done"), ("second", "due", "first=done third=due")]
)  # fmt: skip
"""Charge, refund and returns of an order that is restored; older records have no returns."""
STEPS = st.one_of(
    st.tuples(st.sampled_from(["Requested", "Released"]), ORDERS, st.sampled_from(["old", "new"])),
    st.tuples(st.sampled_from(["Expired", "Cancelled", "Revoked"]), ORDERS, st.none()),
    st.tuples(st.sampled_from(["Joined", "Left"]), ORDERS, st.sampled_from([0, 1, 2, MOST])),
    st.tuples(st.sampled_from(["Paid", "Refunded"]), ORDERS, CHARGES),
    st.tuples(st.just("Restored"), ORDERS, st.tuples(st.sampled_from(RESTORED), MONEY, st.booleans(), st.booleans())),
    st.tuples(
        st.sampled_from(["Paused", "Resumed", "Restocked", "Withdrew", "Extended", "CalledOff"]),
        ORDERS,
        st.sampled_from(["old", "new"]),
    ),
    st.tuples(st.just("Reopened"), st.integers(1, 3), st.tuples(st.booleans(), st.booleans(), st.booleans())),
    st.tuples(st.just("Noted"), ORDERS, st.booleans()),
    st.tuples(st.just("Mending"), st.just(0), st.none()),
    st.tuples(st.just("Signed"), st.just(0), st.sampled_from(["old", "new"])),
)


def change_of(step: tuple[str, int, object], sale: str, product: str, ids: list[str], signed: str) -> Record | None:
    """The record of a step that changes the sale itself; None for others. Change ``n`` has the last ids but ``n``."""
    kind, number, more = step
    match kind, more:
        case "Reopened", (bool(paused), bool(called_off), bool(late)):
            return records.Reopened(
                at=5, sale=sale, epoch="of another mending" if late else "mending", product=product, num=number + 2,
                ends=9 + number, paused=paused, called_off=called_off, **TERMS,
            )  # fmt: skip
        case "Noted", bool(late):
            epoch = "of another mending" if late else signed
            return records.Noted(at=5, sale=sale, epoch=epoch, change=ids[3 + number], line="{}")
        case "Paused" | "Resumed" | "Restocked" | "Withdrew" | "Extended" | "CalledOff", str(epoch):
            changed: type[records.Change] = getattr(records, kind)
            return changed(
                at=5, sale=sale, change=ids[3 + number], epoch=epoch, by="", by_name="", why="", **CHANGES.get(kind, {})
            )
    return None


def record_of(step: tuple[str, int, object], sale: str, ids: list[str], signed: str) -> Record:
    """The record of one step. Order ``n`` is shopper ``n``'s; one that holds a unit has a time."""
    kind, number, more = step
    order, shopper = ids[number], f"shopper{number}"
    record: Record
    match kind, more:
        case "Requested", str(epoch):
            record = records.Requested(
                at=5, sale=sale, order=order, shopper=shopper, shopper_name="", epoch=epoch, pay_by=9
            )
        case "Released", str(epoch):
            record = records.Released(at=5, sale=sale, order=order, epoch=epoch)
        case "Joined", int(drawn):
            record = records.Joined(at=5, sale=sale, shopper=shopper, shopper_name=shopper, number=drawn)
        case "Left", _:
            record = records.Left(at=5, sale=sale, shopper=shopper)
        case "Paid", str(charge):
            record = records.Paid(at=5, sale=sale, order=order, charge=charge)
        case "Restored", (OrderState() as state, (str(charge), str(refund), str(returns)), bool(known), bool(late)):
            record = records.Restored(
                at=5 if known or state in LIVE else 0,
                sale=sale,
                order=order,
                epoch="of another mending" if late else signed,
                state=state,
                shopper=shopper,
                shopper_name="",
                pay_by=9,
                charge=charge,
                paid_at=0,
                refund=refund,
                returns=returns,
            )
        case "Refunded", str(charge):
            record = records.Refunded(at=5, sale=sale, order=order, charge=charge)
        case "Mending", _:
            record = records.Mending(at=5, epoch="mending", number=1)
        case "Signed", _:
            record = records.Signed(at=5, epoch=str(more), succeeds=signed)
        case _:
            freed: type[records.OrderRecord] = getattr(records, kind)
            record = freed(at=5, sale=sale, order=order)
    return record


@example(
    num=1,
    steps=[
        ("Signed", 0, "old"), ("Requested", 0, "old"), ("Paid", 0, "first"), ("Paid", 0, "second"),
        ("Paid", 0, "first"), ("Refunded", 0, "second"), ("Paid", 0, "second"), ("CalledOff", 0, "old"),
        ("Revoked", 0, None), ("Refunded", 0, "first"),
    ],
)  # fmt: skip
@example(num=1, steps=[("Signed", 0, "old"), ("Paused", 0, "old"), ("Withdrew", 0, "old")])
@example(num=1, steps=[("Restored", 0, (OrderState.PAID, ("", "", ""), False, False)), ("Revoked", 0, None)])
@given(num=st.integers(1, 3), steps=st.lists(STEPS, max_size=25))
@settings(
    max_examples=int(os.environ.get("REPLAYS", "150")),
    derandomize="REPLAYS" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_replay_and_scripts_agree(shop: Shop, num: int, steps: list[tuple[str, int, object]]) -> None:
    (held,) = shop.positions.all_at([("accounts", 0)])
    product = unique("replayed")
    sale = new_sale_id(product)
    ids = [new_order_id(sale) for _ in range(6)]
    opened = records.Opened(
        at=5, sale=sale, product=product, num=num, ends=9, **TERMS,
    )  # fmt: skip
    replay, signed, mended = Replay(), "", False
    replay.apply(opened, 0)
    calls: list[Call] = [sales.opened(opened, held.epoch, "", place(0))]
    before = 0
    for offset, step in enumerate(steps, 1):
        record = change_of(step, sale, product, ids, signed) or record_of(step, sale, ids, signed)
        replay.apply(record, offset)
        if isinstance(record, records.Signed):
            signed = record.epoch
            calls.append(positions.signature(sale, held.epoch, signed, place(offset, before)))
        elif isinstance(record, records.Mending):
            if mended:  # another with the same number is void
                continue
            signed, mended = record.epoch, True
            calls.append(positions.mending(sale, ids, held.epoch, signed, place(offset, before)))
        elif isinstance(record, records.Reopened):
            calls.append(sales.opened(record, held.epoch, signed, place(offset, before)))
        elif isinstance(record, records.Change | records.Noted):
            calls.append(changes.effect(record, held.epoch, signed, place(offset, before)))
        elif isinstance(record, records.Joined | records.Left):
            calls.append(waitlist.effect(record, held.epoch, place(offset, before)))
        elif isinstance(record, records.OrderRecord):
            calls.append(orders.effect(record, held.epoch, signed, place(offset, before)))
        before = offset
    made = [
        keys.sale(sale),
        keys.product(product),
        keys.buyers(sale),
        keys.agenda(sale),
        keys.waitlist(sale),
        keys.waiters(sale),
        keys.changes(sale),
        keys.sale_orders(sale),
        keys.sale_payments(sale),
        *map(keys.order, ids),
    ]
    try:
        shop.memory.scripts.run_many(calls)
        found, told = shop.sales.get(sale), replay.sales[sale]
        assert found is not None
        assert found.units.total == found.terms.num == told.num  # a mending may reopen a sale with too few
        assert (found.terms.ends, found.paused, found.called_off) == (told.ends, told.paused, told.called_off)
        assert shop.changes.lines(sale).keys() == told.changes
        paid = {order for order, one in told.orders.items() if one.state is OrderState.PAID}
        assert set(shop.memory.redis.zrange(keys.sale_payments(sale), 0, -1)) == paid
        assert (found.units, found.refunds) == (told.units, told.refunds)
        assert shop.memory.field(keys.sale(sale), "position") == str(told.position)
        assert shop.waitlist.all(sale) == [(shopper, shopper, told.numbers[shopper]) for shopper in told.waiting]
        assert found.waiting == (0 if told.called_off else len(told.waiting))
        for number, order in enumerate(ids):
            fields, expected = shop.memory.hash(keys.order(order)), told.orders.get(order)
            state = expected.state if expected else None
            assert fields.get("state") == state
            assert (fields.get("charge", ""), fields.get("refund", ""), fields.get("returns", "")) == (
                (expected.charge, expected.refund, expected.returns) if expected else ("", "", "")
            )
            assert shop.orders.held(sale, f"shopper{number}") == ([order] if state in LIVE else [])
    finally:
        shop.memory.redis.delete(*made)

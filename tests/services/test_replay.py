"""The audit's own account of the ledger (``domain/replay.py``) and the scripts in Redis tell the same story."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storefront.domain import records
from storefront.domain.ids import new_order_id, new_sale_id
from storefront.domain.order import OrderState
from storefront.domain.records import Record
from storefront.domain.replay import LIVE, Replay
from storefront.shop import Shop
from storefront.stores import keys, orders, positions, sales, waitlist
from storefront.stores.scripts import Call, place
from tests.conftest import unique

RESTORED = [one for one in OrderState if one not in (OrderState.RESERVED, OrderState.RELEASING)]
ORDERS = st.integers(0, 2)
CHARGES = st.sampled_from(["first", "second", "free"])
MONEY = st.one_of(
    st.just(("", "")), st.tuples(st.sampled_from(["first", "second"]), st.sampled_from(["", "due", "done"]))
)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["Requested", "Released"]), ORDERS, st.sampled_from(["old", "new"])),
    st.tuples(st.sampled_from(["Expired", "Cancelled", "Refunded"]), ORDERS, st.none()),
    st.tuples(st.sampled_from(["Joined", "Left"]), ORDERS, st.none()),
    st.tuples(st.just("Paid"), ORDERS, CHARGES),
    st.tuples(st.just("Restored"), ORDERS, st.tuples(st.sampled_from(RESTORED), MONEY, st.booleans(), st.booleans())),
    st.tuples(st.just("Mending"), st.just(0), st.none()),
    st.tuples(st.just("Signed"), st.just(0), st.sampled_from(["old", "new"])),
)


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
        case "Joined", _:
            record = records.Joined(at=5, sale=sale, shopper=shopper, shopper_name=shopper)
        case "Left", _:
            record = records.Left(at=5, sale=sale, shopper=shopper)
        case "Paid", str(charge):
            record = records.Paid(at=5, sale=sale, order=order, charge=charge)
        case "Restored", (OrderState() as state, (str(charge), str(refund)), bool(known), bool(late)):
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
            )
        case "Refunded", _:
            record = records.Refunded(at=5, sale=sale, order=order, charge="")
        case "Mending", _:
            record = records.Mending(at=5, epoch="mending", number=1)
        case "Signed", _:
            record = records.Signed(at=5, epoch=str(more), succeeds=signed)
        case _:
            freed: type[records.OrderRecord] = getattr(records, kind)
            record = freed(at=5, sale=sale, order=order)
    return record


@given(num=st.integers(1, 3), steps=st.lists(STEPS, max_size=25))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_replay_and_scripts_agree(shop: Shop, num: int, steps: list[tuple[str, int, object]]) -> None:
    (held,) = shop.positions.all_at([("accounts", 0)])
    product = unique("replayed")
    sale = new_sale_id(product)
    ids = [new_order_id(sale) for _ in range(3)]
    opened = records.Opened(
        at=5, sale=sale, merchant="", merchant_name="", product=product, num=num, producter="x", begins=0, ends=9,
        price=1, currency="CNY", limit=1, description="", image="",
    )  # fmt: skip
    replay, signed, mended = Replay(), "", False
    replay.apply(opened, 0)
    calls: list[Call] = [sales.opened(opened, held.epoch, "", place(0))]
    before = 0
    for offset, step in enumerate(steps, 1):
        record = record_of(step, sale, ids, signed)
        replay.apply(record, offset)
        if isinstance(record, records.Signed):
            signed = record.epoch
            calls.append(positions.signature(sale, held.epoch, signed, place(offset, before)))
        elif isinstance(record, records.Mending):
            if mended:  # another with the same number is void
                continue
            signed, mended = record.epoch, True
            calls.append(positions.mending(sale, ids, held.epoch, signed, place(offset, before)))
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
        *map(keys.order, ids),
    ]
    try:
        shop.memory.scripts.run_many(calls)
        found, told = shop.sales.get(sale), replay.sales[sale]
        assert found is not None
        assert found.adds_up
        assert (found.units, found.refunds) == (told.units, told.refunds)
        assert shop.memory.field(keys.sale(sale), "position") == str(told.position)
        assert shop.waitlist.all(sale) == [(shopper, shopper) for shopper in told.waiting]
        assert found.waiting == len(told.waiting)
        for number, order in enumerate(ids):
            fields, expected = shop.memory.hash(keys.order(order)), told.orders.get(order)
            state = expected.state if expected else None
            assert fields.get("state") == state
            assert (fields.get("charge", ""), fields.get("refund", "")) == (
                (expected.charge, expected.refund) if expected else ("", "")
            )
            holds = state in LIVE
            assert shop.orders.held(sale, f"shopper{number}") == ([order] if holds else [])
    finally:
        shop.memory.redis.delete(*made)

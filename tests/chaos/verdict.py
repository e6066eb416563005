"""After a fault: what the clients were told, what the ledger says, and what Redis holds, side by side.

The ledger is read from its first line by `domain/replay.py`, which shares no code with the scripts that fill Redis.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from storefront.domain import records
from storefront.domain.order import OrderState
from storefront.domain.replay import LIVE, Replay, ReplayedOrder, ReplayedSale
from storefront.domain.sale import Sale
from storefront.gateways.ledger import ORDERS
from storefront.services import auditing
from storefront.shop import Shop
from tests.chaos.crowd import Deed

KEPT = LIVE | {OrderState.EXPIRED, OrderState.CANCELLED}


@dataclass
class Story:
    """What the ledger alone tells of some sales: their orders, what was done to them, and whether they were oversold.

    ``excess`` is by how many the live orders of a sale ever exceeded its units at that time.
    """

    orders: dict[str, ReplayedOrder] = field(default_factory=dict)
    sale_of: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, set[str]] = field(default_factory=dict)
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    """Sale and shopper who entered its draw → their number."""
    changes: dict[str, set[str]] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    called_off: set[str] = field(default_factory=set)
    excess: Counter[str] = field(default_factory=Counter)
    lines: int = 0

    def end(self, sale: str, told: ReplayedSale) -> None:
        """Note how a sale is behind the last line."""
        self.orders |= told.orders
        self.sale_of |= dict.fromkeys(told.orders, sale)
        self.waiting[sale] = set(told.waiting)
        self.changes[sale] = told.changes
        if told.paused:
            self.paused.add(sale)
        if told.called_off:
            self.called_off.add(sale)


@dataclass
class Verdict:
    """What was found, and every breach as a sentence."""

    asked: int
    told_yes: int
    breaches: list[str]


def judge(shop: Shop, sales: Sequence[Sale], deeds: Sequence[Deed], excused: Collection[str] = ()) -> Verdict:
    """Compare everything; ``excused`` are anomalies that this fault may cause.

    Raises LedgerDown, RedisError, Overloaded.
    """
    story = told_by_the_ledger(shop, sales)
    breaches = [
        *words_broken(story, deeds),
        *forgotten(story, deeds),
        *passed_over(story),
        *sold_twice(story, deeds),
        *oversold(story, sales),
        *changes_undone(story, deeds),
        *money_kept(story),
        *_redis_differs(shop, sales, excused),
    ]
    purchases = [deed for deed in deeds if deed.act == "buy"]
    return Verdict(len(purchases), sum(deed.sold for deed in purchases), breaches)


def told_by_the_ledger(shop: Shop, sales: Sequence[Sale]) -> Story:
    """Read the ledger's orders from the first line to the last."""
    story, wanted = Story(), {sale.id for sale in sales}
    with closing(shop.ledger.reader()) as reader:
        for partition in (one for one in shop.ledger.partitions if one[0] == ORDERS):
            replay, offset, end = Replay(), 0, reader.end(partition)
            reader.assign([partition])
            reader.seek(partition, 0)
            while offset < end:
                for _, lines in reader.poll(1.0):
                    offset = lines[-1].offset + 1
                    story.lines += len(lines)
                    for record in (line.record for line in lines if line.record):
                        replay.apply(record)
                        if isinstance(record, records.Joined) and record.number:
                            story.numbers[record.sale, record.shopper] = record.number
                        if isinstance(record, records.SaleRecord) and record.sale in wanted & replay.sales.keys():
                            excess = -replay.sales[record.sale].left
                            story.excess[record.sale] = max(story.excess[record.sale], excess)
            for sale in wanted & replay.sales.keys():
                story.end(sale, replay.sales[sale])
    return story


def words_broken(story: Story, deeds: Sequence[Deed]) -> list[str]:
    """Acknowledged orders that are missing, and acknowledged payments and cancellations that didn't happen."""
    found: list[str] = []
    may_be_cancelled = {deed.order for deed in deeds if deed.act == "cancel"}
    for deed in deeds:
        order = story.orders.get(deed.order)
        state = order.state if order else None
        if deed.sold and state not in KEPT:
            found.append(f"order {deed.order} was told yes; in the ledger it is {state or 'missing'}")
        elif deed.sale in story.called_off and state is OrderState.CANCELLED:
            continue
        elif deed.sold and state is OrderState.CANCELLED and deed.order not in may_be_cancelled:
            found.append(f"order {deed.order} is cancelled, which nobody asked for")
        elif deed.act == "pay" and deed.status == 200 and state is not OrderState.PAID:
            found.append(f"order {deed.order} was told paid; in the ledger it is {state or 'missing'}")
        elif deed.act == "cancel" and deed.status == 200 and state is not OrderState.CANCELLED:
            found.append(f"order {deed.order} was told cancelled; in the ledger it is {state or 'missing'}")
        elif deed.act == "buy" and deed.code == "limit_reached" and state is None:
            found.append(f"order {deed.order} was said to stand in the way; in the ledger it is missing")
    return found


def forgotten(story: Story, deeds: Sequence[Deed]) -> list[str]:
    """Shoppers who were told that they wait, and neither do nor got an order that way."""
    told = {deed.order for deed in deeds if deed.sold}
    served = {
        (story.sale_of[order_id], order.shopper)
        for order_id, order in story.orders.items()
        if order.state in KEPT and order_id not in told
    }
    return [
        f"shopper {deed.shopper} was told that they wait for {deed.sale}; the ledger knows nothing of it"
        for deed in deeds
        if deed.code == "waits"
        and deed.sale not in story.called_off
        and deed.shopper not in story.waiting.get(deed.sale, ())
        and (deed.sale, deed.shopper) not in served
    ]


def passed_over(story: Story) -> list[str]:
    """Who still waits for a unit of a draw, though somebody with a greater number had one."""
    last: dict[str, int] = {}
    for order_id, order in story.orders.items():
        sale = story.sale_of[order_id]
        if order.state in KEPT:
            last[sale] = max(last.get(sale, 0), story.numbers.get((sale, order.shopper), 0))
    return [
        f"shopper {shopper} waits with number {number} for {sale}, where number {last[sale]} had a unit"
        for (sale, shopper), number in story.numbers.items()
        if shopper in story.waiting.get(sale, ()) and number < last.get(sale, 0)
    ]


def sold_twice(story: Story, deeds: Sequence[Deed]) -> list[str]:
    """Orders told yes twice, and shoppers with two live orders where one is the limit."""
    told = Counter(deed.order for deed in deeds if deed.sold)
    found = [f"order {order} was told yes {count} times" for order, count in told.items() if count > 1]
    held = Counter(
        (order.shopper, story.sale_of[order_id]) for order_id, order in story.orders.items() if order.state in LIVE
    )
    return found + [
        f"shopper {shopper} holds {count} live orders of sale {sale}"
        for (shopper, sale), count in held.items()
        if count > 1
    ]


def oversold(story: Story, sales: Sequence[Sale]) -> list[str]:
    """Sales with more live orders than units, at any line of the ledger."""
    return [
        f"sale {sale.id} once had {story.excess[sale.id]} live orders more than units"
        for sale in sales
        if story.excess[sale.id] > 0
    ]


def changes_undone(story: Story, deeds: Sequence[Deed]) -> list[str]:
    """Changes that a merchant was told are made, and that the ledger knows nothing of."""
    done = [deed for deed in deeds if deed.status == 200]
    found = [
        f"sale {deed.sale} was told changed ({deed.act}), but it isn't"
        for deed in done
        if (deed.act in ("restock", "extend") and deed.order not in story.changes.get(deed.sale, ()))
        or (deed.act == "cancel_sale" and deed.sale not in story.called_off)
    ]
    last = {deed.sale: deed.act for deed in done if deed.act in ("pause", "resume")}
    found += [
        f"sale {sale} was told {act}d, but it isn't"
        for sale, act in last.items()
        if (act == "pause") != (sale in story.paused)
    ]
    return found + [
        f"order {order_id} is {order.state}, though sale {story.sale_of[order_id]} was called off"
        for order_id, order in story.orders.items()
        if story.sale_of[order_id] in story.called_off and order.state in LIVE
    ]


def money_kept(story: Story) -> list[str]:
    """Money of orders that ended unpaid must have gone back."""
    return [
        f"order {order_id} is {order.state} with the charge {order.charge}, refund {order.refund or 'not due'}"
        for order_id, order in story.orders.items()
        if order.charge and order.state is not OrderState.PAID and order.refund != "done"
    ]


def _redis_differs(shop: Shop, sales: Sequence[Sale], excused: Collection[str]) -> list[str]:
    """What the audit finds, units that are still merely reserved, and what the design rules out."""
    wanted = {sale.id for sale in sales}
    report = auditing.audit(shop)
    found = [
        f"sale {finding.sale}: {difference}" for finding in report.findings for difference in finding.differences
    ] + report.strays
    found += [
        f"sale {sale.id}: the units add up to {sale.units.total}, not {sale.terms.num}"
        for sale in shop.sales.some(sorted(wanted))
        if sale.units.total != sale.terms.num
    ]
    anomalies = shop.memory.anomalies()
    found += [f"anomaly {kind}, {count} times" for kind, count in anomalies.items() if kind not in excused]
    return found

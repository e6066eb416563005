"""The shop's promises, checked on what a real Redis holds and on the ledger; `invariants.py` checks them on the model.

At each position Redis is what a replay of the ledger up to there gives (`storefront/domain/replay.py`, which shares no
line with the scripts), plus the reservations that the ledger doesn't know yet.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis

from storefront.domain.order import PLACING
from storefront.domain.replay import LIVE, Replay, ReplayedOrder, ReplayedSale
from storefront.stores import keys

KEPT = frozenset({"pending", "paid", "expired", "cancelled"})
"""What may become of an order whose shopper was told yes."""


@dataclass
class View:
    """What Redis holds, by sale and by order."""

    sales: dict[str, dict[str, str]] = field(default_factory=dict)
    buyers: dict[str, dict[str, str]] = field(default_factory=dict)
    waitlists: dict[str, list[str]] = field(default_factory=dict)
    waiters: dict[str, dict[str, str]] = field(default_factory=dict)
    orders: dict[str, dict[str, str]] = field(default_factory=dict)
    changes: dict[str, dict[str, str]] = field(default_factory=dict)
    listed: dict[str, dict[str, float]] = field(default_factory=dict)
    payments: dict[str, dict[str, float]] = field(default_factory=dict)
    entering: dict[str, dict[str, float]] = field(default_factory=dict)
    """By sale: shopper who enters its draw, with their name → when the sweep must look."""
    agenda: dict[str, float] = field(default_factory=dict)
    """Of all sales: order → when the sweep must look at it."""
    anomalies: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, redis: Redis) -> "View":
        """What this Redis holds now."""
        names = sorted(cast("list[str]", redis.keys("{*}:*:*")))
        pipeline = redis.pipeline(transaction=False)
        pipeline.hgetall(keys.ANOMALIES)
        for name in names:
            match name.split(":")[1]:
                case "agenda" | "orders" | "payments" | "entering":
                    pipeline.zrange(name, 0, -1, withscores=True)
                case "waitlist":
                    pipeline.zrange(name, 0, -1)
                case "product" | "refused":
                    pipeline.get(name)
                case _:
                    pipeline.hgetall(name)
        anomalies, *contents = pipeline.execute()
        view = cls(anomalies=anomalies)
        by_kind: dict[str, dict[str, Any]] = {
            "sale": view.sales, "buyers": view.buyers, "order": view.orders,
            "waitlist": view.waitlists, "waiters": view.waiters, "orders": view.listed,
            "payments": view.payments, "changes": view.changes, "entering": view.entering,
        }  # fmt: skip
        for name, content in zip(names, contents, strict=True):
            _, kind, of = name.split(":")
            if kind == "agenda":
                view.agenda |= dict(content)
            elif kind in by_kind:
                by_kind[kind][of] = dict(content) if kind in ("orders", "payments", "entering") else content
        return view

    def orders_of(self, sale: str) -> dict[str, dict[str, str]]:
        """The orders of one sale."""
        return {order: fields for order, fields in self.orders.items() if fields.get("sale") == sale}


def broken_in_redis(view: View) -> Iterator[str]:
    """What is wrong with Redis by itself."""
    if strangers := [order for order, fields in view.orders.items() if fields.get("sale") not in view.sales]:
        yield f"orders {strangers} are of no sale"
    for sale, fields in view.sales.items():
        orders = view.orders_of(sale)
        yield from _miscounted(sale, fields, orders)
        yield from _misheld(sale, int(fields["limit"]), view.buyers.get(sale, {}), orders)
        yield from _mislisted(sale, view, orders)
        if set(waiting := view.waitlists.get(sale, [])) != view.waiters.get(sale, {}).keys() or len(waiting) != int(
            fields["waiting"]
        ):
            yield f"{waiting} wait for {sale}, which counts {fields['waiting']}: {view.waiters.get(sale)}"
    for order, fields in view.orders.items():
        if order not in view.agenda and (fields.get("state") in {*PLACING, "pending"} or fields.get("refund") == "due"):
            yield f"order {order} is {_words(fields)}, and the sweep will never look at it"


def unlike_the_ledger(view: View, replays: list[Replay]) -> Iterator[str]:
    """What differs between Redis and the ledger up to Redis's position."""
    if ruled_out := {kind: count for kind, count in view.anomalies.items() if not kind.startswith("ledger cut")}:
        yield f"the scripts met what the design rules out: {ruled_out}"
    for sale, fields in view.sales.items():
        orders = view.orders_of(sale)
        replay = replays[int(fields.get("position", 0))]
        yield from _unlike_a_replay(replay, fields["signed"], orders, _orders_of(replay, sale))
        if sale not in replay.sales:
            yield f"there is a sale {sale}; in a replay there is none"
            continue
        yield from _mischanged(fields, set(view.changes.get(sale, {})), replay.sales[sale])
        waiting = view.waitlists.get(sale, [])
        if waiting != (told := list(replay.sales[sale].waiting)):
            yield f"{waiting} wait for {sale}; in a replay it is {told}"


def _miscounted(sale: str, fields: dict[str, str], orders: dict[str, dict[str, str]]) -> Iterator[str]:
    states = Counter[str]()
    for order in orders.values():
        states[order.get("state", "none")] += int(order.get("units", 1))
    counted = {
        "reserved": states["reserved"] + states["releasing"],
        "pending": states["pending"],
        "paid": states["paid"],
        "expired": states["expired"],
    }
    counted["stock"] = int(fields["num"]) - counted["reserved"] - counted["pending"] - counted["paid"]
    if counted["stock"] < 0:
        yield f"sale {sale} is oversold: {dict(states)} of {fields['num']}"
    refunds = Counter(order.get("refund") for order in orders.values())
    counted |= {"refund_due": refunds["due"], "refunded": refunds["done"]}
    for name, count in counted.items():
        if int(fields.get(name, 0)) != count:
            yield f"sale {sale} counts {fields.get(name)} {name}; its orders say {count}"


def _mischanged(fields: dict[str, str], changes: set[str], told: ReplayedSale) -> Iterator[str]:
    here = (fields["num"], fields["ends"], fields["paused"], fields["called_off"])
    there = (str(told.num), str(told.ends), str(int(told.paused)), str(int(told.called_off)))
    if here != there and not fields["signed"].startswith("mending:"):  # then they are still to be told anew
        yield f"units, end, paused, called off are {here}; in a replay they are {there}"
    if changes != told.changes:
        yield f"the history is {changes}; in a replay it is {told.changes}"


def _misheld(sale: str, limit: int, buyers: dict[str, str], orders: dict[str, dict[str, str]]) -> Iterator[str]:
    held: dict[str, set[str]] = {}
    for order, fields in orders.items():
        if fields.get("state") in PLACING | LIVE and fields["shopper"]:
            held.setdefault(fields["shopper"], set()).add(order)
    if held != {shopper: set(found.split()) for shopper, found in buyers.items()}:
        yield f"the buyers of {sale} are {buyers}; its orders say {held}"
    for shopper, theirs in held.items():
        if len(theirs) > limit:
            yield f"shopper {shopper} holds {len(theirs)} units of {sale}, over the limit of {limit}"


def _mislisted(sale: str, view: View, orders: dict[str, dict[str, str]]) -> Iterator[str]:
    listed, payments = view.listed.get(sale, {}), view.payments.get(sale, {})
    paid = {order: int(fields["paid_at"]) for order, fields in orders.items() if fields.get("state") == "paid"}
    if payments != paid:
        yield f"the payments of {sale} are {payments}; its orders say {paid}"
    placed = {order for order, fields in orders.items() if fields.get("state") in LIVE | {"expired"}}
    if missing := placed - listed.keys():
        yield f"the list of the orders of {sale} lacks {missing}"
    if wrong := {order for order, at in listed.items() if str(int(at)) != orders.get(order, {}).get("at")}:
        yield f"the list of the orders of {sale} has {wrong}"


def _unlike_a_replay(
    replay: Replay, signed: str, orders: dict[str, dict[str, str]], replayed: dict[str, ReplayedOrder]
) -> Iterator[str]:
    if replay.signed != signed:
        yield f"epoch {signed} is signed; in a replay it is {replay.signed}"
    for order in sorted(orders.keys() | replayed.keys()):
        here, there = orders.get(order, {}), replayed.get(order)
        if here.get("state") in PLACING and there is None:
            if here["epoch"] != signed:
                yield f"order {order} is {here['state']} since epoch {here['epoch']}; signed is {signed}"
        elif _words(here) != (told := _told(there)):
            yield f"order {order} is {_words(here)}; a replay makes it {told}"


def _orders_of(replay: Replay, sale: str) -> dict[str, ReplayedOrder]:
    return replay.sales[sale].orders if sale in replay.sales else {}


def _words(fields: dict[str, str]) -> str:
    return " ".join([fields.get("state", "unknown"), fields.get("charge", ""), fields.get("returns", "")]).strip()


def _told(order: ReplayedOrder | None) -> str:
    return f"{order.state} {order.charge} {order.returns}".strip() if order else "unknown"


def broken_by_the_ledger(replay: Replay, promised: dict[str, frozenset[str]], limits: dict[str, int]) -> Iterator[str]:
    """What is wrong by the whole ledger, read or not.

    ``promised`` says what may be of the orders whose shoppers were told something, unless their sale is called off;
    ``limits`` is by sale.
    """
    known: dict[str, ReplayedOrder] = {}
    revocable: set[str] = set()
    for sale_id, sale in replay.sales.items():
        known |= sale.orders
        revocable |= sale.orders.keys() if sale.called_off else set()
        live = Counter(order.shopper for order in sale.orders.values() if order.state in LIVE)
        if live.total() > sale.num:
            yield f"the ledger sells {live.total()} units of {sale_id}, which has {sale.num}"
        for shopper, count in live.items():
            if count > limits[sale_id]:
                yield f"the ledger gives {shopper} {count} units of {sale_id}, over the limit of {limits[sale_id]}"
    for order, allowed in promised.items():
        if order not in known or known[order].state not in allowed | ({"cancelled"} if order in revocable else set()):
            yield f"a shopper was told that {order} is {'/'.join(sorted(allowed))}; it is {_told(known.get(order))}"


def placed(sale: ReplayedSale, shopper: str) -> int:
    """How many orders of a shopper were ever placed."""
    return sum(order.shopper == shopper and order.state in KEPT for order in sale.orders.values())


def forgotten(replay: Replay, waits: dict[tuple[str, str], int]) -> Iterator[str]:
    """Who was told that they wait, and neither does nor got an order since; ``waits`` as in the machine."""
    for (sale, shopper), before in waits.items():
        told = replay.sales[sale]
        if shopper not in told.waiting and placed(told, shopper) <= before:
            yield f"{shopper} was told that they wait for {sale}, and doesn't"


def unchanged(replay: Replay, made: set[tuple[str, str]], called_off: set[str]) -> Iterator[str]:
    """What a merchant was told is done, sale and change, or a sale called off, and the ledger knows nothing of."""
    for sale, change in made:
        if change not in replay.sales[sale].changes:
            yield f"a merchant was told that change {change} of {sale} is made"
    for sale in called_off:
        if not replay.sales[sale].called_off:
            yield f"a merchant was told that {sale} is called off"


def unserved(view: View, limits: dict[str, int]) -> Iterator[str]:
    """Who waits for nothing once everything rests, though there are units; but for sales that draw theirs later."""
    for sale, waiting in view.waitlists.items():
        if view.sales[sale].get("draw", "0") != "0":
            continue
        held = view.buyers.get(sale, {})
        able = [one for one in waiting if len(held.get(one, "").split()) < limits[sale]]
        fields = view.sales[sale]
        if able and int(fields["stock"]) > 0 and "1" not in (fields["paused"], fields["called_off"]):
            yield f"{able} wait for {sale}, of which {view.sales[sale]['stock']} lie there"


def left_behind(view: View, money: dict[str, dict[str, bool]]) -> Iterator[str]:
    """What is wrong once everything rests: units or money that nobody has, or that somebody shouldn't.

    ``money`` is what the provider took: order → charge → whether that was given back.
    """
    if view.agenda:
        yield f"there is no end to the sweep's work: {view.agenda}"
    for sale, entering in view.entering.items():
        yield f"{entering} enter the draw of {sale} for ever"
    for sale, fields in view.sales.items():
        if fields["called_off"] == "1" and (fields["pending"], fields["paid"]) != ("0", "0"):
            yield f"{sale} is called off, and {fields['pending']} unpaid and {fields['paid']} paid orders stand"
    for order, fields in view.orders.items():
        if fields.get("state") in {*PLACING, "pending"} or fields.get("refund") == "due":
            yield f"order {order} is {_words(fields)}, and nothing more happens"
    for order, charges in money.items():
        fields = view.orders.get(order, {})
        kept = {charge for charge, is_back in charges.items() if not is_back}
        if kept != ({fields["charge"]} if fields.get("state") == "paid" else set()):
            yield f"order {order} is {_words(fields)}; of its money {sorted(kept)} was kept"

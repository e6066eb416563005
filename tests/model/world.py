"""The purchase protocol as pure functions: what Redis holds for one sale, and what each script makes of it.

Read `docs/design.md` first. The model leaves out what can't go wrong between processes (limits, clocks, amounts of
money) and keeps what can: the order in which reservations, records, rollbacks and answers meet. Every function here
bears the name of the script it stands for. `steps.py` says who may call them when, `explorer.py` tries every order.

The heart of the protocol: **an order's state is a function of the ledger alone** (and so are the sale's `signed` and
`position`). A reservation is the one thing that Redis knows and the ledger doesn't, and it dies with its epoch.
"""

from typing import NamedTuple

# Switch one off, and the explorer finds how a sale breaks.
SAFEGUARDS = {
    "epoch": "reserve and confirm say yes only in the epoch that is in force and signed",
    "confirm": "a shopper is told yes only after confirm",
    "mark": "the sweep marks a reservation as releasing before it appends Released",
    "tomb": "Released of an unknown order leaves a tombstone",
    "wepoch": "a worker's scripts refuse under another epoch than it began to read in, and it goes back",
    "position": "the position is written together with the effects of the record, in one script",
    "signed": "a Requested of another epoch than the ledger's last Signed is refused for good",
    "chain": "a Signed names the epoch it succeeds, and counts only if that one is still the last",
    "void": "a Signed that counts frees every reservation that stands",
}

NOBODY = -1  # a Signed belongs to no order
UNSIGNED = 0  # before the first Signed

HELD = frozenset({"reserved", "releasing"})
PLACED = frozenset({"pending", "paid"})
LIVE = HELD | PLACED
KEPT = PLACED | {"expired", "refund"}  # what may become of an order whose shopper was told yes


class Order(NamedTuple):
    """One shopper's order: none, reserved, releasing, pending, paid, expired, refund, released or refused.

    `expired` stands for an order cancelled by its owner too. `epoch` is that of a reservation, else 0.
    """

    state: str
    epoch: int


class Redis(NamedTuple):
    """The keys of one sale; all of them roll back together.

    `signed` is the epoch of the last Signed that counted: the sale is open while that epoch is in force.
    `position` is the offset of the first record not applied.
    """

    stock: int
    orders: tuple[Order, ...]
    signed: int
    position: int


class Record(NamedTuple):
    """One record of the ledger. Requested and Signed carry an epoch; Signed also the epoch that it succeeds."""

    kind: str
    order: int
    epoch: int = 0
    succeeds: int = 0

    def __str__(self) -> str:
        if self.kind == "Signed":
            return f"Signed(epoch {self.epoch} after {self.succeeds})"
        return f"{self.kind}({self.order}, epoch {self.epoch})" if self.epoch else f"{self.kind}({self.order})"


Off = frozenset[str]
Ledger = tuple[Record, ...]

ALL_ON: Off = frozenset()
NONE = Order("none", 0)


def empty(units: int, shoppers: int) -> Redis:
    """The sale in a Redis that has read nothing yet."""
    return Redis(units, (NONE,) * shoppers, UNSIGNED, 0)


def _with(redis: Redis, order: int, state: str, *, units: int = 0, epoch: int = 0) -> Redis:
    orders = (*redis.orders[:order], Order(state, epoch), *redis.orders[order + 1 :])
    return Redis(redis.stock + units, orders, redis.signed, redis.position)


# Scripts that answer a shopper.


def reserve(redis: Redis, order: int, epoch: int, off: Off = ALL_ON) -> Redis | None:
    """Take one unit; None for no. `epoch` is the one in force, read inside the script."""
    if redis.stock <= 0 or (redis.signed != epoch and "epoch" not in off):
        return None
    return _with(redis, order, "reserved", units=-1, epoch=epoch)


def confirm(redis: Redis, order: int, asked: int, epoch: int, off: Off = ALL_ON) -> bool:
    """May the shopper be told yes? `asked` is the epoch of the Requested, which the ledger has acknowledged."""
    if "confirm" in off:
        return True
    state, since = redis.orders[order]
    return state in KEPT or (state == "reserved" and since == asked and (epoch == asked or "epoch" in off))


# Scripts that apply a record.


def apply_requested(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Place the order, re-taking its unit if a rollback lost the reservation; refuse it if its epoch is over.

    With all safeguards on, no refused order has a reservation: the Signed that ended its epoch has freed it.
    """
    order, held = record.order, redis.orders[record.order].state in HELD
    if not held and redis.orders[order].state != "none":
        return redis
    if record.epoch == redis.signed or "signed" in off:
        return _with(redis, order, "pending", units=0 if held else -1)
    return _with(redis, order, "refused", units=1 if held else 0)


def apply_released(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Free a reservation, and leave a tombstone against a Requested that comes later."""
    state = redis.orders[record.order].state
    if state in HELD:
        return _with(redis, record.order, "released", units=1)
    if state == "none" and "tomb" not in off:
        return _with(redis, record.order, "released")
    return redis


def apply_expired(redis: Redis, record: Record) -> Redis:
    """Free the unit of an order that wasn't paid in time, or was cancelled."""
    return _with(redis, record.order, "expired", units=1) if redis.orders[record.order].state == "pending" else redis


def apply_paid(redis: Redis, record: Record) -> Redis:
    """Keep the unit for good; money that came too late is due back."""
    became = {"pending": "paid", "expired": "refund"}.get(redis.orders[record.order].state)
    return _with(redis, record.order, became) if became else redis


def apply_signed(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Begin an epoch in the ledger: from here on, only its own Requested are placed.

    A reservation that stands is of the epoch that ends here. It can't be placed any more: its unit goes back to stock.
    """
    if record.succeeds != redis.signed and "chain" not in off:
        return redis
    for order, (state, _) in enumerate(redis.orders):
        if state in HELD and "void" not in off:
            redis = _with(redis, order, "none", units=1)
    return redis._replace(signed=record.epoch)


def effects(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """What a record does to the sale, its position aside."""
    match record.kind:
        case "Requested":
            return apply_requested(redis, record, off)
        case "Released":
            return apply_released(redis, record, off)
        case "Expired":
            return apply_expired(redis, record)
        case "Paid":
            return apply_paid(redis, record)
        case _:
            return apply_signed(redis, record, off)


def applied(redis: Redis, record: Record, offset: int, off: Off = ALL_ON) -> Redis:
    """One record's script, as a whole: effects and position together, and nothing for a record already applied."""
    return redis if offset < redis.position else effects(redis, record, off)._replace(position=offset + 1)


# The sweep's script.


def sweep(redis: Redis, order: int, off: Off = ALL_ON) -> Redis:
    """Mark a reservation in doubt, so that confirm can't say yes to it any more; Released is appended afterwards."""
    held = redis.orders[order]
    return redis if "mark" in off else _with(redis, order, "releasing", epoch=held.epoch)

"""The purchase protocol as pure functions: what Redis holds for one sale, and what each script makes of it.

Read `docs/design.md` first. The model leaves out what can't go wrong between processes (limits, clocks, amounts of
money) and keeps what can: the order in which reservations, records, rollbacks, cuts and answers meet. Every function
here bears the name of the script it stands for. `steps.py` says who may call them when, `mending.py` what happens when
the ledger is cut, `explorer.py` tries every order.

The heart of the protocol: **an order's state is a function of the ledger alone** (and so are the sale's `signed`, its
`mend` and its `position`). A reservation is the one thing that Redis knows and the ledger doesn't, and it dies with its
epoch. Where the ledger was cut, it is mended until this holds again.
"""

from collections.abc import Callable, Iterator
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
    "past": "so is a Released; else it would free what was reserved anew",
    "queue": "reserve says no while somebody waits",
    "served": "whoever gets an order waits no more",
    "noted": "Redis notes who enters a draw, and the sweep sends it again, until it was applied",
    "kept": "that note stays while the sale isn't open",
    "drawn": "no unit of a draw is offered, or to be bought, while somebody enters it",
    "open": "a shopper is told that they wait only while the sale is open",
    "taken": "a merchant's withdrawal takes its units, as a purchase does, before it is recorded",
    "change": "a merchant's change of another epoch than the ledger's last Signed is refused",
    "once": "a change is known by its id, so that the same one counts once",
    "chain": "a Signed names the epoch it succeeds, and counts only if that one is still the last",
    "void": "a Signed that counts frees every reservation that stands",
    "promise": "confirm marks what it promises, and the sweep sends its Requested again rather than release it",
    "look": "the worker looks whether the ledger still holds the record that it applied last, and mends it if not",
    "unread": "a Signed is not applied while a promise stands: the ledger has lost its Requested, and is mended",
    "restore": "what Redis knows of the orders is written into the ledger again",
    "close": "a mending begins a new epoch: the sale is closed, and workers that read before are turned away",
    "clear": "a mending begins with a Mending, which forgets what the ledger says up to there, in Redis too",
    "number": "Mendings are numbered, and one that comes after a later one is void",
    "whole": "a mending that stands whole in the ledger, and that Redis hasn't read, is read, not followed by another",
    "behind": "Restored counts only behind the Mending of its own mending, and before the Signed that ends it",
}

# Those that only a cut ledger needs.
MENDING = frozenset(
    {"promise", "look", "unread", "restore", "close", "clear", "number", "whole", "behind", "open", "noted", "kept"}
)

NOBODY = -1  # a Signed belongs to no order
UNSIGNED = 0  # before the first Signed

HELD = frozenset({"reserved", "promised", "releasing"})
PLACED = frozenset({"pending", "paid"})
ENDED = frozenset({"paid", "expired", "refund", "released"})
CHANGES = {"Withdrew": "withdrawn", "Restocked": "restocked", "CalledOff": "called off"}
"""What a merchant may do to a sale, by its record, and what becomes of its entry among the orders."""
CHANGED = frozenset(CHANGES.values())
LIVE = HELD | PLACED
KEPT = PLACED | {"expired", "refund"} | CHANGED  # what may become of what somebody was told yes about


class Order(NamedTuple):
    """One shopper's order: none, reserved, promised, releasing, pending, paid, expired, refund or released.

    Or a merchant's change: none, reserved or releasing (units that are being withdrawn), and one of CHANGED.

    `promised` is a reservation whose shopper was told yes. `expired` stands for an order cancelled by its owner too.
    `short` should never be: a request came through, and there was no unit. `epoch` is that of a reservation, else 0.
    """

    state: str
    epoch: int


class Redis(NamedTuple):
    """The keys of one sale; all of them roll back together.

    `waiting` is the waitlist, in order, and `numbers` are those with which they entered a draw, 0 for none. `signed` is
    the epoch of the last Signed that counted: the sale is open while that epoch is in force. `position` is the offset
    of the first record not applied. `mended` is the number of the last Mending applied, `begun` that of the last one
    begun here. `cut` tells how this Redis and a cut ledger stand to each other: WHOLE, LOST or AGAIN. `num` is how many
    units the sale has. `entering` are those who enter a draw, with their numbers, until their record was applied.
    """

    stock: int
    orders: tuple[Order, ...]
    signed: int
    position: int
    waiting: tuple[int, ...] = ()
    mended: int = 0
    begun: int = 0
    cut: int = 0
    num: int = 0
    numbers: tuple[int, ...] = ()
    entering: tuple[tuple[int, int], ...] = ()


WHOLE = 0  # the ledger holds what this Redis applied
LOST = 1  # it does not: a worker that looks back sees that
AGAIN = 2  # it reads the ledger again, up to a Mending


class Record(NamedTuple):
    """One record of the ledger.

    Requested, Released, changes and Signed carry an epoch, Signed also the epoch that it succeeds, Mending its number
    and the sale's units, Joined the number with which somebody entered a draw (0 for none), and Restored a state. A
    Mending signs an epoch that is never in force, which Restored carries too.
    """

    kind: str
    order: int
    epoch: int = 0
    succeeds: int = 0
    state: str = ""
    number: int = 0
    units: int = 0

    def __str__(self) -> str:
        if self.kind == "Signed":
            return f"Signed(epoch {self.epoch} after {self.succeeds})"
        if self.kind == "Mending":
            return f"Mending({self.number}, as {self.epoch})"
        if self.number:
            return f"{self.kind}({self.order}, number {self.number})"
        if self.kind == "Restored":
            return f"Restored({self.order}, {self.state}, as {self.epoch})"
        return f"{self.kind}({self.order}, epoch {self.epoch})" if self.epoch else f"{self.kind}({self.order})"


Off = frozenset[str]
Ledger = tuple[Record, ...]

ALL_ON: Off = frozenset()
NONE = Order("none", 0)


def empty(units: int, orders: int) -> Redis:
    """The sale in a Redis that has read nothing yet."""
    return Redis(units, (NONE,) * orders, UNSIGNED, 0, num=units)


def _with(redis: Redis, order: int, state: str, *, units: int = 0, epoch: int = 0, num: int = 0) -> Redis:
    orders = (*redis.orders[:order], Order(state, epoch), *redis.orders[order + 1 :])
    return redis._replace(stock=redis.stock + units, orders=orders, num=redis.num + num)


def is_over(redis: Redis) -> bool:
    """Whether the sale was called off."""
    return any(state == "called off" for state, _ in redis.orders)


# Scripts that answer a shopper.


def reserve(redis: Redis, order: int, epoch: int, off: Off = ALL_ON) -> Redis | None:
    """Take one unit; None for no. `epoch` is the one in force, read inside the script."""
    if (redis.waiting and "queue" not in off) or (redis.entering and "drawn" not in off) or is_over(redis):
        return None
    if redis.stock <= 0 or (redis.signed != epoch and "epoch" not in off):
        return None
    return _with(redis, order, "reserved", units=-1, epoch=epoch)


def withdraw(redis: Redis, change: int, epoch: int, off: Off = ALL_ON) -> Redis | None:
    """Take one unit that is nobody's, for the sale to have one less; None for no."""
    if redis.stock <= 0 or redis.signed != epoch:
        return None
    return redis if "taken" in off else _with(redis, change, "reserved", units=-1, epoch=epoch)


def confirm(redis: Redis, order: int, asked: int, epoch: int, off: Off = ALL_ON) -> Redis | None:
    """May the shopper be told yes? None for no. `asked` is the epoch of the Requested, which was acknowledged."""
    state, since = redis.orders[order]
    if state in KEPT or "confirm" in off:
        return redis
    if state in ("reserved", "promised") and since == asked and (epoch == asked or "epoch" in off):
        return redis if "promise" in off else _with(redis, order, "promised", epoch=since)
    return None


def stands(redis: Redis, epoch: int, off: Off = ALL_ON) -> bool:
    """Whether the waitlist is one that no mending under way will forget."""
    return redis.signed == epoch or "open" in off


def enter(redis: Redis, shopper: int, number: int, epoch: int, off: Off = ALL_ON) -> Redis | None:
    """Note that a shopper enters the draw, until that is on the waitlist; None for no."""
    if redis.signed != epoch:
        return None
    known = shopper in redis.waiting or any(one == shopper for one, _ in redis.entering) or "noted" in off
    return redis if known else redis._replace(entering=tuple(sorted((*redis.entering, (shopper, number)))))


def entered(redis: Redis, shopper: int, off: Off = ALL_ON) -> bool:
    """May the shopper be told that they are in the draw, now that the ledger holds it? Then both know of it."""
    known = shopper in redis.waiting or any(one == shopper for one, _ in redis.entering)
    return known or redis.orders[shopper].state != "none" or "noted" in off


def without_entry(redis: Redis, record: Record, epoch: int, off: Off = ALL_ON) -> Redis:
    """What the script that applies a Joined does besides: the entry is on the waitlist, if the sale is open.

    While it isn't, a mending may still forget that.
    """
    if record.kind != "Joined" or (redis.signed != epoch and "kept" not in off):
        return redis
    return redis._replace(entering=tuple(one for one in redis.entering if one[0] != record.order))


# Scripts that apply a record.


def apply_requested(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Place the order, re-taking its unit if a rollback lost the reservation; refuse it if its epoch is over.

    What is refused leaves no trace: the same purchase may be tried again in the epoch that is signed. With all
    safeguards on it has no reservation of its own either, since the Signed that ended its epoch has freed it.
    """
    order, held = record.order, redis.orders[record.order].state in HELD
    if not held and redis.orders[order].state != "none":
        return redis
    if record.epoch == redis.signed or "signed" in off:
        if not held and redis.stock <= 0:
            return _with(redis, order, "short")
        placed = _with(redis, order, "pending", units=0 if held else -1)
        return placed if "served" in off else _without_waiter(placed, order)
    return redis


def _without_waiter(redis: Redis, shopper: int) -> Redis:
    if shopper not in redis.waiting:
        return redis
    place = redis.waiting.index(shopper)
    return redis._replace(
        waiting=redis.waiting[:place] + redis.waiting[place + 1 :],
        numbers=redis.numbers[:place] + redis.numbers[place + 1 :],
    )


def apply_withdrew(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Have the sale have one unit less, as ``apply_requested`` places an order."""
    held = redis.orders[record.order].state in HELD
    if (not held and redis.orders[record.order].state != "none") or not _counts(redis, record, off):
        return redis
    if is_over(redis):
        return redis
    if not held and redis.stock <= 0:
        return redis if "taken" in off else _with(redis, record.order, "short")
    return _with(redis, record.order, "withdrawn", units=0 if held else -1, num=-1)


def _counts(redis: Redis, record: Record, off: Off) -> bool:
    return record.epoch == redis.signed or "change" in off


def apply_restocked(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Have the sale have one unit more."""
    if (redis.orders[record.order].state != "none" and "once" not in off) or not _counts(redis, record, off):
        return redis
    if is_over(redis):
        return redis
    return _with(redis, record.order, "restocked", units=1, num=1)


def apply_called_off(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """End the sale. The sweep then revokes its orders."""
    if redis.orders[record.order].state != "none" or not _counts(redis, record, off):
        return redis
    return _with(redis, record.order, "called off")


def apply_revoked(redis: Redis, record: Record, _off: Off = ALL_ON) -> Redis:
    """End an order of a sale that was called off, paid or not; its money is due back."""
    became = {"pending": "expired", "paid": "refund"}.get(redis.orders[record.order].state)
    return _with(redis, record.order, became, units=1) if became else redis


def apply_joined(redis: Redis, record: Record, _off: Off = ALL_ON) -> Redis:
    """Put a shopper on the waitlist, unless they hold all they may: only placed orders count.

    Those who entered a draw stand in front, the least number first.
    """
    if record.order in redis.waiting or redis.orders[record.order].state in PLACED:
        return redis
    place = len(redis.waiting)
    if record.number:
        place = sum(0 < number < record.number for number in redis.numbers)
    return redis._replace(
        waiting=(*redis.waiting[:place], record.order, *redis.waiting[place:]),
        numbers=(*redis.numbers[:place], record.number, *redis.numbers[place:]),
    )


def apply_left(redis: Redis, record: Record, _off: Off = ALL_ON) -> Redis:
    """Strike a shopper off the waitlist."""
    return _without_waiter(redis, record.order)


def apply_released(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Free a reservation, and leave a tombstone against a Requested of its epoch that comes later.

    A later reservation, by which the same purchase is tried again, is none of its business.
    """
    if record.epoch != redis.signed and "past" not in off:
        return redis
    state = redis.orders[record.order].state
    if state in HELD:
        return _with(redis, record.order, "released", units=1)
    if state == "none" and "tomb" not in off:
        return _with(redis, record.order, "released")
    return redis


def apply_expired(redis: Redis, record: Record, _off: Off = ALL_ON) -> Redis:
    """Free the unit of an order that wasn't paid in time, or was cancelled."""
    return _with(redis, record.order, "expired", units=1) if redis.orders[record.order].state == "pending" else redis


def apply_paid(redis: Redis, record: Record, _off: Off = ALL_ON) -> Redis:
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


def apply_mending(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Forget every order: the ledger was cut, and what follows tells anew how things stand. The sale stays closed."""
    if record.number <= redis.mended and "number" not in off:
        return redis
    if "clear" not in off:
        redis = redis._replace(
            stock=record.units, num=record.units, orders=(NONE,) * len(redis.orders), waiting=(), numbers=()
        )
    return redis._replace(signed=record.epoch, mended=record.number, cut=WHOLE if redis.cut == AGAIN else redis.cut)


def apply_restored(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """Put an order where Redis knew it to be when the ledger was mended."""
    before, after = redis.orders[record.order].state, record.state
    if record.epoch != redis.signed and "behind" not in off:
        return redis
    units = (before in LIVE) - (after in LIVE)
    if redis.stock + units < 0:
        return _with(redis, record.order, "short") if before == "none" else redis
    restored = _with(redis, record.order, after, units=units)
    return _without_waiter(restored, record.order) if after in PLACED else restored


def effects(redis: Redis, record: Record, off: Off = ALL_ON) -> Redis:
    """What a record does to the sale, its position aside."""
    return EFFECTS[record.kind](redis, record, off)


EFFECTS: dict[str, Callable[[Redis, Record, Off], Redis]] = {
    "Requested": apply_requested,
    "Withdrew": apply_withdrew,
    "Restocked": apply_restocked,
    "CalledOff": apply_called_off,
    "Revoked": apply_revoked,
    "Joined": apply_joined,
    "Left": apply_left,
    "Released": apply_released,
    "Expired": apply_expired,
    "Paid": apply_paid,
    "Signed": apply_signed,
    "Mending": apply_mending,
    "Restored": apply_restored,
}


def applied(redis: Redis, record: Record, offset: int, off: Off = ALL_ON) -> Redis:
    """One record's script, as a whole: effects and position together, and nothing for a record already applied."""
    if offset < redis.position:
        return redis
    passed_over = redis.cut == AGAIN and record.kind != "Mending"
    return (redis if passed_over else effects(redis, record, off))._replace(position=offset + 1)


# The sweep's scripts.


def due(redis: Redis, order: int, off: Off = ALL_ON) -> tuple[Redis, Record]:
    """What the sweep does with a reservation in doubt: what becomes of it, and the record that is appended afterwards.

    One that was promised is requested again. Any other is marked, so that confirm can't say yes to it any more.
    """
    state, epoch = redis.orders[order]
    if state == "promised":
        return redis, Record("Requested", order, epoch)
    return redis if "mark" in off else _with(redis, order, "releasing", epoch=epoch), Record("Released", order, epoch)


def offer(redis: Redis, epoch: int, off: Off = ALL_ON) -> tuple[Redis, Record] | None:
    """Take a unit for whoever stands in front and isn't being served; None if there is nothing to offer.

    Nor is there anything while somebody enters: else those who came in time might be passed over.

    In the shop each offer is an order of its own. Here a shopper has but one: whose offer was released gets no other.
    """
    if redis.stock <= 0 or (redis.signed != epoch and "epoch" not in off) or is_over(redis):
        return None
    if redis.entering and "drawn" not in off:
        return None
    for shopper in redis.waiting:
        if redis.orders[shopper].state == "none":
            taken = _with(redis, shopper, "reserved", units=-1, epoch=epoch)
            return taken, Record("Requested", shopper, epoch)
    return None


# Everything there is.


class Web(NamedTuple):
    """One shopper's request: start, asked (Requested is in flight), recorded (it is acknowledged), or yes.

    Or, of one who wants to wait: door, joining (Joined is in flight), waits (which they were told), or left. Of one who
    enters a draw: entering (it is in flight) or noted (it is acknowledged).
    Or a merchant's: wants, asks (the record is in flight) or made (which they were told), and the record's kind.
    """

    at: str
    epoch: int
    number: int = 0
    """With which one enters a draw."""


class Worker(NamedTuple):
    """The epoch it began to read in, the offset it reads next, and (with "position" off) a record that it holds."""

    epoch: int
    read: int
    holds: Record | None


class Mend(NamedTuple):
    """One mending: the epoch that it began (its scripts refuse under another), its number, what it has yet to write.

    `writes` is None, and it has no number, before it has looked at what the ledger holds and Redis knows. One whose
    epoch is over was begun by a worker that died or was turned away since; what it wrote may still arrive.
    """

    epoch: int
    number: int = 0
    writes: Ledger | None = None


class World(NamedTuple):
    """Everything. `kept` are earlier states of Redis, on a disk, a replica or in a backup, to which it may roll back.

    `base` is what Redis is before the first record of `ledger`: empty, until a reduction forgets the oldest records.
    `late` are records that a cut took from the ledger and that a worker had read before: the first one's offset, the
    epoch in which it read, and the records.
    """

    redis: Redis
    epoch: int
    ledger: Ledger
    flying: tuple[Record, ...]
    webs: tuple[Web, ...]
    workers: tuple[Worker, ...]
    kept: tuple[Redis, ...]
    rollbacks: int
    base: Redis
    cuts: int = 0
    mends: tuple[Mend, ...] = ()
    deaths: int = 0
    late: tuple[int, int, Ledger] | None = None


class Size(NamedTuple):
    """How big a world to search, with which safeguards off.

    `twice`: each record may arrive twice. `workers` and `twice` add nothing where `reductions.py` is used; they test
    that. `deaths`: how many mendings may be begun that don't come to their end. `slow`: a worker may still apply what
    it read before the cut. `waiters`: how many of the shoppers join the waitlist rather than buy; with `draws` each
    enters a draw, with a number of its own, or joins behind it. `changes`: what the merchant may do to the sale, once
    each.
    """

    units: int
    shoppers: int
    rollbacks: int
    off: Off = frozenset()
    workers: int = 1
    twice: bool = False
    cuts: int = 0
    deaths: int = 1
    slow: bool = False
    waiters: int = 0
    draws: bool = False
    changes: tuple[str, ...] = ()


Step = tuple[str, World]
START, YES = Web("start", 0), Web("yes", 0)
DOOR, JOINING, WAITS, LEFT = Web("door", 0), Web("joining", 0), Web("waits", 0), Web("left", 0)


def kind_of(web: Web) -> str:
    """The kind of record by which a merchant changes the sale; empty for a shopper's."""
    return web.at.partition(" ")[2]


def start(size: Size) -> World:
    """A sale that is in stock and not signed yet, with every shopper at the door."""
    redis = empty(size.units, size.shoppers + len(size.changes))
    workers = (Worker(1, 0, None),) * size.workers
    webs = (START,) * (size.shoppers - size.waiters) + (DOOR,) * size.waiters
    webs += tuple(Web(f"wants {kind}", 0) for kind in size.changes)
    return World(redis, 1, (), (), webs, workers, (), size.rollbacks, redis, size.cuts, deaths=size.deaths)


def told_yes(world: World) -> Iterator[int]:
    """Those whose shopper was told yes, or whose merchant that it is done."""
    return (i for i, web in enumerate(world.webs) if web == YES or web.at.startswith("made "))


def waits(world: World) -> Iterator[int]:
    """The shoppers who were told that they wait, and haven't left."""
    return (i for i, web in enumerate(world.webs) if web == WAITS)


def relied_on(world: World) -> set[int]:
    """The orders that somebody relies on: the shopper was told yes, or is paying."""
    return {*told_yes(world), *(record.order for record in world.flying if record.kind == "Paid")}

"""Who can do what next: every step that shoppers, ledger, worker, sweep and disaster can take from a state.

A record is *in flight* from the moment its sender may have sent it. It arrives in the ledger at any later time, or
never; so a sender that dies, times out or is merely slow needs no step of its own: its next step just isn't taken.
A shopper told no needs none either: a web process may ask `confirm` again and again until it is a yes.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .world import (
    HELD,
    NOBODY,
    Ledger,
    Off,
    Record,
    Redis,
    applied,
    confirm,
    effects,
    empty,
    reserve,
    sweep,
)


class Web(NamedTuple):
    """One shopper's request: start, asked (Requested is in flight), recorded (it is acknowledged), or yes."""

    at: str
    epoch: int


class Worker(NamedTuple):
    """The epoch it began to read in, the offset it reads next, and (with "position" off) a record that it holds."""

    epoch: int
    read: int
    holds: Record | None


class World(NamedTuple):
    """Everything. `kept` are earlier states of Redis, on a disk, a replica or in a backup, to which it may roll back.

    `base` is what Redis is before the first record of `ledger`: empty, until a reduction forgets the oldest records.
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


class Size(NamedTuple):
    """How big a world to search, with which safeguards off.

    `twice`: each record may arrive twice. `workers` and `twice` add nothing where `reductions.py` is used; they test
    that.
    """

    units: int
    shoppers: int
    rollbacks: int
    off: Off = frozenset()
    workers: int = 1
    twice: bool = False


Step = tuple[str, World]
START, YES = Web("start", 0), Web("yes", 0)


def start(size: Size) -> World:
    """A sale that is in stock and not signed yet, with every shopper at the door."""
    redis = empty(size.units, size.shoppers)
    workers = (Worker(1, 0, None),) * size.workers
    return World(redis, 1, (), (), (START,) * size.shoppers, workers, (), size.rollbacks, redis)


def steps(world: World, size: Size) -> Iterator[Step]:
    """Every next step, as words "actor: deed" and the world after it."""
    yield from _shoppers(world, size.off)
    yield from _payments(world)
    yield from _ledger(world, twice=size.twice)
    for number in range(len(world.workers)):
        yield from _worker(world, number, size)
    yield from _sweep(world, size)
    yield from _rollbacks(world, size)


def _after(deed: str, world: World, redis: Redis) -> Iterator[Step]:
    """A step that changed Redis from `world.redis`, whose state before may be kept for a rollback to come.

    Keeping a state commutes with all that doesn't change Redis, so just before a change is the only time worth trying.
    """
    after = world._replace(redis=redis)
    yield deed, after
    if redis != world.redis and len(world.kept) < world.rollbacks:
        yield f"{deed} (Redis before is kept)", after._replace(kept=(*world.kept, world.redis))


def _send(world: World, record: Record) -> World:
    return world._replace(flying=tuple(sorted({*world.flying, record})))


def _web(world: World, i: int, web: Web) -> World:
    return world._replace(webs=(*world.webs[:i], web, *world.webs[i + 1 :]))


def _shoppers(world: World, off: Off) -> Iterator[Step]:
    for i, (at, asked) in enumerate(world.webs):
        if at == "start" and (redis := reserve(world.redis, i, world.epoch, off)):
            sent = _send(world, Record("Requested", i, world.epoch))
            yield from _after(f"web: reserves {i}", _web(sent, i, Web("asked", world.epoch)), redis)
        if at == "recorded" and confirm(world.redis, i, asked, world.epoch, off):
            yield f"web: confirms {i}, the shopper is told yes", _web(world, i, YES)


def _payments(world: World) -> Iterator[Step]:
    for i, (state, _) in enumerate(world.redis.orders):
        if state == "pending":
            for kind in ("Paid", "Expired"):
                if Record(kind, i) not in world.flying + world.ledger:
                    yield f"shop: sends {kind}({i})", _send(world, Record(kind, i))


def _ledger(world: World, *, twice: bool) -> Iterator[Step]:
    for record in world.flying:
        rest = tuple(other for other in world.flying if other != record)
        after = world._replace(ledger=(*world.ledger, record), flying=rest)
        if record.kind == "Requested" and world.webs[record.order].at == "asked":
            after = _web(after, record.order, Web("recorded", record.epoch))
        yield f"ledger: {record} arrives", after
        if twice and record not in world.ledger:
            yield f"ledger: {record} arrives, not for the last time", after._replace(flying=world.flying)


def _worker(world: World, number: int, size: Size) -> Iterator[Step]:
    redis, worker, off = world.redis, world.workers[number], size.off

    def now(worker: Worker) -> World:
        return world._replace(workers=(*world.workers[:number], worker, *world.workers[number + 1 :]))

    # In each script: "refuse under another epoch than the worker believes".
    if worker.epoch != world.epoch and "wepoch" not in off:
        yield "worker: goes back", now(Worker(world.epoch, redis.position, None))
        return
    signing = Record("Signed", NOBODY, world.epoch, redis.signed)
    if redis.signed != world.epoch and (world.flying + world.ledger).count(signing) < _enough(size):
        yield f"worker: sends {signing}", _send(world, signing)
    if worker.holds:
        after = worker._replace(holds=None)
        yield from _after(f"worker: does {worker.holds}", now(after), effects(redis, worker.holds, off))
        yield "worker: dies and starts again", now(Worker(world.epoch, redis.position, None))
    elif worker.read < len(world.ledger):
        record = world.ledger[worker.read]
        ahead = Worker(worker.epoch, worker.read + 1, record if "position" in off else None)
        done = redis._replace(position=ahead.read) if "position" in off else applied(redis, record, worker.read, off)
        yield from _after(f"worker: {'skips past' if ahead.holds else 'applies'} {record}", now(ahead), done)


def _enough(size: Size) -> int:
    """How often a record is sent again that doesn't arrive or help; else there'd be no end. See `reductions.py`."""
    return 2 if size.off else 1


def _sweep(world: World, size: Size) -> Iterator[Step]:
    for i, (state, _) in enumerate(world.redis.orders):
        released = Record("Released", i)
        if state in HELD and released not in world.flying and world.ledger.count(released) < _enough(size):
            deed = f"sweep: {'takes' if 'mark' in size.off else 'marks'} {i}, sends {released}"
            yield from _after(deed, _send(world, released), sweep(world.redis, i, size.off))


def _rollbacks(world: World, size: Size) -> Iterator[Step]:
    """Redis restarts, or another takes over: in a new epoch, as it is, as it was, or empty.

    A state is kept only to be used, so one must be taken when there are as many as rollbacks left.
    """
    if not world.rollbacks:
        return
    new = world._replace(epoch=world.epoch + 1, rollbacks=world.rollbacks - 1)
    for n, redis in enumerate(world.kept):
        yield (
            f"redis: rolls back to {_words(redis)}",
            new._replace(redis=redis, kept=world.kept[:n] + world.kept[n + 1 :]),
        )
    if len(world.kept) < world.rollbacks:
        yield "redis: restarts, having lost nothing", new
        yield "redis: comes back empty", new._replace(redis=empty(size.units, size.shoppers))


def _words(redis: Redis) -> str:
    orders = ", ".join(f"{state}@{epoch}" if epoch else state for state, epoch in redis.orders)
    return f"stock {redis.stock}, orders {orders}, signed {redis.signed}, position {redis.position}"


def is_quiet(deeds: list[str]) -> bool:
    """Whether the machinery rests: only shoppers or disaster could do something, or a slow record of theirs arrive."""
    optional = ("web:", "shop:", "redis:", "ledger: Requested", "ledger: Paid", "ledger: Expired")
    return all(deed.startswith(optional) for deed in deeds)


def told_yes(world: World) -> Iterator[int]:
    """The shoppers who were told yes."""
    return (i for i, web in enumerate(world.webs) if web == YES)

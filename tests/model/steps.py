"""Who can do what next: every step that shoppers, ledger, worker, sweep and disaster can take from a state.

Everybody may die at any point, and no step is needed for it:

- A record is *in flight* from the moment its sender may have sent it. It arrives in the ledger at any later time, or
  never; so a sender that dies, times out or is merely slow is one whose next step isn't taken. Nor does a shopper told
  no need one: a web process may ask `confirm` again and again until it is a yes.
- A worker keeps nothing but what it believes of the position. Between two scripts it may die: what it would have done
  next, the same or another worker does later, from the position that Redis holds ("goes back"). Two scripts of one
  record (effects, position) are one step, since a sale's position is written by the script with the effects; the
  partition's own, written after them, can only lag behind, and then records come twice, which `position` covers.
- A sweep that dies between its mark and its append has sent a record that never arrives. The mark stands, and the same
  record can be sent again.
- A mending may stop between any two steps, with any part of its records in the ledger and the rest arriving late or
  never, and another begin; see `mending.py`.
"""

from collections.abc import Iterator

from .invariants import ledger_knows, replay
from .mending import breaks_a_promise, cuts, latecomers, mending
from .world import (
    AGAIN,
    CHANGES,
    DOOR,
    HELD,
    JOINING,
    LEFT,
    LOST,
    MENDING,
    NOBODY,
    PLACED,
    WAITS,
    YES,
    Ledger,
    Off,
    Record,
    Redis,
    Size,
    Step,
    Web,
    Worker,
    World,
    applied,
    confirm,
    due,
    effects,
    empty,
    enter,
    entered,
    is_over,
    kind_of,
    offer,
    reserve,
    stands,
    withdraw,
    without_entry,
)


def steps(world: World, size: Size) -> Iterator[Step]:
    """Every next step, as words "actor: deed" and the world after it."""
    yield from _shoppers(world, size.off)
    yield from _waiters(world, size)
    yield from _merchant(world, size.off)
    yield from _payments(world)
    yield from _ledger(world, twice=size.twice)
    for number in range(len(world.workers)):
        yield from _worker(world, number, size)
    yield from _sweep(world, size)
    yield from _offers(world, size.off)
    yield from _rollbacks(world, size)
    yield from cuts(world, size)
    yield from mending(world, size)
    yield from latecomers(world, size.off)


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
    for i, (at, asked, _) in enumerate(world.webs):
        again = at in ("asked", "recorded") and world.redis.orders[i].state == "none" and asked != world.epoch
        if (at == "start" or again) and (redis := reserve(world.redis, i, world.epoch, off)):
            sent = _send(world, Record("Requested", i, world.epoch))
            yield from _after(
                f"web: reserves {i}{' once more' if again else ''}", _web(sent, i, Web("asked", world.epoch)), redis
            )
        if at == "recorded" and (redis := confirm(world.redis, i, asked, world.epoch, off)):
            yield from _after(f"web: confirms {i}, the shopper is told yes", _web(world, i, YES), redis)


def _waiters(world: World, size: Size) -> Iterator[Step]:
    """In the draw numbers are by lot, so whoever comes first may have any."""
    for i, web in enumerate(world.webs):
        if web == DOOR:
            yield f"web: {i} joins", _send(_web(world, i, JOINING), Record("Joined", i))
            for number in range(1, size.waiters + 1) if size.draws else ():
                if not _is_taken(world, number):
                    yield from _enters(world, i, number, size.off)
        elif web.at in ("entering", "noted") and web.epoch != world.epoch:  # they were told no, and press again
            yield from _enters(world, i, web.number, size.off)
        elif web.at == "noted" and entered(world.redis, i, size.off):
            yield f"web: {i} is told that they are in the draw", _web(world, i, WAITS)
        elif web == JOINING and i in world.redis.waiting and stands(world.redis, world.epoch, size.off):
            yield f"web: {i} is told that they wait", _web(world, i, WAITS)
        elif web == WAITS and i in world.redis.waiting:
            yield f"web: {i} leaves", _send(_web(world, i, LEFT), Record("Left", i))


def _enters(world: World, i: int, number: int, off: Off) -> Iterator[Step]:
    """Somebody presses while the draw is open. Before that is closed nobody has an order."""
    if world.redis.orders[i].state != "none":
        return
    if redis := enter(world.redis, i, number, world.epoch, off):
        sent = _send(world, Record("Joined", i, number=number))
        enters = _web(sent, i, Web("entering", world.epoch, number))
        yield from _after(f"web: {i} enters with number {number}", enters, redis)


def _is_taken(world: World, number: int) -> bool:
    """Whether a number is somebody's. In truth each name has its own, but which is by lot."""
    return number in world.redis.numbers or number in (
        *(record.number for record in (*world.flying, *world.ledger)),
        *(web.number for web in world.webs),
    )


def _merchant(world: World, off: Off) -> Iterator[Step]:
    redis = world.redis
    for i, web in enumerate(world.webs):
        if not (kind := kind_of(web)):
            continue
        done = redis.orders[i].state == CHANGES[kind]
        again = web.at.startswith("asks") and redis.orders[i].state == "none" and web.epoch != world.epoch
        if web.at.startswith("wants") or again:
            taken = withdraw(redis, i, world.epoch, off) if kind == "Withdrew" else redis
            if taken and redis.signed == world.epoch:
                sent = _send(world, Record(kind, i, world.epoch))
                asks = _web(sent, i, Web(f"asks {kind}", world.epoch))
                yield from _after(f"web: the merchant sends {kind}{' once more' if again else ''}", asks, taken)
        elif web.at.startswith("asks") and done:
            yield f"web: the merchant is told that {kind} is done", _web(world, i, Web(f"made {kind}", 0))


def _payments(world: World) -> Iterator[Step]:
    for i, (state, _) in enumerate(world.redis.orders):
        if state == "pending":
            for kind in ("Paid", "Expired"):
                if Record(kind, i) not in world.flying + _to_come(world):
                    yield f"shop: sends {kind}({i})", _send(world, Record(kind, i))


def _to_come(world: World) -> Ledger:
    """Those records of which it is open yet what they do.

    One that was applied and left an order as it was stands before a Restored, and is sent again behind it.
    """
    return world.ledger if world.redis.cut else world.ledger[world.redis.position :]


def _ledger(world: World, *, twice: bool) -> Iterator[Step]:
    for record in world.flying:
        rest = tuple(other for other in world.flying if other != record)
        after = world._replace(ledger=(*world.ledger, record), flying=rest)
        if record.kind == "Requested" and world.webs[record.order] == Web("asked", record.epoch):
            after = _web(after, record.order, Web("recorded", record.epoch))
        if record.kind == "Joined" and record.number and world.webs[record.order].at == "entering":
            after = _web(after, record.order, world.webs[record.order]._replace(at="noted"))
        again = record.kind == "Requested" and world.redis.orders[record.order].state == "promised"
        again = again or (record.kind == "Joined" and (record.order, record.number) in world.redis.entering)
        yield f"ledger: {'the sweep gets through: ' if again else ''}{record} arrives", after
        if twice and record not in world.ledger:
            yield f"ledger: {record} arrives, not for the last time", after._replace(flying=world.flying)


def _worker(world: World, number: int, size: Size) -> Iterator[Step]:
    redis, worker, off = world.redis, world.workers[number], size.off

    def now(worker: Worker) -> World:
        return world._replace(workers=(*world.workers[:number], worker, *world.workers[number + 1 :]))

    # In each script: "refuse under another epoch than the worker believes". And who has not looked back yet finds that
    # the position was set back, before it applies anything.
    if (worker.epoch != world.epoch and "wepoch" not in off) or (
        worker.epoch == world.epoch and worker.read > redis.position
    ):
        yield "worker: goes back", now(Worker(world.epoch, redis.position, None))
        return
    signing = Record("Signed", NOBODY, world.epoch, redis.signed)
    looked = redis.cut != LOST or "look" in off
    if looked and redis.signed != world.epoch and (world.flying + world.ledger).count(signing) < _enough(size):
        yield f"worker: sends {signing}", _send(world, signing)
    if worker.holds:
        after = worker._replace(holds=None)
        yield from _after(f"worker: does {worker.holds}", now(after), effects(redis, worker.holds, off))
        yield "worker: dies and starts again", now(Worker(world.epoch, redis.position, None))
    elif looked and worker.read < len(world.ledger) and not breaks_a_promise(redis, world.ledger, off):
        record = world.ledger[worker.read]
        ahead = Worker(worker.epoch, worker.read + 1, record if "position" in off else None)
        done = redis._replace(position=ahead.read) if "position" in off else applied(redis, record, worker.read, off)
        if redis.cut != AGAIN:
            done = without_entry(done, record, world.epoch, off)
        yield from _after(f"worker: {'skips past' if ahead.holds else 'applies'} {record}", now(ahead), done)


def _enough(size: Size) -> int:
    """How often a record is sent again that doesn't arrive or help; else there'd be no end. See `reductions.py`."""
    return 2 if size.off - MENDING else 1


def _sweep(world: World, size: Size) -> Iterator[Step]:
    unread = world.ledger if size.off - MENDING else _to_come(world)
    for i, (state, _) in enumerate(world.redis.orders):
        revoked = Record("Revoked", i)
        if is_over(world.redis) and state in PLACED and revoked not in world.flying + _to_come(world):
            yield f"sweep: sends {revoked}", _send(world, revoked)
        if state not in HELD:
            continue
        redis, record = due(world.redis, i, size.off)
        if record not in world.flying and unread.count(record) < _enough(size):
            deed = f"sweep: {'takes' if redis == world.redis else 'marks'} {i}, sends {record}"
            yield from _after(deed, _send(world, record), redis)

    for i, number in world.redis.entering:
        record = Record("Joined", i, number=number)
        if record not in world.flying and unread.count(record) < _enough(size):
            yield f"sweep: sends {record}", _send(world, record)


def _offers(world: World, off: Off) -> Iterator[Step]:
    if offered := offer(world.redis, world.epoch, off):
        redis, record = offered
        yield from _after(f"sweep: offers a unit to {record.order}", _send(world, record), redis)


def _rollbacks(world: World, size: Size) -> Iterator[Step]:
    """Redis restarts, or another takes over: in a new epoch, as it is, as it was, or empty.

    A state is kept only to be used, so one must be taken when there are as many as rollbacks left. What may not happen
    after a cut, `mending.py` tells.
    """
    if not world.rollbacks:
        return
    new = world._replace(epoch=world.epoch + 1, rollbacks=world.rollbacks - 1)
    mended = world.cuts == size.cuts or (
        ledger_knows(world, size.off) and world.redis.cut != LOST and _is_mended(world, size.off)
    )
    for n, redis in enumerate(world.kept if mended else ()):
        yield (
            f"redis: rolls back to {_words(redis)}",
            new._replace(redis=redis, kept=world.kept[:n] + world.kept[n + 1 :]),
        )
    if len(world.kept) < world.rollbacks:
        yield "redis: restarts, having lost nothing", new
        if mended:
            yield "redis: comes back empty", new._replace(redis=empty(size.units, len(world.webs)))


def _is_mended(world: World, off: Off) -> bool:
    """Whether the mending stands in the ledger, and no request from before it waits for its answer yet."""
    number = replay(world.base, world.ledger, off).mended
    epoch = max((record.epoch for record in world.ledger if record.succeeds < 0), default=0)
    return all(mend.number < number or mend.writes == () for mend in world.mends) and not any(
        web.at in ("asked", "recorded") and web.epoch < epoch for web in world.webs
    )


def _words(redis: Redis) -> str:
    orders = ", ".join(f"{state}@{epoch}" if epoch else state for state, epoch in redis.orders)
    return f"stock {redis.stock}, orders {orders}, signed {redis.signed}, position {redis.position}"


def is_quiet(deeds: list[str]) -> bool:
    """Whether the machinery rests: only shoppers or disaster could do something, or a slow record of theirs arrive.

    What the sweep sends gets through at last, for it sends it again and again.
    """
    optional = (
        "web:",
        "shop:",
        "redis:",
        "broker:",
        "late:",
        "ledger: Requested",
        "ledger: Paid",
        "ledger: Expired",
        "ledger: Joined",
        *(f"ledger: {kind}" for kind in CHANGES),
        "ledger: Left",
    )
    return all(deed.startswith(optional) for deed in deeds)

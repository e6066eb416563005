"""The ledger is cut, and mended: what the broker, the worker and those that were slow can do then.

A cut takes the end of the ledger away, of any length: records that were acknowledged, read or not. Nobody is told; new
records come to stand at the same offsets. What must survive it, and what can't:

- A cut alone, at any time, loses nothing, whatever else happens meanwhile and whoever dies while he mends.
- Redis may lose nothing while the ledger lacks something: from the cut until its mending stands in the ledger (where
  Redis is known to be ahead), or until what was promised stands there again (where it isn't). It may restart as it is
  at any time: a new epoch begins also when another partition is mended, for they share one Redis. Behind the mending it
  may roll back as ever, also to a state from before the cut, when no request from before waits for its answer any more.
- A second cut may come before the first is mended, and take the mending along, but not a part of it, and not while
  Redis reads it: that would be to lose what Redis has just forgotten for its sake.
- A cut may come as soon as Redis knows by itself of every yes, so also while it reads on behind a rollback.

What is excluded is one thing only, then: the ledger and Redis both losing the same.
"""

from collections.abc import Iterable, Iterator

from .invariants import replay
from .world import (
    AGAIN,
    HELD,
    KEPT,
    LOST,
    NOBODY,
    WHOLE,
    Ledger,
    Mend,
    Off,
    Record,
    Redis,
    Size,
    Step,
    World,
    applied,
    kind_of,
    relied_on,
    waits,
)


def cuts(world: World, size: Size) -> Iterator[Step]:
    """The ledger loses its end, if Redis knows of every order that somebody relies on.

    A worker may have read of it what is lost. What Redis had applied by then can't do anything while it is read twice.
    """
    redis = world.redis
    entering = {i for i, _ in redis.entering}
    known = all(i in redis.waiting or i in entering or redis.orders[i].state in KEPT for i in waits(world))
    if not world.cuts or not known or not all(_stands(world, i) for i in relied_on(world)):
        return
    for end in range(len(world.ledger)):
        if replay(world.base, world.ledger[:end], size.off).signed < 0:
            continue
        after = world._replace(
            ledger=world.ledger[:end],
            cuts=world.cuts - 1,
            redis=_marked(world.redis, end),
            kept=tuple(_marked(redis, end) for redis in world.kept),
            workers=tuple(worker._replace(read=min(worker.read, end)) for worker in world.workers),
        )
        yield f"broker: loses all from {end} on", after
        first = end if "close" in size.off else max(end, world.redis.position)
        if size.slow and first < len(world.ledger):
            late = (first, world.epoch, world.ledger[first:])
            yield f"broker: loses all from {end} on, a slow worker has read it", after._replace(late=late)


def _stands(world: World, i: int) -> bool:
    state = world.redis.orders[i].state
    return state in KEPT or state == "promised"


def _marked(redis: Redis, end: int) -> Redis:
    return redis._replace(cut=LOST) if redis.position > end and redis.cut == WHOLE else redis


def mending(world: World, size: Size) -> Iterator[Step]:
    """What workers do who see that the ledger was cut. One may die between any two steps, and another begin anew."""
    off, redis = size.off, world.redis
    # to have read to the end without a Mending means that another cut took it
    taken_too = redis.cut == AGAIN and redis.position >= len(world.ledger)
    lost = redis.cut == LOST or taken_too or breaks_a_promise(redis, world.ledger, off)
    alive = any(mend.epoch == world.epoch for mend in world.mends)
    if lost and "look" not in off and (not alive or world.deaths):
        began = Mend(world.epoch + ("close" not in off))
        after = world._replace(epoch=began.epoch, deaths=world.deaths - alive, redis=redis._replace(cut=LOST))
        yield f"worker: sees the cut, begins epoch {began.epoch}", with_mends(after, (*world.mends, began))
    for mend in world.mends:
        others = tuple(other for other in world.mends if other is not mend)
        if mend.writes:
            record, *rest = mend.writes
            after = world._replace(ledger=(*world.ledger, record))
            who = "ledger: the mending's" if mend.epoch == world.epoch else "late:"
            yield f"{who} {record} arrives", with_mends(after, (*others, mend._replace(writes=tuple(rest))))
        elif mend.epoch == world.epoch and mend.writes is None:
            if "whole" not in off and _is_mended(redis, world.ledger):
                yield "worker: finds a mending", with_mends(world, (*others, mend._replace(writes=())))
            else:
                number = max(redis.begun, redis.mended) + 1
                wrote = mend._replace(number=number, writes=_written(world, mend.epoch, number, off))
                after = world._replace(redis=redis._replace(begun=number))
                yield f"worker: begins mending {number}, writes what Redis knows", with_mends(after, (*others, wrote))
        elif mend.epoch == world.epoch:
            again = redis._replace(cut=AGAIN, position=0)
            yield "worker: reads again from the start", world._replace(mends=others, redis=again)


def _is_mended(redis: Redis, ledger: Ledger) -> bool:
    """Whether the ledger's last mending stands there whole, and Redis neither has read it nor knows of one begun later.

    Redis rolled back to before it, then, or who wrote it has died. To follow it by another would be to forget what was
    promised since.
    """
    number, mark, whole = redis.mended, 0, False
    for record in ledger:
        if record.kind == "Mending" and record.number > number:
            number, mark, whole = record.number, record.epoch, False
        elif record.kind == "Signed" and record.succeeds == mark < 0:
            whole = True
    return whole and number >= redis.begun


def breaks_a_promise(redis: Redis, ledger: Ledger, off: Off) -> bool:
    """Whether the next record would free a reservation whose shopper was told yes."""
    if "unread" in off or redis.cut or redis.position >= len(ledger):
        return False
    record = ledger[redis.position]
    counts = record.kind == "Signed" and record.succeeds == redis.signed
    return counts and any(state == "promised" for state, _ in redis.orders)


def with_mends(world: World, mends: Iterable[Mend]) -> World:
    """The world with these mendings, without those that can't do anything any more."""
    kept = (mend for mend in mends if mend.writes or mend.epoch == world.epoch)
    return world._replace(mends=tuple(sorted(kept, key=lambda mend: mend.number)))


def _written(world: World, epoch: int, number: int, off: Off) -> tuple[Record, ...]:
    """A Mending, Restored for every order, and a Signed. A reservation becomes an order: it may have been promised.

    Units that are being withdrawn are promised to nobody, and go back.
    """
    redis = world.redis
    mark = -(epoch * 10 + number)
    known = (
        (i, "pending" if state in HELD else state)
        for i, (state, _) in enumerate(redis.orders)
        if state != "none" and not (state in HELD and kind_of(world.webs[i]))
    )
    return (
        Record("Mending", NOBODY, mark, number=number, units=redis.num),
        *(Record("Restored", i, mark, state=state) for i, state in known if "restore" not in off),
        *(
            Record("Joined", i, number=number)
            for i, number in zip(redis.waiting, redis.numbers, strict=True)
            if redis.orders[i].state not in HELD and "restore" not in off
        ),
        Record("Signed", NOBODY, epoch, mark),
    )


def latecomers(world: World, off: Off) -> Iterator[Step]:
    """A slow worker applies the next record of those that it read before the cut."""
    if world.late is None or (world.late[1] != world.epoch and "wepoch" not in off):
        return
    offset, epoch, (record, *rest) = world.late
    redis = applied(world.redis, record, offset, off)
    if redis != world.redis:
        redis = redis._replace(cut=redis.cut or LOST)
    after = world._replace(redis=redis, late=(offset + 1, epoch, tuple(rest)) if rest else None)
    yield f"late: a slow worker applies {record}, which the ledger lost", after

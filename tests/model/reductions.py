"""Worlds that can't differ in anything that matters, made equal, so that the search need not visit them twice.

Each reduction is sound for the protocol with all safeguards on, because it rests only on facts that `invariants.py`
checks in every state before the world is reduced (chiefly: at each position, Redis is what a replay gives there, plus
unrecorded reservations; where the ledger was cut, once its mending has been read). With a safeguard off that they rest
upon, only the last one, the symmetry, is used. The tests search small worlds without any reduction, and find the same.

- **A record that does nothing** in a replay does nothing in any Redis that reaches its offset, so it needn't be in the
  ledger. As order states never return and a chain of Signed never returns to a link, such a record does nothing if it
  arrives later or again either, so it needn't be in flight (save for a Requested whose web process waits to hear that
  it arrived, and where a cut may bring a former state back). This covers every duplicate of every record, save of
  Joined and Left, since one may wait more than once.
- **Workers.** A script does nothing under another epoch than its worker's, and nothing below the position; within an
  epoch no worker has read beyond the position. So all that any number of workers, slow, dying or restarting, can do to
  Redis is what one can that stands at the position in the epoch in force.
- **The applied past.** Without rollbacks to come nobody reads a record below the position again; what a replay makes of
  them is known (it is Redis without its reservations), and becomes the base from which the rest is replayed.
- **Kept states.** One that is Redis's present state needn't be kept yet: it can be just before Redis changes. Their
  order is nobody's business.
- **A mending.** While the ledger is cut, Redis does nothing of what it reads up to a Mending, and a replay forgets it;
  so nothing before the first Mending that counts matters. Nor does a record between a Mending and its order's Restored,
  which puts the order where it was. What a mending that was given up has yet to write is void for good when a later
  Mending, or the Signed behind its own, stands in the ledger.
- **Symmetry.** Shoppers differ by their number only: they're sorted by all that is known of each.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from .invariants import replay
from .world import (
    AGAIN,
    HELD,
    LOST,
    NOBODY,
    NONE,
    Ledger,
    Mend,
    Off,
    Order,
    Record,
    Redis,
    Worker,
    World,
    effects,
    empty,
)

# These reductions rest upon.
NEEDED: Off = frozenset({"tomb", "wepoch", "position", "chain", "close", "clear", "number", "taken", "change", "once"})

WAITING = frozenset({"Joined", "Left"})  # what these do depends on when they come: one may wait, leave and wait again

LOST_EPOCH = -1  # one that no record carries
ShopperKey = tuple[object, ...]


def reduced(world: World, off: Off) -> World:
    """The one world that stands for all that are like this one."""
    if not off & NEEDED:
        if world.late and world.late[1] != world.epoch:
            world = world._replace(late=None)
        world = _without_void(world, off)
        if not (world.late or any(redis.cut for redis in world.kept)) and (_is_alone(world) or not _is_cut(world)):
            world = _without_idle_records(world, off)
        if world.redis.position and not world.redis.cut and _is_alone(world):
            world = _without_past(world, off)
        if world.redis.signed < 0 and not world.redis.cut and _is_alone(world):
            world = _not_known_yet(world)
        if world.kept:
            world = world._replace(kept=tuple(sorted((k for k in world.kept if k != world.redis), key=_kept_key)))
        world = world._replace(workers=(Worker(world.epoch, world.redis.position, None),))
    return _sorted(world)


def _without_void(world: World, off: Off) -> World:
    truth = replay(world.base, world.ledger, off)
    if "behind" not in off and any(_is_void(mend, world.epoch, truth) for mend in world.mends):
        world = world._replace(mends=tuple(m for m in world.mends if not _is_void(m, world.epoch, truth)))
    if not _is_alone(world) or not _is_cut(world):
        return world
    if world.redis.cut:
        first = 0
        for record in world.ledger:
            if record.kind == "Mending" and record.number > world.redis.mended:
                break
            first += 1
        nothing = empty(world.base.num, len(world.webs))
        position = max(world.redis.position - first, 0) if world.redis.cut == AGAIN else 0
        redis = world.redis._replace(position=position)
        world = world._replace(base=nothing, ledger=world.ledger[first:], redis=redis)
    stay = _not_overwritten(world)
    return world if all(stay) else _left_out(world, stay)


def _is_alone(world: World) -> bool:
    """Whether Redis and a cut ledger stay as they are, so that nobody reads twice."""
    return not (world.rollbacks or world.cuts or world.late)


def _is_cut(world: World) -> bool:
    return bool(world.redis.cut or world.mends or world.redis.signed < 0)


def _not_overwritten(world: World) -> list[bool]:
    """For each record of the ledger whether it is no more than overtaken by the Restored of its order."""
    stay, restored = [True] * len(world.ledger), {(r.order, r.epoch) for m in world.mends for r in m.writes or ()}
    for n in range(len(world.ledger) - 1, -1, -1):
        if world.ledger[n].kind == "Restored":
            restored.add((world.ledger[n].order, world.ledger[n].epoch))
    mark = 0
    for n, record in enumerate(world.ledger):
        if record.kind == "Restored":
            restored.discard((record.order, record.epoch))
        elif record.order == NOBODY:
            mark = record.epoch
        elif record.kind not in WAITING:
            stay[n] = (record.order, mark) not in restored
    return stay


def _not_known_yet(world: World) -> World:
    """With no trace in Redis, which reads behind a Mending, of what came in front of an order's Restored."""
    ahead = {
        r.order for r in world.ledger[world.redis.position :] if (r.kind, r.epoch) == ("Restored", world.redis.signed)
    }

    def without(redis: Redis) -> Redis:
        return redis._replace(orders=tuple(NONE if i in ahead else order for i, order in enumerate(redis.orders)))

    return world._replace(redis=without(world.redis), base=without(world.base)) if ahead else world


def _left_out(world: World, stay: Sequence[bool]) -> World:
    moved = (0, *accumulate(stay))
    return world._replace(
        ledger=tuple(record for record, stays in zip(world.ledger, stay, strict=True) if stays),
        redis=world.redis._replace(position=moved[world.redis.position]),
        kept=tuple(redis._replace(position=moved[redis.position]) for redis in world.kept),
    )


def _is_void(mend: Mend, epoch: int, truth: Redis) -> bool:
    """Whether nothing that a worker who was turned away wrote counts any more, however late it arrives."""
    if mend.epoch == epoch or not mend.writes:
        return False
    record = mend.writes[0]
    if record.kind == "Mending":
        return record.number <= truth.mended
    return truth.signed != (record.epoch if record.kind == "Restored" else record.succeeds)


def _without_idle_records(world: World, off: Off) -> World:
    last = replay(world.base, world.ledger, off)
    if world.redis.cut == LOST:
        # what comes in front of its Restored is overwritten; so it matters what it does behind
        pending = Order("pending", 0)
        orders = tuple(pending if order.state in HELD else order for order in world.redis.orders)
        last = world.redis._replace(orders=orders, signed=LOST_EPOCH)
    flying = tuple(
        record
        for record in world.flying
        if world.cuts
        or record.kind in WAITING
        or effects(last, record, off) != last
        or (record.kind == "Requested" and world.webs[record.order].at == "asked")
    )
    stay = _not_idle(world.base, world.ledger, off)
    if not all(stay):
        world = _left_out(world, stay)
    return world if flying == world.flying else world._replace(flying=flying)


@lru_cache(maxsize=1 << 20)
def _not_idle(base: Redis, ledger: Ledger, off: Off) -> tuple[bool, ...]:
    if not ledger:
        return ()
    before = replay(base, ledger[:-1], off)
    does = ledger[-1].kind in WAITING or effects(before, ledger[-1], off) != before
    return (*_not_idle(base, ledger[:-1], off), does)


def _without_past(world: World, off: Off) -> World:
    position = world.redis.position
    base = replay(world.base, world.ledger[:position], off)._replace(position=0)
    return world._replace(base=base, ledger=world.ledger[position:], redis=world.redis._replace(position=0))


def _kept_key(redis: Redis) -> tuple[object, ...]:
    return redis.position, redis.signed, redis.stock, redis.num, sorted(redis.orders), len(redis.waiting)


def _sorted(world: World) -> World:
    shoppers = range(len(world.webs))
    keys = [_known_of(world, i) for i in shoppers]
    order = sorted(shoppers, key=keys.__getitem__)
    if order == list(shoppers):
        return world
    name = {old: new for new, old in enumerate(order)} | {NOBODY: NOBODY}

    def renamed(record: Record) -> Record:
        return record if record.order == NOBODY else record._replace(order=name[record.order])

    def reordered(redis: Redis) -> Redis:
        waiting = tuple(name[i] for i in redis.waiting)
        entering = tuple(sorted((name[i], number) for i, number in redis.entering))
        return redis._replace(orders=tuple(redis.orders[i] for i in order), waiting=waiting, entering=entering)

    return world._replace(
        redis=reordered(world.redis),
        ledger=tuple(map(renamed, world.ledger)),
        flying=tuple(sorted(map(renamed, world.flying))),
        webs=tuple(world.webs[i] for i in order),
        workers=tuple(w._replace(holds=w.holds and renamed(w.holds)) for w in world.workers),
        kept=tuple(map(reordered, world.kept)),
        base=reordered(world.base),
        mends=tuple(m._replace(writes=m.writes and tuple(map(renamed, m.writes))) for m in world.mends),
        late=world.late and (*world.late[:2], tuple(map(renamed, world.late[2]))),
    )


def _place(redis: Redis, i: int) -> int:
    return redis.waiting.index(i) if i in redis.waiting else -1


def _known_of(world: World, i: int) -> ShopperKey:
    return (
        world.webs[i],
        world.redis.orders[i],
        world.base.orders[i],
        tuple(redis.orders[i] for redis in world.kept),
        tuple(_place(redis, i) for redis in (world.redis, world.base, *world.kept)),
        tuple(any(one == i for one, _ in redis.entering) for redis in (world.redis, *world.kept)),
        tuple((n, r.kind, r.state) for n, r in enumerate(world.ledger) if r.order == i),
        tuple((r.kind, r.epoch) for r in world.flying if r.order == i),
        tuple(w.holds is not None and w.holds.order == i for w in world.workers),
        tuple((m, n, r.state) for m, w in enumerate(world.mends) for n, r in enumerate(w.writes or ()) if r.order == i),
        tuple((n, r.kind) for n, r in enumerate(world.late[2]) if r.order == i) if world.late else (),
    )

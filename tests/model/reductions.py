"""Worlds that can't differ in anything that matters, made equal, so that the search need not visit them twice.

Each reduction is sound for the protocol with all safeguards on, because it rests only on facts that `invariants.py`
checks in every state before the world is reduced (chiefly: at each position, Redis is what a replay gives there, plus
unrecorded reservations). With a safeguard off that they rest upon, only the last one, the symmetry, is used. The tests
search small worlds without any reduction, and find the same.

- **A record that does nothing** in a replay does nothing in any Redis that reaches its offset, so it needn't be in the
  ledger. As order states never return and a chain of Signed never returns to a link, such a record does nothing if it
  arrives later or again either, so it needn't be in flight (save for a Requested whose web process waits to hear that
  it arrived). This covers every duplicate of every record.
- **Workers.** A script does nothing under another epoch than its worker's, and nothing below the position; within an
  epoch no worker has read beyond the position. So all that any number of workers, slow, dying or restarting, can do to
  Redis is what one can that stands at the position in the epoch in force.
- **The applied past.** Without rollbacks to come nobody reads a record below the position again; what a replay makes of
  them is known (it is Redis without its reservations), and becomes the base from which the rest is replayed.
- **Kept states.** One that is Redis's present state needn't be kept yet: it can be just before Redis changes. Their
  order is nobody's business.
- **Symmetry.** Shoppers differ by their number only: they're sorted by all that is known of each.
"""

from functools import lru_cache

from .invariants import replay
from .steps import Worker, World
from .world import NOBODY, Ledger, Off, Record, Redis, effects

# These reductions rest upon.
NEEDED: Off = frozenset({"tomb", "wepoch", "position", "chain"})

ShopperKey = tuple[object, ...]


def reduced(world: World, off: Off) -> World:
    """The one world that stands for all that are like this one."""
    if not off & NEEDED:
        world = _without_idle_records(world, off)
        if world.kept:
            world = world._replace(kept=tuple(sorted((k for k in world.kept if k != world.redis), key=_kept_key)))
        if not world.rollbacks and world.redis.position:
            world = _without_past(world, off)
        world = world._replace(workers=(Worker(world.epoch, world.redis.position, None),))
    return _sorted(world)


def _without_idle_records(world: World, off: Off) -> World:
    truth, moved = replay(world.base, world.ledger, off), _moved(world.base, world.ledger, off)
    flying = tuple(
        record
        for record in world.flying
        if effects(truth, record, off) != truth
        or (record.kind == "Requested" and world.webs[record.order].at == "asked")
    )
    if moved[-1] < len(world.ledger):
        world = world._replace(
            ledger=tuple(record for n, record in enumerate(world.ledger) if moved[n] < moved[n + 1]),
            redis=world.redis._replace(position=moved[world.redis.position]),
            kept=tuple(redis._replace(position=moved[redis.position]) for redis in world.kept),
        )
    return world if flying == world.flying else world._replace(flying=flying)


@lru_cache(maxsize=1 << 20)
def _moved(base: Redis, ledger: Ledger, off: Off) -> tuple[int, ...]:
    """Where each position comes to stand when the idle records are left out."""
    if not ledger:
        return (0,)
    moved, before = _moved(base, ledger[:-1], off), replay(base, ledger[:-1], off)
    return (*moved, moved[-1] + (effects(before, ledger[-1], off) != before))


def _without_past(world: World, off: Off) -> World:
    position = world.redis.position
    base = replay(world.base, world.ledger[:position], off)._replace(position=0)
    return world._replace(base=base, ledger=world.ledger[position:], redis=world.redis._replace(position=0))


def _kept_key(redis: Redis) -> tuple[object, ...]:
    return redis.position, redis.signed, redis.stock, sorted(redis.orders)


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
        return redis._replace(orders=tuple(redis.orders[i] for i in order))

    return World(
        redis=reordered(world.redis),
        epoch=world.epoch,
        ledger=tuple(map(renamed, world.ledger)),
        flying=tuple(sorted(map(renamed, world.flying))),
        webs=tuple(world.webs[i] for i in order),
        workers=tuple(w._replace(holds=w.holds and renamed(w.holds)) for w in world.workers),
        kept=tuple(map(reordered, world.kept)),
        rollbacks=world.rollbacks,
        base=reordered(world.base),
    )


def _known_of(world: World, i: int) -> ShopperKey:
    return (
        world.webs[i],
        world.redis.orders[i],
        world.base.orders[i],
        tuple(redis.orders[i] for redis in world.kept),
        tuple((n, r.kind) for n, r in enumerate(world.ledger) if r.order == i),
        tuple((r.kind, r.epoch) for r in world.flying if r.order == i),
        tuple(w.holds is not None and w.holds.order == i for w in world.workers),
    )

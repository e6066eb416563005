"""What must hold in every state of the world, and what a replay of the ledger makes of each order."""

from functools import lru_cache

from .world import (
    ENDED,
    HELD,
    KEPT,
    LIVE,
    LOST,
    PLACED,
    WHOLE,
    Ledger,
    Off,
    Redis,
    World,
    applied,
    is_over,
    kind_of,
    relied_on,
    told_yes,
    waits,
)

RETURNED = (("expired", "refund"), ("paid", "refund"))
"""How an order may leave the state in which it ended: money came too late, or is given back."""


@lru_cache(maxsize=1 << 20)
def replay(base: Redis, ledger: Ledger, off: Off) -> Redis:
    """What the ledger alone says, whatever any Redis did meanwhile."""
    if not ledger:
        return base
    return applied(replay(base, ledger[:-1], off), ledger[-1], len(ledger) - 1, off)


def harm(world: World, *, cut: bool, quiet: bool = False) -> str | None:
    """What somebody suffers in this world, in a sentence, or None.

    `cut`: the ledger was; then a yes may stand in Redis alone for a while. `quiet`: the machinery rests.
    """
    redis = world.redis
    if redis.stock < 0 or (redis.cut == WHOLE and any(state == "short" for state, _ in redis.orders)):
        return "oversold: a replay ran out of stock"
    if redis.stock + _live(redis) != redis.num:
        return f"{redis.stock} in stock + {_live(redis)} live orders is not {redis.num}"
    if (
        redis.signed >= 0 <= world.base.signed
        and redis.cut == WHOLE
        and _opened_with(redis) != _opened_with(world.base)
    ):
        return f"the merchant's changes make the sale's units {redis.num}"
    if _has_read_all(world) and (redis.signed == world.epoch or quiet):
        for i in told_yes(world):
            state = redis.orders[i].state
            if state not in KEPT and not (cut and state == "promised" and not quiet):
                return f"shopper {i} was told yes; the order is {state}"
    return _left_behind(world) if quiet else None


def _left_behind(world: World) -> str | None:
    redis = world.redis
    if redis.signed != world.epoch:
        return "the sale is stuck: nothing more happens, and it isn't signed"
    if redis.entering:
        return f"{redis.entering} enter the draw for ever"
    if any(state in HELD for state, _ in redis.orders):
        return "a unit leaked: nothing more happens, and a reservation stands"
    if is_over(redis):
        return "an order of a sale that was called off stands" if any(s in PLACED for s, _ in redis.orders) else None
    if redis.stock and any(redis.orders[i].state == "none" for i in redis.waiting):  # see world.offer
        return "a unit lies there, though somebody waits"
    return None


def unlike_a_replay(world: World, off: Off, *, cut: bool) -> str | None:
    """Where Redis and a replay of the ledger disagree, or where the ledger itself breaks a promise; None if nowhere.

    At each position, Redis is what a replay gives there, plus reservations that aren't recorded yet; these are of the
    signed epoch. Where the ledger was cut, this holds again when its mending has been read.
    """
    redis = world.redis
    if redis.cut != WHOLE:
        return None
    again = replay(world.base, world.ledger[: redis.position], off)
    for i, (live, replayed) in enumerate(zip(redis.orders, again.orders, strict=True)):
        if live != replayed and (live.state not in HELD or replayed.state != "none"):
            return f"order {i} is {live.state}; a replay makes it {replayed.state}"
        if live.state in HELD and live.epoch != redis.signed:
            return f"order {i} is {live.state} since epoch {live.epoch}; signed is {redis.signed}"
    for what in ("waiting", "numbers", "num", "signed"):
        here, there = getattr(redis, what), getattr(again, what)
        if here != there:
            return f"{what} is {here}; in a replay it is {there}"
    return _broken_by_the_ledger(world, replay(world.base, world.ledger, off), cut=cut)


def _broken_by_the_ledger(world: World, truth: Redis, *, cut: bool) -> str | None:
    """By the whole ledger, read or not, no unit is sold twice, a yes is kept, and money is for a placed order."""
    if truth.stock < 0:
        return "oversold by the ledger itself"
    for i in relied_on(world):
        promised = cut and world.redis.orders[i].state == "promised"
        if truth.orders[i].state not in KEPT and not promised:
            return f"shopper {i} was told yes, or paid; the ledger makes the order {truth.orders[i].state}"
    for i in waits(world):
        here = {*world.redis.waiting, *(one for one, _ in world.redis.entering)}
        if i not in truth.waiting and truth.orders[i].state not in KEPT and not (cut and i in here):
            return f"shopper {i} was told that they wait; the ledger knows nothing of it"
    return None


def went_back(before: World, after: World) -> str | None:
    """Which order left the state in which it had ended, though nothing was rolled back, and nothing is being mended."""
    now, then = after.redis, before.redis
    if before.epoch != after.epoch or now.cut != WHOLE or then.cut != WHOLE or then.signed < 0 or now.signed < 0:
        return None
    for i, (old, new) in enumerate(zip(then.orders, now.orders, strict=True)):
        if old != new and old.state in ENDED and (old.state, new.state) not in RETURNED:
            return f"order {i} was {old.state} and is {new.state}"
    return None


def unfair(before: World, after: World) -> str | None:
    """Who got a unit although somebody else waits, or waits on although they have one."""
    for i in after.redis.waiting:
        if after.redis.orders[i].state in PLACED:
            return f"shopper {i} has an order, and waits on"
    for i, (old, new) in enumerate(zip(before.redis.orders, after.redis.orders, strict=True)):
        took = (old.state, new.state) == ("none", "reserved") and before.epoch == after.epoch
        if took and before.redis.waiting and i not in before.redis.waiting and not kind_of(before.webs[i]):
            return f"shopper {i} got a unit, although {before.redis.waiting} wait"
        entering = [one for one, _ in before.redis.entering if one != i and one in set(waits(before))]
        if took and entering and i not in before.redis.waiting and not kind_of(before.webs[i]):
            return f"shopper {i} got a unit, although {entering} are in the draw"
        if took and i in before.redis.waiting and (passed := _passed_over(before, i)):
            return f"shopper {i} got a unit before {passed} had their turn, who are in the draw in front"
    return None


def _passed_over(world: World, i: int) -> list[int]:
    """Those who were told that they are in the draw, with a less number, and aren't on the waitlist."""
    redis = world.redis
    number = redis.numbers[redis.waiting.index(i)]
    told = set(waits(world))
    return [
        one for one, its in redis.entering if one in told and one not in redis.waiting and 0 < its < (number or its + 1)
    ]


def ledger_knows(world: World, off: Off) -> bool:
    """Whether the ledger alone knows of every order that somebody relies on."""
    truth = replay(world.base, world.ledger, off)
    return all(truth.orders[i].state in KEPT for i in relied_on(world)) and all(
        i in truth.waiting or truth.orders[i].state in KEPT for i in waits(world)
    )


def _live(redis: Redis) -> int:
    return sum(state in LIVE for state, _ in redis.orders)


def _opened_with(redis: Redis) -> int:
    """How many units the sale had before its merchant's changes."""
    states = [state for state, _ in redis.orders]
    return redis.num + states.count("withdrawn") - states.count("restocked")


def _has_read_all(world: World) -> bool:
    read_all = world.redis.position == len(world.ledger) and not any(worker.holds for worker in world.workers)
    return read_all and world.redis.cut != LOST

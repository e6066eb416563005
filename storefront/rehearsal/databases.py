"""Databases of the shop's Redis for its shadow: found empty, marked while they are used, emptied afterwards.

Whatever holds a key that isn't known to be a rehearsal's is never touched. A mark tells whose the keys beside it are,
so the next rehearsal knows what one left that was killed.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from storefront.config import Config, other_database
from storefront.local.settings import without_password
from storefront.rehearsal.faults import CannotRehearse
from storefront.stores.connection import SENTINEL, connect

MARK = "rehearsal"
"""String: in each database that a rehearsal uses, which one (a ``Mark`` as JSON)."""

ALIVE = "rehearsal:alive"
"""String with expiry: that rehearsal still runs."""

ALIVE_FOR = 15
"""Seconds for which that is believed: it is told three times as often."""

MOST = 15
"""The highest database that is tried. Redis has sixteen unless it is told otherwise."""

SCHEMES = ("redis://", "rediss://", "unix://", SENTINEL)
TIMEOUT = 5.0
ROW = 1000
"""Keys that are removed in one round trip."""


@dataclass(frozen=True)
class Mark:
    """Of a rehearsal: its ``run``, and the ``folder`` on ``host`` that holds its logs."""

    run: str
    host: str
    folder: str


@contextmanager
def _connected(url: str) -> Iterator[Redis]:
    redis = connect(url, decode_responses=True, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
    try:
        yield redis
    finally:
        redis.close()


def is_redis(url: str) -> bool:
    """Whether a setting names a Redis: the limits may be counted in memory."""
    return url.startswith(SCHEMES)


def servers(config: Config) -> set[str]:
    """The Redis databases that the shop uses, by address."""
    return {url for url in (config.redis_url, config.limiter_url, config.rq_url) if is_redis(url)}


def _numbers(config: Config) -> Iterator[int]:
    """The databases that may be the shadow's, the last in front. Those that the shop names never are."""
    named = {_number(url) for url in servers(config)}
    return (number for number in range(MOST, 0, -1) if number not in named)


def _number(url: str) -> int:
    with _connected(url) as redis:
        return int(redis.connection_pool.connection_kwargs.get("db") or 0)


def claim(config: Config, url: str, mark: Mark) -> str:
    """The address of an empty database of the Redis at ``url``, which is marked from now on. Raises CannotRehearse."""
    told = ""
    for number in _numbers(config):
        address = other_database(url, number)
        with _connected(address) as redis:
            try:
                if _claimed(redis, mark):
                    return address
            except ResponseError as fault:  # there is no database of this number
                told = f" It said: {fault}."
    raise CannotRehearse(
        f"The Redis at {without_password(url)} has no empty database among 1 to {MOST} for the rehearsal.{told} "
        "Empty one, or rehearse on a Redis that has one (Redis Cluster has a single database)."
    )


def _claimed(redis: Redis, mark: Mark) -> bool:
    if redis.dbsize() or not redis.set(MARK, json.dumps(asdict(mark)), nx=True):
        return False
    if redis.dbsize() == 1:
        redis.set(ALIVE, mark.run, ex=ALIVE_FOR)
        return True
    redis.delete(MARK)  # somebody else came at the same moment
    return False


def stay_alive(addresses: list[str], mark: Mark) -> None:
    """Tell that the rehearsal still runs. Raises RedisError."""
    for address in addresses:
        with _connected(address) as redis:
            redis.set(ALIVE, mark.run, ex=ALIVE_FOR)


def wipe(address: str) -> int:
    """Remove every key of a database that is marked, the mark last. Returns how many there were. Raises RedisError.

    Key by key, so that it takes no right that the shop hasn't: FLUSHDB is forbidden in many places.
    """
    removed = 0
    with _connected(address) as redis:
        if not redis.exists(MARK):
            return 0
        doomed = (key for key in redis.scan_iter(count=ROW) if key not in (MARK, ALIVE))
        while row := list(islice(doomed, ROW)):
            removed += int(redis.unlink(*row))
        redis.unlink(ALIVE, MARK)
    return removed


def left_behind(config: Config, say: Callable[[str], None]) -> dict[str, Mark]:
    """The databases that a rehearsal left which was killed, by address.

    Raises CannotRehearse while another one runs; one that was just killed looks the same, so that takes some seconds.
    """
    deadline, waiting = time.monotonic() + ALIVE_FOR + 1, False
    while True:
        marked = _marked(config)
        alive = [address for address in marked if _is_alive(address)]
        if not alive:
            return marked
        if time.monotonic() > deadline:
            raise CannotRehearse(
                f"Another rehearsal of this shop is under way, on {without_password(alive[0])}. Wait for its end: two "
                "at once would measure each other."
            )
        if not waiting:
            waiting = True
            say(f"Another rehearsal runs, or was killed just now: looking again for {ALIVE_FOR} seconds …")
        time.sleep(1)


def _marked(config: Config) -> dict[str, Mark]:
    found: dict[str, Mark] = {}
    for url in servers(config):
        for number in _numbers(config):
            address = other_database(url, number)
            with _connected(address) as redis:
                try:
                    text = redis.get(MARK)
                except ResponseError:  # no such database, or a key of that name that is somebody else's
                    continue
            if text and (mark := _read(str(text))):
                found[address] = mark
    return found


def _read(text: str) -> Mark | None:
    try:
        return Mark(**json.loads(text))
    except (TypeError, ValueError):
        return None


def _is_alive(address: str) -> bool:
    with _connected(address) as redis:
        return bool(redis.exists(ALIVE))


def room(url: str, needed: int) -> None:
    """Raise CannotRehearse if a Redis with a limit on its memory has less than ``needed`` bytes left of it."""
    with _connected(url) as redis:
        try:
            told = redis.info("memory")
        except RedisError:  # one that doesn't tell: nothing can be said
            return
    most, used = int(told.get("maxmemory", 0)), int(told.get("used_memory", 0))
    if most and used + needed > most:
        raise CannotRehearse(
            f"The Redis at {without_password(url)} has {max(0, most - used) // 2**20} MiB left and the rehearsal needs "
            f"some {needed // 2**20} MiB: rehearse with fewer shoppers, or give it more memory (maxmemory)."
        )

"""Counting for limits: in Flask-Limiter's storage, which all processes share, and before that in this process.

What allows many requests is counted here, and the storage is told of many requests at once; what comes back are the
counts of all processes.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from limits import RateLimitItem
from limits.storage import RedisStorage, Storage

from storefront.stores.scripts import Scripts

EVERY = 0.1
"""Seconds between two rounds in which the storage is told."""

MOST = 100_000
"""Counts of a limit that are kept at most. Those of so many askers, the newest, are never forgotten before they end."""

ROW = 1000
"""Counts that are told in one call, during which Redis does nothing else."""


class Counters:
    """The counts of a storage, raised many at a time."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._scripts = Scripts(storage.storage) if isinstance(storage, RedisStorage) else None

    @property
    def are_shared(self) -> bool:
        """Whether other processes see them."""
        return self._scripts is not None

    def name(self, limit: RateLimitItem, *whose: str) -> str:
        """What the storage calls the counter of a limit."""
        key = limit.key_for(*whose)
        return str(self.storage.prefixed_key(key)) if isinstance(self.storage, RedisStorage) else key

    def add(self, added: Iterable[tuple[str, int, int]]) -> list[tuple[int, float]]:
        """Add to counters: name, how many, seconds until it begins anew. Returns counts, and seconds left."""
        added = list(added)
        if self._scripts is None:
            now = time.time()
            return [
                (self.storage.incr(name, seconds, amount=number), self.storage.get_expiry(name) - now)
                for name, number, seconds in added
            ]
        numbers = [bound for _, number, seconds in added for bound in (number, seconds)]
        told = self._scripts.run("tell", [name for name, _, _ in added], numbers)
        return [(count, left / 1000) for count, left in zip(told[::2], told[1::2], strict=True)]

    def take_back(self, names: Iterable[str]) -> None:
        """Count one less at each of these counters, unless it has begun anew meanwhile."""
        if self._scripts is not None:
            self._scripts.run("take_back", [*names], [])
            return
        for name in names:
            if self.storage.get(name) > 0:
                self.storage.incr(name, 1, amount=-1)

    def count(self, limits: dict[str, RateLimitItem]) -> list[tuple[int, float]]:
        """Count a request at limits, by their counters' names, up to the first that is over, in one round trip."""
        if self._scripts is None:
            told: list[tuple[int, float]] = []
            for name, item in limits.items():
                told += self.add([(name, 1, item.get_expiry())])
                if told[-1][0] > item.amount:
                    break
            return told
        bounds = [bound for item in limits.values() for bound in (item.amount, item.get_expiry())]
        counted = self._scripts.run("count", list(limits), bounds)
        return [(count, left / 1000) for count, left in zip(counted[::2], counted[1::2], strict=True)]


@dataclass(slots=True)
class Count:
    """Requests of one asker within a limit's time; ``untold`` of them the storage doesn't know of."""

    ends: float
    told: int = 0
    untold: int = 0

    @property
    def used(self) -> int:
        """How many there were, as far as this process knows."""
        return self.told + self.untold


class Counts:
    """What one limit counts, by asker. What has ended is forgotten in a heap, so that nobody need look for it.

    A count ends less than twice the limit's seconds after it began: the storage may have begun its own later.
    """

    def __init__(self, limit: RateLimitItem) -> None:
        self.limit = limit
        self.amount, self.seconds = limit.amount, limit.get_expiry()
        self._young: dict[str, Count] = {}
        self._old: dict[str, Count] = {}
        self._ages = 0.0

    def of(self, who: str, now: float) -> Count:
        """The asker's count, a new one if there is none or it has ended."""
        count = self._young.get(who) or self._old.get(who)
        if count is None or now >= count.ends:
            if now >= self._ages or len(self._young) >= MOST:
                self._old, self._young, self._ages = self._young, {}, now + 2 * self.seconds
            count = self._young[who] = Count(now + self.seconds)
        return count


class Untold(NamedTuple):
    """A count that the storage is to be told of: what it calls it, and after how many seconds that begins anew."""

    name: str
    seconds: int
    requests: Count


class Teller:
    """Tells a storage what was counted here. Threads may share it."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._taking = threading.Lock()
        self._turn = threading.Lock()
        self._told = 0.0

    def begin_round(self, now: float, worth: Callable[[], Iterable[Untold]]) -> None:
        """Tell of what ``worth`` gives, ten times a second: by one of those who ask. Raises RedisError as ``tell``."""
        if now - self._told < EVERY or not self._turn.acquire(blocking=False):
            return
        try:
            self._told = now
            self.tell(worth())
        finally:
            self._turn.release()

    def tell(self, worth: Iterable[Untold]) -> None:
        """Tell of counts, and learn what the others counted. Raises RedisError; what is untold then counts as told."""
        if not self.counters.are_shared:
            return
        waiting = iter(worth)
        while row := list(islice(waiting, ROW)):
            added = []
            with self._taking:
                for name, seconds, count in row:
                    added.append((name, count.untold, seconds))
                    count.told, count.untold = count.told + count.untold, 0
            told = self.counters.add(added)
            now = time.monotonic()
            for (_, _, count), (so_many, left) in zip(row, told, strict=True):
                count.told, count.ends = so_many, now + left

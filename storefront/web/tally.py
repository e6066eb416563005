"""What the gate counts for the limits of buying, by the same limits and in the same places as Flask-Limiter.

A purchase that goes through is counted for all processes at once. What is refused is counted by each for itself and
told Flask-Limiter's storage ten times a second, as soon as it is more than a small part of the limit; what comes back
are the counts of all.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from limits import RateLimitItem, parse_many
from limits.storage import RedisStorage
from redis.exceptions import RedisError

from storefront.config import Config
from storefront.stores.scripts import Scripts
from storefront.web.limits import limiter

log = logging.getLogger(__name__)

SCOPE = "buying.buy"
"""How Flask-Limiter names what these limits are about: the endpoint."""

ACCOUNT, ADDRESS = 0, 1

SOMEBODY = "<somebody>"
"""Stands in a counter's name for whose it is."""

EVERY = 0.1
"""Seconds between two rounds."""

MOST = 100_000
"""Counts that are kept, at a time."""

PART = 8
"""What a process keeps untold is less than this part of a limit, or one request."""

ROW = 1000
"""Counts that are told in one call, during which Redis does nothing else."""


@dataclass(slots=True)
class _Count:
    """Requests of one asker within one limit's window; ``untold`` of them the storage doesn't know of."""

    ends: float
    told: int = 0
    untold: int = 0


class Tally:
    """Counts. Threads may share it: a count that two of them raise at once may miss one."""

    def __init__(self, config: Config) -> None:
        by_account = [(limit, ACCOUNT) for limit in parse_many(config.limit_buy_account)]
        by_address = [(limit, ADDRESS) for limit in parse_many(config.limit_buy_address)]
        ordered = sorted(by_address + by_account, key=lambda one: one[0])  # as Flask-Limiter asks them
        self._limits: list[RateLimitItem] = [limit for limit, _ in ordered]
        self._asked = [
            (number, whose, limit.amount, limit.get_expiry()) for number, (limit, whose) in enumerate(ordered)
        ]
        self._bounds = [bound for _, _, amount, expiry in self._asked for bound in (amount, expiry)]
        self._counts: dict[tuple[str, int], _Count] = {}
        self._telling = threading.Lock()
        self._told = 0.0

    def count(self, account: str, address: str) -> int:
        """Count one request, up to the first limit that is over. Returns the seconds until that opens again, else 0."""
        now = time.monotonic()
        if now - self._told >= EVERY and self._telling.acquire(blocking=False):
            try:
                self._tell(now)
            finally:
                self._telling.release()
        for number, whose, amount, _ in self._asked:
            count = self._of((account, address)[whose], number, now)
            count.untold += 1
            if count.told + count.untold > amount:
                return max(1, math.ceil(count.ends - now))
        return 0

    def count_for_all(self, account: str, address: str) -> int:
        """The same, counted by all processes together, at the price of a round trip."""
        if self._scripts is None:
            return self.count(account, address)
        askers = (account, address)
        names = [self._names[number].replace(SOMEBODY, askers[whose]) for number, whose, _, _ in self._asked]
        try:
            told = self._scripts.run("count", names, self._bounds)
            now = time.monotonic()
            for (number, whose, amount, _), name, so_many in zip(self._asked, names, told, strict=False):
                count = self._of(askers[whose], number, now)
                count.told = so_many
                if so_many + count.untold > amount:
                    count.ends = now + self._scripts.run("tell", [name], [0, 1])[1] / 1000
                    return max(1, math.ceil(count.ends - now))
        except RedisError as fault:
            log.warning("the limits' Redis does not answer; this process counts by itself: %s", fault)
            return self.count(account, address)
        return 0

    def _of(self, who: str, number: int, now: float) -> _Count:
        count = self._counts.get((who, number))
        if count is None or now >= count.ends:
            count = self._counts[who, number] = _Count(now + self._asked[number][3])
        return count

    @cached_property
    def _names(self) -> list[str]:
        """What the storage calls each limit's counter, for SOMEBODY."""
        storage = limiter.storage
        prefixed: Callable[[str], str] = getattr(storage, "prefixed_key", str)  # what isn't in Redis has no prefix
        return [prefixed(limit.key_for(SOMEBODY, SCOPE)) for limit in self._limits]

    @cached_property
    def _scripts(self) -> Scripts | None:
        """The scripts on the limits' Redis; None if they aren't in Redis."""
        storage = limiter.storage
        return Scripts(storage.storage) if isinstance(storage, RedisStorage) else None

    def _tell(self, now: float) -> None:
        self._told = now
        counts = list(self._counts.items())
        worth = []
        for whose, count in counts:
            if now >= count.ends or len(counts) > MOST:
                self._counts.pop(whose, None)
            elif count.untold > 1 and count.untold * PART >= self._asked[whose[1]][2]:
                worth.append((*whose, count))
        waiting = iter(worth)
        try:
            while row := list(islice(waiting, ROW)):
                self._tell_row(row, now)
        except RedisError as fault:
            log.warning("the limits' Redis does not answer; this process counts by itself: %s", fault)

    def _tell_row(self, row: list[tuple[str, int, _Count]], now: float) -> None:
        if self._scripts is None:
            return
        counters, numbers = [], []
        for who, number, count in row:
            counters.append(self._names[number].replace(SOMEBODY, who))
            numbers += [count.untold, self._limits[number].get_expiry()]
        told = self._scripts.run("tell", counters, numbers)
        for (_, _, count), number, so_many, left in zip(row, numbers[::2], told[::2], told[1::2], strict=True):
            count.told, count.untold = so_many, count.untold - number
            count.ends = now + left / 1000

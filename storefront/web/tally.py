"""What the gate counts for the limits of buying, so that who floods it is limited as in Flask.

Each process counts by itself and tells Flask-Limiter's storage ten times a second, where Flask's own counts stand; what
comes back are the counts of all. A shopper's only request within a window isn't worth telling.
"""

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import cast

from limits import RateLimitItem, parse_many
from limits.storage import RedisStorage
from redis import Redis
from redis.exceptions import RedisError

from storefront.config import Config
from storefront.web.limits import limiter

log = logging.getLogger(__name__)

SCOPE = "buying.buy"
"""How Flask-Limiter names what these limits are about: the endpoint."""

EVERY = 0.1
"""Seconds between two rounds."""

MOST = 100_000
"""Counts that are kept, at a time."""


@dataclass(slots=True)
class _Count:
    """Requests of one asker within one limit's window; ``untold`` of them the storage doesn't know of."""

    ends: float
    told: int = 0
    untold: int = 0


class Tally:
    """Counts. Threads may share it: a count that two of them raise at once may miss one."""

    def __init__(self, config: Config) -> None:
        self._by_account = parse_many(config.limit_buy_account)
        self._by_address = parse_many(config.limit_buy_address)
        self._counts: dict[tuple[str, RateLimitItem], _Count] = {}
        self._telling = threading.Lock()
        self._told = 0.0

    def seconds_to_wait(self, account: str, address: str) -> int:
        """Count one request. Returns after how many seconds the asker may ask again, 0 if they may now."""
        now = time.monotonic()
        if now - self._told >= EVERY and self._telling.acquire(blocking=False):
            try:
                self._tell(now)
            finally:
                self._telling.release()
        over = [self._over(account, limit, now) for limit in self._by_account]
        over += [self._over(address, limit, now) for limit in self._by_address]
        return math.ceil(max(over))

    def _over(self, who: str, limit: RateLimitItem, now: float) -> float:
        """Count one request within one limit. Returns the seconds until it opens again, 0 if it is open."""
        count = self._counts.get((who, limit))
        if count is None or now >= count.ends:
            count = self._counts[who, limit] = _Count(now + limit.get_expiry())
        count.untold += 1
        return max(count.ends - now, 0.001) if count.told + count.untold > limit.amount else 0

    def _tell(self, now: float) -> None:
        self._told = now
        counts = list(self._counts.items())
        worth = []
        for (who, limit), count in counts:
            if now >= count.ends or len(counts) > MOST:
                self._counts.pop((who, limit), None)
            elif count.untold and count.told + count.untold > 1:
                worth.append((who, limit, count))
        storage = limiter.storage
        if not worth or not isinstance(storage, RedisStorage):
            return
        pipeline = cast("Redis", storage.get_connection()).pipeline(transaction=False)
        numbers = [count.untold for _, _, count in worth]
        for (who, limit, _), number in zip(worth, numbers, strict=True):
            key = storage.prefixed_key(limit.key_for(who, SCOPE))
            storage.lua_incr_expire([key], [limit.get_expiry(), number], client=pipeline)
            pipeline.pttl(key)
        try:
            answers = pipeline.execute()
        except RedisError as fault:
            log.warning("the limits' Redis does not answer; this process counts by itself: %s", fault)
            return
        for (_, _, count), number, told, left in zip(worth, numbers, answers[::2], answers[1::2], strict=True):
            count.told, count.untold = told, count.untold - number
            count.ends = now + left / 1000

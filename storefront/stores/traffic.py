"""The requests that Flask answered, by route: noted by each web process, told Redis together soon after.

So each web process tells the same of all of them. What a process noted in its last second before it ended isn't
counted. The gate's refusals are counted by sale and reason instead (``refusals.py``), which costs it nothing more.
"""

import logging
import os
import secrets
import threading
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from storefront.stores import keys
from storefront.stores.memory import Memory

log = logging.getLogger(__name__)

SOON = 1.0
"""Seconds after which what was noted is told."""

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds up to which the answers of each bucket took; those of one more took longer."""

ALONE_FOR = 60.0
"""Seconds for which it is told that a web process counts limits by itself, should it tell nothing more."""


@dataclass
class Route:
    """What was answered at one address with one method: by class of status ("2xx"), by bucket, and seconds in all."""

    statuses: Counter[str] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0


class Traffic:
    """Notes answers. Threads may share it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._noted: Counter[str] = Counter()
        self._shares_limits = True
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def note(self, method: str, route: str, status: int, seconds: float, *, shares_limits: bool) -> None:
        """An answer with this ``status`` took so long. ``shares_limits`` unless the process counts them by itself."""
        bucket = bisect_left(BOUNDS, seconds)
        with self._lock:
            self._noted[f"{method} {status // 100}xx {bucket} {route}"] += 1
            self._noted[f"{method} took 0 {route}"] += int(seconds * 1_000_000)
            self._shares_limits = shares_limits
            if self._timer is None:
                self._timer = threading.Timer(SOON, self._tell)
                self._timer.daemon = True
                self._timer.start()

    def counts(self) -> dict[tuple[str, str], Route]:
        """What all web processes answered so far, by method and route."""
        found: dict[tuple[str, str], Route] = {}
        for name, count in self._memory.hash(keys.TRAFFIC).items():
            method, kind, bucket, route = name.split(" ", 3)
            one = found.setdefault((method, route), Route())
            if kind == "took":
                one.seconds = int(count) / 1_000_000
            else:
                one.statuses[kind] += int(count)
                one.buckets[int(bucket)] += int(count)
        return found

    def alone(self) -> int:
        """How many web processes count limits by themselves, or did so a moment ago."""
        return int(self._memory.redis.zcount(keys.ALONE, f"({time.time()}", "+inf"))

    def _tell(self) -> None:
        with self._lock:
            self._timer = None
            noted, self._noted = self._noted, Counter()
        pipeline = self._memory.redis.pipeline(transaction=False)
        for name, count in noted.items():
            pipeline.hincrby(keys.TRAFFIC, name, count)
        if self._shares_limits:
            pipeline.zrem(keys.ALONE, self._name)
        else:
            pipeline.zadd(keys.ALONE, {self._name: time.time() + ALONE_FOR})
            pipeline.zremrangebyscore(keys.ALONE, "-inf", time.time())
        try:
            pipeline.execute()
        except RedisError as fault:
            log.warning("the figures of requests wait, Redis does not answer: %s", fault)
            with self._lock:
                self._noted += noted

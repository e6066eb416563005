"""How often purchases were refused, by sale and reason: noted by each process, told Redis together soon after."""

import logging
import threading

from redis.exceptions import RedisError

from storefront.stores import keys
from storefront.stores.memory import Memory

log = logging.getLogger(__name__)

SOON = 0.25
"""Seconds after which what was noted is told."""

MOST = 10_000
"""Different things to note at a time; more are left out."""


class Refusals:
    """Notes refusals. Threads may share it; one that is raised by two at once may miss one."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._noted: dict[tuple[str, str], int] = {}
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def note(self, sale: str, code: str) -> None:
        """A purchase of this sale was refused for the reason with this code."""
        noted = self._noted
        if len(noted) < MOST:
            noted[sale, code] = noted.get((sale, code), 0) + 1
        if self._timer is None:
            with self._lock:
                if self._timer is None:
                    self._timer = threading.Timer(SOON, self._tell)
                    self._timer.daemon = True
                    self._timer.start()

    def of(self, sale: str) -> dict[str, int]:
        """Refused purchases of a sale so far, by the reason's code."""
        return {code: int(count) for code, count in self._memory.hash(keys.refusals(sale)).items()}

    def of_each(self, sales: list[str]) -> dict[str, dict[str, int]]:
        """The same of several sales, in one round trip."""
        found = self._memory.hashes([keys.refusals(sale) for sale in sales])
        return {
            sale: {code: int(count) for code, count in counts.items()}
            for sale, counts in zip(sales, found, strict=True)
        }

    def _tell(self) -> None:
        self._timer = None
        noted, self._noted = self._noted, {}
        pipeline = self._memory.redis.pipeline(transaction=False)
        for (sale, code), count in noted.items():
            pipeline.hincrby(keys.refusals(sale), code, count)
        try:
            pipeline.execute()
        except RedisError as fault:
            log.warning("%d refusals are not counted, Redis does not answer: %s", sum(noted.values()), fault)

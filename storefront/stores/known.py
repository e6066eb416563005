"""Addresses from which accounts were logged in lately. Only for limits: whoever loses them is a stranger once more."""

from storefront.stores import keys
from storefront.stores.memory import Memory

MOST = 10
"""Addresses that are remembered of one account, the newest."""

REMEMBERED = 30 * 24 * 3600
"""Seconds for which they are remembered after the last log-in."""


class KnownAddresses:
    """Remembers addresses."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def holds(self, name: str, address: str) -> bool:
        """Whether somebody logged in to the account of this name from there."""
        return self._memory.redis.zscore(keys.known_addresses(name), address) is not None

    def note(self, name: str, address: str) -> None:
        """Somebody did."""
        key, pipeline = keys.known_addresses(name), self._memory.redis.pipeline(transaction=False)
        pipeline.zadd(key, {address: self._memory.now_ms()})
        pipeline.zremrangebyrank(key, 0, -MOST - 1)
        pipeline.expire(key, REMEMBERED)
        pipeline.execute()

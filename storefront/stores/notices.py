"""Webhooks that were taken in, in Redis: one that comes again costs nothing.

A Redis that forgets them does no harm: what a webhook leads to may be done twice.
"""

from storefront.stores import keys
from storefront.stores.memory import Memory

KEPT = 4 * 86_400
"""Seconds: longer than a provider goes on sending one that had its answer."""


class Notices:
    """Remembers webhooks by their ids."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def is_known(self, notice: str) -> bool:
        """Whether it was taken in before."""
        return bool(self._memory.redis.exists(keys.notice(notice)))

    def keep(self, notice: str) -> None:
        """It is taken in."""
        self._memory.redis.set(keys.notice(notice), 1, ex=KEPT)

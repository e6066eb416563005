"""The ban list in Redis: a stream of bans and of their ends, so that every process need read only what is new.

Not in the ledger: whoever loses this Redis loses the bans, which come again for those who go on.
"""

import logging
import time
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from storefront.domain import ban
from storefront.domain.address import Network, caller_of, read_network
from storefront.domain.ban import ADDRESS, Ban
from storefront.stores import keys
from storefront.stores.memory import Memory

log = logging.getLogger(__name__)

MOST = 20_000
"""Entries that are kept, the newest. A ban older than so many changes ends early."""

MOST_OF_SALE = 1000
"""Entries that are kept of one sale."""

AT_ONCE = 2000
"""Entries that are read at once."""

ROOM = 1000
"""Bans that are kept before those that are over are looked for."""

BEGINNING = "0"
"""Where to read from who has read nothing yet."""


class BanList:
    """Writes bans, and tells who is banned."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def write(self, bans: Iterable[Ban]) -> None:
        """From now on these hold. A later one for the same account or address replaces the earlier."""
        pipeline = self._memory.redis.pipeline(transaction=False)
        for one in bans:
            facts: Any = one.facts()
            pipeline.xadd(keys.BANS, facts, maxlen=MOST, approximate=True)
            if one.sale:
                pipeline.xadd(keys.sale_bans(one.sale), facts, maxlen=MOST_OF_SALE, approximate=True)
        pipeline.execute()

    def of_sale(self, sale: str, most: int) -> list[Ban]:
        """Who was banned for buying of a sale too often, the newest in front: their last bans, lifted ones left out.

        Looks at the ``most`` newest entries.
        """
        entries: Any = self._memory.redis.xrevrange(keys.sale_bans(sale), count=most)
        banned = Banned()
        if entries:
            banned.take(entries[::-1])
        return list(banned)[::-1]

    def now(self) -> list[Ban]:
        """The bans in force, the newest in front."""
        banned, last, now = Banned(), BEGINNING, self._memory.now_ms()
        while entries := entries_of(self._memory.redis.xread({keys.BANS: last}, count=AT_ONCE)):
            last = banned.take(entries)
        return sorted((one for one in banned if one.until > now), key=lambda one: one.since, reverse=True)


def entries_of(answer: Any) -> list[tuple[str, dict[str, str]]]:
    """What XREAD read of the one stream it was asked for."""
    for _, entries in answer.items() if isinstance(answer, dict) else answer or ():
        return list(entries[0] if isinstance(answer, dict) else entries)
    return []


class Banned:
    """Who is banned, as far as the stream was read."""

    def __init__(self) -> None:
        self._room = ROOM
        self._bans: dict[str, Ban] = {}
        self._networks: dict[Network, Ban] = {}

    def __iter__(self) -> Any:
        return iter(list(self._bans.values()))

    def __bool__(self) -> bool:
        return bool(self._bans)

    def take(self, entries: list[tuple[str, dict[str, str]]]) -> str:
        """Note what these entries say. Returns the last one's id."""
        for _, facts in entries:
            try:
                self._note(ban.read(facts))
            except (KeyError, ValueError):
                log.exception("an entry of the ban list is not understood and is left out")
        if len(self._bans) > self._room:
            now = time.time() * 1000
            self._bans = {whom: one for whom, one in self._bans.items() if one.until > now}
            self._networks = {network: one for network, one in self._networks.items() if one.until > now}
            self._room = max(ROOM, 2 * len(self._bans))
        return entries[-1][0]

    def _note(self, new: Ban) -> None:
        self._bans.pop(new.whom, None)
        if new.until:
            self._bans[new.whom] = new
        if new.kind == ADDRESS and new.whom != caller_of(new.whom.partition("/")[0]):
            network = read_network(new.whom)
            self._networks.pop(network, None)
            if new.until:
                self._networks[network] = new

    def of(self, account: str, caller: str, now: float) -> Ban | None:
        """The ban on this account, or for nobody's account the one on this caller, at ``now`` (Unix ms).

        Whoever is logged in answers for themselves: behind one address may be a thousand people and one script.
        """
        if account:
            return self._in_force(self._bans.get(account), now)
        return self._in_force(self._bans.get(caller), now) or self._in_force(self._network_of(caller), now)

    def _in_force(self, found: Ban | None, now: float) -> Ban | None:
        if found is None or found.until > now:
            return found
        self._bans.pop(found.whom, None)
        return None

    def _network_of(self, caller: str) -> Ban | None:
        if not self._networks:
            return None
        try:
            address = ip_address(caller.partition("/")[0])
        except ValueError:
            return None
        found = (one for network, one in list(self._networks.items()) if address in network)
        return max(found, key=lambda one: one.until, default=None)

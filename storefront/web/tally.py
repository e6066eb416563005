"""What the gate counts for the limits of buying, by the same limits and in the same places as Flask-Limiter.

Each process counts for itself, and tells Flask-Limiter's storage as soon as it is more than a part of a limit; what
comes back are the counts of all. Of what is refused it tells ten times a second, of what goes through at once.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from limits import RateLimitItem, parse_many
from redis.exceptions import RedisError

from storefront.domain.address import caller_of
from storefront.domain.ban import ACCOUNT, ADDRESS
from storefront.shop import Shop
from storefront.web.limits import Counters, limiter, policy_field

log = logging.getLogger(__name__)

SCOPE = "buying.buy"
"""How Flask-Limiter names what these limits are about: the endpoint."""

SOMEBODY = "<somebody>"
"""Stands in a counter's name for whose it is."""

EVERY = 0.1
"""Seconds between two rounds."""

MOST = 100_000
"""Counts of a limit that are kept at most. Those of so many askers, the newest, are never forgotten before they end."""

PART = 5
"""What a process keeps untold is at most this part of a limit, in whole requests: so many more than the limit may pass
through each process but one. In return most shoppers' purchases need no round trip."""

ROW = 1000
"""Counts that are told in one call, during which Redis does nothing else."""

Refusing = Callable[[str, str, str, str, RateLimitItem, str], None]
"""Is told of each refusal (see ``policing.Police.refused``)."""


class Verdict(NamedTuple):
    """After how many seconds a request is within its limits, 0 for now; and the fields that tell of them."""

    wait: int
    fields: list[tuple[str, str]]


@dataclass(slots=True)
class _Count:
    """Requests of one asker within a limit's time; ``untold`` of them the storage doesn't know of."""

    ends: float
    told: int = 0
    untold: int = 0


class _Counts:
    """What one limit counts, by asker. What has ended is forgotten in a heap, so that nobody need look for it.

    A count ends less than twice the limit's seconds after it began: the storage may have begun its own later.
    """

    def __init__(self, limit: RateLimitItem, kind: str) -> None:
        self.limit, self.kind = limit, kind
        self.amount, self.seconds = limit.amount, limit.get_expiry()
        self.policy = f'"{kind}-{self.seconds}s"'
        self.field = policy_field([(kind, limit)])
        self.slack = limit.amount // PART
        self._young: dict[str, _Count] = {}
        self._old: dict[str, _Count] = {}
        self._ages = 0.0

    def of(self, who: str, now: float) -> _Count:
        """The asker's count, a new one if there is none or it has ended."""
        count = self._young.get(who) or self._old.get(who)
        if count is None or now >= count.ends:
            if now >= self._ages or len(self._young) >= MOST:
                self._old, self._young, self._ages = self._young, {}, now + 2 * self.seconds
            count = self._young[who] = _Count(now + self.seconds)
        return count


class Tally:
    """Counts. Threads may share it: a count that two of them raise at once may miss one."""

    def __init__(self, shop: Shop, refusing: Refusing) -> None:
        config = shop.config
        by_account = [_Counts(limit, ACCOUNT) for limit in parse_many(config.limit_buy_account)]
        by_address = [_Counts(limit, ADDRESS) for limit in parse_many(config.limit_buy_address)]
        self._counts = sorted(by_address + by_account, key=lambda one: one.limit)  # as Flask-Limiter asks them
        self._allowed, self._refusing = shop.allowed, refusing
        self._untold: dict[str, tuple[str, _Counts, _Count]] = {}
        self._telling = threading.Lock()
        self._taking = threading.Lock()
        self._told = 0.0

    def count(self, account: str, name: str, address: str, *, at_once: bool = False, sale: str = "") -> Verdict:
        """Count one request, to buy of ``sale``, at each limit, up to the first that is over.

        Without an ``account`` it counts for its address alone.
        ``at_once`` what is worth telling is told before the answer.
        """
        now = time.monotonic()
        if now - self._told >= EVERY and self._telling.acquire(blocking=False):
            try:
                self._tell(now)
            finally:
                self._telling.release()
        counted = []
        is_worth = False
        for counts in self._counts:
            if counts.kind == ACCOUNT:
                if not account:
                    continue
                who = account
            elif address in self._allowed:
                continue
            else:
                who = caller_of(address)
            count = counts.of(who, now)
            count.untold += 1
            counted.append((who, counts, count))
            if count.untold > counts.slack:
                is_worth = True
                self._untold[f"{counts.policy} {who}"] = counted[-1]
            if count.told + count.untold > counts.amount:
                return self._over(counted, name, now, sale)
        if at_once and is_worth:
            self._try_to_tell([one for one in counted if one[2].untold > one[1].slack])
            if any(count.told > counts.amount for _, counts, count in counted):
                return self._over(counted, name, now, sale)
        return Verdict(0, self._fields(counted, now))

    def _over(self, counted: list[tuple[str, _Counts, _Count]], name: str, now: float, sale: str) -> Verdict:
        over = [one for one in counted if one[2].told + one[2].untold > one[1].amount]
        for who, counts, _ in over:
            if counts.kind == ACCOUNT:  # nobody is to suffer for others at their address
                self._refusing(ACCOUNT, who, name, SCOPE, counts.limit, sale)
        return Verdict(max(_seconds_until(count.ends, now) for _, _, count in over), self._fields(counted, now))

    def _fields(self, counted: list[tuple[str, _Counts, _Count]], now: float) -> list[tuple[str, str]]:
        if not counted:
            return []
        policy = ", ".join([counts.field for _, counts, _ in counted])
        told = ""
        for _, counts, count in counted:
            left = counts.amount - count.told - count.untold
            told += f"{', ' if told else ''}{counts.policy};r={max(0, left)};t={-int((now - count.ends) // 1)}"
        return [("RateLimit-Policy", policy), ("RateLimit", told)]

    def part_used(self, account: str, address: str) -> float:
        """The largest part of a limit that either has used, as far as this process knows; above 1 is over."""
        now, caller = time.monotonic(), caller_of(address)
        used = ((counts, counts.of(account if counts.kind == ACCOUNT else caller, now)) for counts in self._counts)
        return max((count.told + count.untold) / counts.amount for counts, count in used)

    @cached_property
    def _counters(self) -> Counters:
        return Counters(limiter.storage)

    @cached_property
    def _names(self) -> dict[_Counts, str]:
        """What the storage calls each limit's counter, for SOMEBODY."""
        return {counts: self._counters.name(counts.limit, SOMEBODY, SCOPE) for counts in self._counts}

    def _tell(self, now: float) -> None:
        self._told = now
        untold, self._untold = self._untold, {}
        self._try_to_tell([one for one in untold.values() if now < one[2].ends and one[2].untold])

    def _try_to_tell(self, worth: list[tuple[str, _Counts, _Count]]) -> None:
        waiting = iter(worth)
        try:
            while row := list(islice(waiting, ROW)):
                self._tell_row(row)
        except RedisError as fault:
            log.warning("the limits' Redis does not answer; this process counts by itself: %s", fault)

    def _tell_row(self, row: list[tuple[str, _Counts, _Count]]) -> None:
        if not self._counters.are_shared:
            return
        added = []
        with self._taking:
            for who, counts, count in row:
                added.append((self._names[counts].replace(SOMEBODY, who), count.untold, counts.seconds))
                count.told, count.untold = count.told + count.untold, 0
        told = self._counters.add(added)
        now = time.monotonic()
        for (_, _, count), (so_many, left) in zip(row, told, strict=True):
            count.told, count.ends = so_many, now + left


def _seconds_until(ends: float, now: float) -> int:
    return max(1, math.ceil(ends - now))

"""What the gate counts for the limits of buying, by the same limits and in the same places as Flask-Limiter.

Each process counts for itself, and tells Flask-Limiter's storage as soon as it is more than a part of a limit; what
comes back are the counts of all. Of what is refused it tells ten times a second, of what goes through at once.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

from limits import RateLimitItem, parse_many
from redis.exceptions import RedisError

from storefront.domain.address import caller_of
from storefront.domain.ban import ACCOUNT, ADDRESS
from storefront.shop import Shop
from storefront.web.counting import Count, Counters, Counts, Teller, Untold
from storefront.web.limits import limiter, policy_field

log = logging.getLogger(__name__)

SCOPE = "buying.buy"
"""How Flask-Limiter names what these limits are about: the endpoint."""

SOMEBODY = "<somebody>"
"""Stands in a counter's name for whose it is."""

PART = 5
"""What a process keeps untold is at most this part of a limit, in whole requests: so many more than the limit may pass
through each process but one. In return most shoppers' purchases need no round trip."""

Refusing = Callable[[str, str, str, str, RateLimitItem, str], None]
"""Is told of each refusal (see ``policing.Police.refused``)."""


class Verdict(NamedTuple):
    """After how many seconds a request is within its limits, 0 for now; and the fields that tell of them."""

    wait: int
    fields: list[tuple[str, str]]


class _Counts(Counts):
    """What one limit of buying counts, of accounts or of addresses."""

    def __init__(self, limit: RateLimitItem, kind: str) -> None:
        super().__init__(limit)
        self.kind = kind
        self.policy = f'"{kind}-{self.seconds}s"'
        self.field = policy_field([(kind, limit)])
        self.slack = limit.amount // PART


_Counted = tuple[str, _Counts, Count]
"""Whose, at which limit, and the count."""


class Tally:
    """Counts. Threads may share it: a count that two of them raise at once may miss one."""

    def __init__(self, shop: Shop, refusing: Refusing) -> None:
        config = shop.config
        by_account = [_Counts(limit, ACCOUNT) for limit in parse_many(config.limit_buy_account)]
        by_address = [_Counts(limit, ADDRESS) for limit in parse_many(config.limit_buy_address)]
        self._counts = sorted(by_address + by_account, key=lambda one: one.limit)  # as Flask-Limiter asks them
        self._allowed, self._refusing = shop.allowed, refusing
        self._untold: dict[str, _Counted] = {}

    def count(self, account: str, name: str, address: str, *, at_once: bool = False, sale: str = "") -> Verdict:
        """Count one request, to buy of ``sale``, at each limit, up to the first that is over.

        Without an ``account`` it counts for its address alone.
        ``at_once`` what is worth telling is told before the answer.
        """
        now = time.monotonic()
        self._begin_round(now)
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
            if count.used > counts.amount:
                return self._over(counted, name, now, sale)
        if at_once and is_worth and self._are_over_together(counted):
            return self._over(counted, name, now, sale)
        return Verdict(0, self._fields(counted, now))

    def _begin_round(self, now: float) -> None:
        try:
            self._teller.begin_round(now, self._worth)
        except RedisError as fault:
            _go_on(fault)

    def _are_over_together(self, counted: list[_Counted]) -> bool:
        """Tell of these counts, and whether one is over with what other processes counted."""
        try:
            self._teller.tell(self._named(one for one in counted if one[2].untold > one[1].slack))
        except RedisError as fault:
            _go_on(fault)
        return any(count.told > counts.amount for _, counts, count in counted)

    def _over(self, counted: list[_Counted], name: str, now: float, sale: str) -> Verdict:
        over = [one for one in counted if one[2].used > one[1].amount]
        for who, counts, _ in over:
            if counts.kind == ACCOUNT:  # nobody is to suffer for others at their address
                self._refusing(ACCOUNT, who, name, SCOPE, counts.limit, sale)
        return Verdict(max(_seconds_until(count.ends, now) for _, _, count in over), self._fields(counted, now))

    def _fields(self, counted: list[_Counted], now: float) -> list[tuple[str, str]]:
        if not counted:
            return []
        policy = ", ".join([counts.field for _, counts, _ in counted])
        told = ""
        for _, counts, count in counted:
            left, ends = counts.amount - count.used, min(counts.seconds, -int((now - count.ends) // 1))
            told += f"{', ' if told else ''}{counts.policy};r={max(0, left)};t={ends}"
        return [("RateLimit-Policy", policy), ("RateLimit", told)]

    def part_used(self, account: str, address: str) -> float:
        """The largest part of a limit that either has used, as far as this process knows; above 1 is over."""
        now, caller = time.monotonic(), caller_of(address)
        used = ((counts, counts.of(account if counts.kind == ACCOUNT else caller, now)) for counts in self._counts)
        return max(count.used / counts.amount for counts, count in used)

    @cached_property
    def _teller(self) -> Teller:
        return Teller(Counters(limiter.storage))

    @cached_property
    def _names(self) -> dict[_Counts, str]:
        """What the storage calls each limit's counter, for SOMEBODY."""
        return {counts: self._teller.counters.name(counts.limit, SOMEBODY, SCOPE) for counts in self._counts}

    def _worth(self) -> Iterable[Untold]:
        """What is worth telling by now."""
        now, untold, self._untold = time.monotonic(), self._untold, {}
        return self._named(one for one in list(untold.values()) if now < one[2].ends and one[2].untold)

    def _named(self, counted: Iterable[_Counted]) -> Iterable[Untold]:
        for who, counts, count in counted:
            yield Untold(self._names[counts].replace(SOMEBODY, who), counts.seconds, count)


def _go_on(fault: RedisError) -> None:
    log.warning("the limits' Redis does not answer; this process counts by itself: %s", fault)


def _seconds_until(ends: float, now: float) -> int:
    return max(1, math.ceil(ends - now))

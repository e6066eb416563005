"""Bans by themselves: whoever is refused again and again by the limits is shut out, for longer each time.

The settings ``STOREFRONT_BANS`` and ``STOREFRONT_BANS_ADDRESS`` name how many refusals within a time bring a ban for
as long as that time.
Flask-Limiter has such limits on its refusals, its meta limits; but it asks Redis for each of them before every request,
its ban lasts only for what is left of the time, and nobody can see or lift it. So refusals are counted here, in the
same storage, ten times a second, and bans stand in the ban list.
"""

import logging
import threading
import time
from dataclasses import dataclass
from itertools import islice

from flask import Flask
from limits import RateLimitItem, parse_many
from redis.exceptions import RedisError

from storefront.domain.ban import ACCOUNT, ADDRESS, Ban
from storefront.shop import Shop
from storefront.web.counting import Counters
from storefront.web.limits import limiter

log = logging.getLogger(__name__)

SCOPE = "ban"
"""What these counters are named for in the limits' storage."""

EVERY = 0.1
"""Seconds between two rounds of counting."""

ROW = 300
"""Offenders that are counted in one call."""

MOST = 20_000
"""Offenders that one round holds; more are let off."""


@dataclass(slots=True)
class _Offender:
    """Whom limits refused since the last round, how often, the last of these limits, and of which sale they bought."""

    kind: str
    name: str
    refused: int
    at: str
    limit: str
    sale: str


class Police:
    """Counts refusals, and bans. Threads may share it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._rungs = {ACCOUNT: _rungs(shop.config.bans), ADDRESS: _rungs(shop.config.bans_address)}
        self._offenders: dict[str, _Offender] = {}
        self._noting, self._counting = threading.Lock(), threading.Lock()
        self._counted = 0.0

    def refused(self, kind: str, whom: str, name: str, at: str, limit: RateLimitItem, sale: str) -> None:
        """A limit has refused a request of ``whom`` (see ``Ban``) at the endpoint ``at``, to buy of ``sale``."""
        if not self._rungs[kind]:
            return
        with self._noting:
            offender = self._offenders.get(whom)
            if offender is not None:
                offender.refused += 1
                offender.at, offender.limit, offender.sale = at, str(limit), sale or offender.sale
            elif len(self._offenders) < MOST:
                self._offenders[whom] = _Offender(kind, name, 1, at, str(limit), sale)
        if time.monotonic() - self._counted >= EVERY and self._counting.acquire(blocking=False):
            try:
                self._count()
            except RedisError as fault:
                log.warning("refusals are not counted for bans, Redis does not answer: %s", fault)
            finally:
                self._counting.release()

    def forgive(self, whom: str) -> None:
        """Forget the refusals of one whose ban was lifted. Raises RedisError."""
        storage = limiter.limiter.storage
        for rung in {*self._rungs[ACCOUNT], *self._rungs[ADDRESS]}:
            storage.clear(rung.key_for(whom, SCOPE))

    def _count(self) -> None:
        self._counted = time.monotonic()
        with self._noting:
            offenders, self._offenders = self._offenders, {}
        counters, waiting = Counters(limiter.limiter.storage), iter(offenders.items())
        while row := list(islice(waiting, ROW)):
            told = counters.add(
                (counters.name(rung, whom, SCOPE), offender.refused, rung.get_expiry())
                for whom, offender in row
                for rung in self._rungs[offender.kind]
            )
            counts = iter(count for count, _ in told)
            bans = [
                self._judged(whom, offender, list(islice(counts, len(self._rungs[offender.kind]))))
                for whom, offender in row
            ]
            if found := [one for one in bans if one]:
                self._ban(found)

    def _judged(self, whom: str, offender: _Offender, counts: list[int]) -> Ban | None:
        """The ban for so many refusals, by the longest rung that they reach."""
        for rung, count in zip(self._rungs[offender.kind], counts, strict=True):
            if count > rung.amount:
                now = int(time.time() * 1000)
                return Ban(
                    whom, offender.kind, offender.name, since=now, until=now + rung.get_expiry() * 1000,
                    why=offender.at, limit=offender.limit, refused=count, sale=offender.sale,
                )  # fmt: skip
        return None

    def _ban(self, bans: list[Ban]) -> None:
        for one in bans:
            log.warning(
                "banned for %d s: %s %s, %d requests over %s at %s",
                (one.until - one.since) // 1000, one.kind, one.name, one.refused, one.limit, one.why,
            )  # fmt: skip
        self._shop.bans.write(bans)
        self._shop.snapshots.outdate()


def _rungs(given: str) -> list[RateLimitItem]:
    """The longest first."""
    return sorted(parse_many(given) if given else [], key=lambda one: one.get_expiry(), reverse=True)


def init_app(app: Flask, shop: Shop) -> None:
    """Have ``app``'s limits tell of whom they refuse."""
    app.extensions["police"] = police = Police(shop)
    app.extensions["breaches"] = police.refused

"""How fast anyone may ask: Flask-Limiter with its counts in Redis, or in this process while Redis is away.

Everything here is about an account or a caller (``domain.address``): whoever is logged in answers for themselves, so
that a thousand people behind one address don't suffer for one script among them.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter, RequestLimit
from flask_limiter.util import get_qualified_name
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, Storage
from limits.strategies import STRATEGIES, FixedWindowRateLimiter
from redis.exceptions import RedisError

from storefront.config import Config
from storefront.domain.address import caller_of
from storefront.domain.ban import ACCOUNT, ADDRESS
from storefront.domain.errors import TooFast
from storefront.services.tokens import Claims
from storefront.shop import Shop
from storefront.stores.connection import SENTINEL, split_database
from storefront.web.counting import Count, Counters, Counts, Teller, Untold

Asked = tuple[RateLimitItem, tuple[str, ...]]
"""A limit, and whose count of it at what."""

Breach = Callable[[str, str, str, str, RateLimitItem, str], None]
"""Is told of a refusal: of an account or an address, whose, that one's name, at what, by which limit, of which sale."""


log = logging.getLogger(__name__)


def _config() -> Config:
    found: Config = current_app.extensions["shop"].config
    return found


def by_address() -> str:
    """Key of a limit per caller."""
    return caller_of(request.remote_addr or "")


def by_account() -> str:
    """Key of a limit per account. Set by ``who.recognise``; for nobody there is no such limit."""
    account: str | None = g.get("asking")
    return account or ""


def by_asker() -> str:
    """Key of a limit per account, and per caller for nobody's."""
    return by_account() or by_address()


def is_nobody() -> bool:
    """Whether nobody is known to be asking."""
    return not by_account()


def is_allowed() -> bool:
    """Whether the request comes from an address that is never limited by itself."""
    shop: Shop = current_app.extensions["shop"]
    return (request.remote_addr or "") in shop.allowed


def _on_breach(breached: RequestLimit) -> None:
    _breached(breached.request_args[0], breached.request_args[1], breached.limit)


def _breached(key: str, at: str, limit: RateLimitItem) -> None:
    """Tell whoever is to know that a request was over a limit of an account, or of an address."""
    told: Breach | None = current_app.extensions.get("breaches")
    account = by_account()
    if told is None:
        return
    if not account:
        told(ADDRESS, by_address(), by_address(), at, limit, _sale_asked_for())
    elif key == account or at in OF_STRANGERS:  # else they may suffer for others at their address
        told(ACCOUNT, account, g.get("asking_name", ""), at, limit, _sale_asked_for())


def _sale_asked_for() -> str:
    """The sale of which this request was to buy, as far as this process knows without asking; empty for none."""
    if request.method != "POST" or not (product := (request.view_args or {}).get("product")):
        return ""
    shop: Shop = current_app.extensions["shop"]
    return shop.sales.last_id_of(product) or ""


def _default() -> str:
    return str(_config().limit_default)


OF_STRANGERS = {"accounts.do_register", "accounts.do_login"}
"""What is asked by those who aren't logged in, or by those who misuse their account."""

COUNTED = "storefront.counted"
"""In the WSGI environment of a purchase that the gate's tally counted for its limits: what is known (``Passed``)."""


class QuickLimiter(Limiter):
    """Flask-Limiter, which reckons once, not each time, what holds where no view says anything: a sixth of a page.

    A purchase that was counted already needs nothing of it. Whatever is over a limit goes the library's way.
    """

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:  # noqa: FBT001, FBT002 - the library's
        if COUNTED in request.environ:
            return
        known: dict[str | None, list[tuple[RateLimitItem, str]]] = current_app.extensions["limited_plainly"]
        is_usual = in_middleware and not self._storage_dead and not is_allowed()
        if is_usual and (plainly := known.get(request.endpoint)) is not None and self._are_within(plainly):
            return
        super()._check_request_limit(callable_name, in_middleware)
        if is_usual and not self._storage_dead:  # of a view that has its own there are none yet
            known[request.endpoint] = [(one.limit, one.request_args[1]) for one in self.current_limits]

    def _are_within(self, plainly: list[tuple[RateLimitItem, str]]) -> bool:
        caller = by_address()
        try:
            return all(self.limiter.hit(limit, caller, scope) for limit, scope in plainly)
        except RedisError:  # the library finds that out, too, and goes on without
            return False


limiter = QuickLimiter(
    key_func=by_address,
    default_limits=[_default],
    default_limits_exempt_when=is_allowed,
    on_breach=_on_breach,
)

OVER = "storefront.over"
"""In the WSGI environment of a person's purchase that the gate counted and found over a limit: the tally's verdict."""

NOWHERE = "nowhere"
"""What requests to addresses that lead nowhere are counted under."""


class Passed(NamedTuple):
    """A purchase that the gate's tally counted: what its token or session claims, and what is told of its limits.

    It is over one of them for ``wait`` seconds; programs' that are don't come here.
    """

    claims: Claims
    fields: list[tuple[str, str]]
    wait: int = 0


class Standing(NamedTuple):
    """How far a limit is used up: how often it was asked, and after how many seconds it begins anew."""

    name: str
    limit: RateLimitItem
    used: int
    left: float


@limiter.request_filter
def _is_counted() -> bool:
    return COUNTED in request.environ


# Counting


MANY = 1000
"""Requests from which on a limit isn't tight: it is counted in this process, which tells Redis ten times a second."""


class CountedTogether(FixedWindowRateLimiter):
    """The library's fixed windows, but all limits of a view are counted at once, at the first asked about.

    In one round trip; or in none for the most part, where each of them allows ``MANY``.
    """

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self._counters = Counters(storage)
        self._teller = Teller(self._counters)
        self._counts: dict[tuple[RateLimitItem, str], Counts] = {}
        self._untold: dict[str, Untold] = {}

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """See ``RateLimiter``."""
        if cost != 1:
            return super().hit(item, *identifiers, cost=cost)
        asked = (item, identifiers)
        if "counted" not in g:
            g.counted = self._counted([asked, *_limits_of_view()])
        elif item.key_for(*identifiers) not in g.counted:
            g.counted |= self._counted([asked])
        standing: Standing = g.counted[item.key_for(*identifiers)]
        return standing.used <= item.amount

    def _counted(self, asked: Iterable[Asked]) -> dict[str, Standing]:
        limits = {item.key_for(*whose): (item, whose) for item, whose in asked}
        is_loose = self._counters.are_shared and all(item.amount >= MANY for item, _ in limits.values())
        try:
            told = self._counted_here(limits.values()) if is_loose else self._counted_there(limits.values())
        except RedisError as fault:  # Flask-Limiter goes on in memory, and asks again after 2, 4, … 32 seconds
            log.warning("the limits' Redis does not answer; this process counts by itself: %s", fault)
            raise
        standings = [
            Standing(_name_of(whose[0]), item, count, left)
            for (item, whose), (count, left) in zip(limits.values(), told, strict=False)
        ]
        return dict(zip(limits, standings, strict=False))

    def _counted_there(self, limits: Iterable[Asked]) -> list[tuple[int, float]]:
        return self._counters.count({self._counters.name(item, *whose): item for item, whose in limits})

    def _counted_here(self, limits: Iterable[Asked]) -> list[tuple[int, float]]:
        """The same by what this process knows of the counts, which is a tenth of a second old at most."""
        now, counted = time.monotonic(), list[Count]()
        for item, whose in limits:
            who, about = whose[0], (item, "/".join(whose[1:]))
            counts = self._counts.get(about) or self._counts.setdefault(about, Counts(item))
            counted.append(count := counts.of(who, now))
            count.untold += 1
            name = self._counters.name(item, *whose)
            self._untold[name] = Untold(name, counts.seconds, count)
            if count.used > item.amount:
                break
        self._teller.begin_round(now, self._worth)
        return [(count.used, count.ends - now) for count in counted]

    def _worth(self) -> Iterable[Untold]:
        """What to tell now. What has ended untold would count in the time that began since."""
        now, untold, self._untold = time.monotonic(), self._untold, {}
        return [one for one in list(untold.values()) if now < one.requests.ends]


def _limits_of_view() -> list[tuple[RateLimitItem, tuple[str, str]]]:
    """What counts at the view that answers this request, and for whom, in the order that it is asked."""
    endpoint = request.endpoint
    if endpoint is None:
        return []
    view = get_qualified_name(current_app.view_functions[endpoint])
    return [
        (one.limit, (one.key_func(), one.scope_for(endpoint, request.method)))
        for one in sorted(limiter.limit_manager.decorated_limits(view), key=lambda one: one.limit)
        if not one.is_exempt
    ]


def _name_of(whose: str) -> str:
    """What a limit is about: an account, an address, or one account's password guessed from one address."""
    return {by_account(): "account", by_address(): "address"}.get(whose, "name")


STRATEGIES["counted-together"] = CountedTogether


def count_the_lost() -> None:
    """Requests that lead nowhere count as others do. Raises TooFast."""
    if request.routing_exception is not None:
        count_stray()


def count_stray() -> None:
    """Count a request that comes to no view, for its address alone. Raises TooFast."""
    if is_allowed() or g.get("counted"):
        return
    g.counted = {}  # else the limits of the view would count, too
    for limit in parse_many(_default()):
        whose = (by_address(), NOWHERE)
        try:
            is_within = limiter.limiter.hit(limit, *whose)
        except RedisError:  # Flask-Limiter finds it out at the next request that leads somewhere
            return
        if not is_within:
            _breached(whose[0], NOWHERE, limit)
            raise TooFast


# What is told of it


def standings() -> list[Standing]:
    """How far the limits are used up that this request was counted for."""
    counted: dict[str, Standing] = g.get("counted", {})
    return list(counted.values())


def policy_field(limits: Iterable[tuple[str, RateLimitItem]]) -> str:
    """The field ``RateLimit-Policy`` for limits with their names (draft-ietf-httpapi-ratelimit-headers)."""
    return ", ".join(f'"{name}-{one.get_expiry()}s";q={one.amount};w={one.get_expiry()}' for name, one in limits)


def _add_fields(response: Response) -> Response:
    passed: Passed | None = request.environ.get(COUNTED)
    if passed:
        response.headers.extend(passed.fields)
    elif told := standings():
        response.headers["RateLimit-Policy"] = policy_field((one.name, one.limit) for one in told)
        response.headers["RateLimit"] = ", ".join(
            f'"{one.name}-{one.limit.get_expiry()}s";r={max(0, one.limit.amount - one.used)}'
            f";t={max(1, math.ceil(one.left))}"
            for one in told
        )
    return response


def seconds_until_allowed() -> int:
    """For a request that was just refused: after how many seconds its limit opens again."""
    if passed := request.environ.get(COUNTED):
        return max(1, int(passed.wait))
    over = [one.left for one in standings() if one.used > one.limit.amount]
    return max(1, math.ceil(max(over, default=1.0)))


def init_app(app: Flask, config: Config) -> None:
    """Count every request of ``app``. A Redis that is away must cost little: short timeouts, then limits in memory."""
    url, options = storage_of(config.limiter_url)
    app.config.update(
        RATELIMIT_STORAGE_URI=url,
        RATELIMIT_STORAGE_OPTIONS=options,
        RATELIMIT_STRATEGY="counted-together",
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
    )
    app.extensions["limited_plainly"] = {}
    limiter.init_app(app)
    app.before_request(count_the_lost)
    app.after_request(_add_fields)


def storage_of(url: str) -> tuple[str, dict[str, Any]]:
    """The address and options of the library's storage for a Redis URL."""
    patience: dict[str, Any] = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}
    if not url.startswith(SENTINEL):
        return url, patience
    # counts are read where they are written, and the library takes the database apart
    base, database = split_database(url)
    return base, {**patience, "db": database, "use_replicas": False, "sentinel_kwargs": patience}


def are_shared() -> bool:
    """Whether the limits are counted in Redis, for all processes together, not by this one alone."""
    return not isinstance(limiter.limiter.storage, MemoryStorage)

"""How fast anyone may ask: Flask-Limiter with its counts in Redis, or in this process while Redis is away."""

import math
import time
from typing import Any

from flask import Flask, current_app, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_qualified_name, get_remote_address
from limits import RateLimitItem
from limits.storage import RedisStorage, Storage
from limits.strategies import STRATEGIES, FixedWindowRateLimiter

from storefront.config import Config
from storefront.stores.connection import SENTINEL, split_database
from storefront.stores.scripts import Scripts

limiter = Limiter(key_func=get_remote_address)

COUNTED = "storefront.counted"
"""Stands in the WSGI environment of a request that the gate counted for its limits."""


@limiter.request_filter
def _is_counted() -> bool:
    return COUNTED in request.environ


class CountedTogether(FixedWindowRateLimiter):
    """The library's fixed windows, but all limits of a view are counted in one round trip, at the first asked about."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self._scripts = Scripts(storage.storage) if isinstance(storage, RedisStorage) else None

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """See ``RateLimiter``."""
        if self._scripts is None or cost != 1:
            return super().hit(item, *identifiers, cost=cost)
        key = item.key_for(*identifiers)
        if "counted" not in g:
            g.counted = self._counted(self._scripts, {key: item} | _limits_of_view())
        elif key not in g.counted:
            g.counted |= self._counted(self._scripts, {key: item})
        return bool(g.counted.pop(key) <= item.amount)

    def _counted(self, scripts: Scripts, limits: dict[str, RateLimitItem]) -> dict[str, int]:
        prefixed = [self.storage.prefixed_key(key) for key in limits]  # type: ignore[attr-defined]  # Redis's has it
        bounds = [bound for item in limits.values() for bound in (item.amount, item.get_expiry())]
        return dict(zip(limits, scripts.run("count", prefixed, bounds), strict=False))


def _limits_of_view() -> dict[str, RateLimitItem]:
    """What counts at the view that answers this request, by the name of its counter, in the order that it is asked."""
    endpoint = request.endpoint or ""
    view = get_qualified_name(current_app.view_functions[endpoint])
    return {
        one.limit.key_for(one.key_func(), one.scope_for(endpoint, request.method)): one.limit
        for one in sorted(limiter.limit_manager.decorated_limits(view), key=lambda one: one.limit)
    }


STRATEGIES["counted-together"] = CountedTogether


def init_app(app: Flask, config: Config) -> None:
    """Count every request of ``app``. A Redis that is away must cost little: short timeouts, then limits in memory."""
    url, options = storage_of(config.limiter_url)
    app.config.update(
        RATELIMIT_STORAGE_URI=url,
        RATELIMIT_STORAGE_OPTIONS=options,
        RATELIMIT_STRATEGY="counted-together",
        RATELIMIT_DEFAULT=config.limit_default,
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
    )
    limiter.init_app(app)


def storage_of(url: str) -> tuple[str, dict[str, Any]]:
    """The address and options of the library's storage for a Redis URL."""
    patience: dict[str, Any] = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}
    if not url.startswith(SENTINEL):
        return url, patience
    # counts are read where they are written, and the library takes the database apart
    base, database = split_database(url)
    return base, {**patience, "db": database, "use_replicas": False, "sentinel_kwargs": patience}


def seconds_until_allowed() -> int:
    """For a request that was just refused: after how many seconds its limit opens again."""
    limit = limiter.current_limit
    return max(1, math.ceil(limit.reset_at - time.time())) if limit else 1


def by_account() -> str:
    """Key of a limit per account; per address where nobody is known to be asking. Set by ``who.recognise``."""
    account: str | None = g.get("asking")
    return account or get_remote_address()

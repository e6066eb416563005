"""How fast anyone may ask: Flask-Limiter with its counts in Redis, or in this process while Redis is away."""

import math
import time
from typing import Any

from flask import Flask, g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from storefront.config import Config
from storefront.stores.connection import SENTINEL, split_database

limiter = Limiter(key_func=get_remote_address)


def init_app(app: Flask, config: Config) -> None:
    """Count every request of ``app``. A Redis that is away must cost little: short timeouts, then limits in memory."""
    url, options = storage_of(config.limiter_url)
    app.config.update(
        RATELIMIT_STORAGE_URI=url,
        RATELIMIT_STORAGE_OPTIONS=options,
        RATELIMIT_STRATEGY="fixed-window",
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

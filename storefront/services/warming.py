"""Warming up: what the first purchases would wait for is done before they come."""

import logging

from redis.exceptions import RedisError

from storefront.domain.errors import LedgerDown
from storefront.shop import Shop

log = logging.getLogger(__name__)

SCRIPTS = {"reserve", "confirm"}
"""What a purchase runs."""

CONNECTIONS = 8
"""Connections to Redis that are open from the start; more are opened when they are needed."""


def warm(shop: Shop) -> None:
    """Connect to Redis and the ledger, and have Redis know the scripts.

    Whichever is away now is left for whoever needs it first, as it would be without this.
    """
    try:
        shop.memory.warm(CONNECTIONS, SCRIPTS)
        shop.ledger.warm()
    except (RedisError, LedgerDown) as fault:
        log.info("not warmed up: %s", fault)

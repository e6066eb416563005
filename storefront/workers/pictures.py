"""The job that fetches pictures from other hosts: it waits for strangers, so it has a process of its own."""

from functools import cache

from storefront import config
from storefront.services import pictures
from storefront.shop import Shop

QUEUE = "pictures"
EVERY = 2
"""Seconds between two looks."""

TIMEOUT = 60
"""Seconds after which RQ ends a run, whatever a stranger does to hold it up."""


@cache
def _shop() -> Shop:
    return Shop(config.from_environment())


def fetch_due() -> int:
    """The job: fetch the pictures whose time it is. Returns how many are stored."""
    return pictures.fetch_due(_shop())

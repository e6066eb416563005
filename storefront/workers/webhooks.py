"""The job that tells merchants of events: it waits for strangers, so it has processes of its own."""

from functools import cache

from storefront import config
from storefront.services import webhooks
from storefront.shop import Shop

QUEUE = "webhooks"
EVERY = 1
"""Seconds between two looks."""

TIMEOUT = 60
"""Seconds after which RQ ends a run, whatever a stranger does to hold it up."""


@cache
def _shop() -> Shop:
    return Shop(config.from_environment())


def deliver_due() -> int:
    """The job: tell merchants what is due. Returns how much of it was taken."""
    return webhooks.deliver_due(_shop())

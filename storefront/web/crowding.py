"""Accounts that were registered in a row, as account farms are: whoever comes after the first few is put on probation.

Limits can't keep a farm from its share of a sale: it needs no more requests than it has accounts. What tells it from
people is that its accounts come from one address. So do those of people behind a carrier's or a venue's, which is why
an account on probation is put back by seconds (``sale.PUT_BACK``) rather than refused.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import request
from limits import parse_many
from redis.exceptions import RedisError

from storefront.domain.address import networks_around
from storefront.domain.errors import Refused
from storefront.web.counting import Counters
from storefront.web.faces import shop
from storefront.web.limits import is_allowed, limiter

log = logging.getLogger(__name__)

SCOPE = "crowd"
"""What these counters are named for in the limits' storage."""


@contextmanager
def counted() -> Iterator[bool]:
    """A block that claims a name for a new account: whether more were made there than in people's homes.

    It is counted beforehand, so that it is of no use to register many at once, and only taken back where the claim was
    refused: whatever goes wrong later, the account may be there.
    """
    bounds = [] if is_allowed() or not shop().config.crowd else parse_many(shop().config.crowd)
    around = networks_around(request.remote_addr or "")
    crowd = [(one, network, one.amount * homes) for one in bounds for network, homes in around]
    counters = Counters(limiter.limiter.storage)
    names = [counters.name(one, network, SCOPE) for one, network, _ in crowd]
    try:
        counts = counters.add((name, 1, one.get_expiry()) for name, (one, _, _) in zip(names, crowd, strict=True))
    except RedisError as fault:
        log.warning("a crowd that registers would not be seen, the limits' Redis does not answer: %s", fault)
        yield False
        return
    try:
        yield any(number > most for (number, _), (_, _, most) in zip(counts, crowd, strict=True))
    except Refused:
        with suppress(RedisError):
            counters.take_back(names)
        raise

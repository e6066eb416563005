"""Accounts that were registered in a row, as account farms are: whoever comes after the first few is put on probation.

Limits can't keep a farm from its share of a sale: it needs no more requests than it has accounts. What tells it from
people is that its accounts come from one address. So do those of people behind a carrier's or a venue's, which is why
an account on probation is put back by seconds (``sale.PUT_BACK``) rather than refused.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from limits import parse_many
from redis.exceptions import RedisError

from storefront.web.faces import shop
from storefront.web.limits import Counters, by_address, is_allowed, limiter

log = logging.getLogger(__name__)

SCOPE = "crowd"
"""What these counters are named for in the limits' storage."""


@contextmanager
def counted() -> Iterator[bool]:
    """A block that registers an account for whoever asks: whether more were registered there than people's homes have.

    An account counts when it was made, but first when it is begun, so that it is of no use to register many at once.
    """
    crowd = [] if is_allowed() or not shop().config.crowd else parse_many(shop().config.crowd)

    def count(number: int) -> list[tuple[int, float]]:
        counters = Counters(limiter.limiter.storage)
        names = [counters.name(one, by_address(), SCOPE) for one in crowd]
        return counters.add((name, number, one.get_expiry()) for name, one in zip(names, crowd, strict=True))

    try:
        counts = count(1)
    except RedisError as fault:
        log.warning("a crowd that registers would not be seen, the limits' Redis does not answer: %s", fault)
        yield False
        return
    try:
        yield any(number > one.amount for (number, _), one in zip(counts, crowd, strict=True))
    except BaseException:
        with suppress(RedisError):
            count(-1)
        raise

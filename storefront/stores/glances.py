"""Sales as they were a moment ago, for the many who merely watch: each process asks Redis once a second at most.

What is remembered is a sale's counts. Its phase follows from the clock, which goes on: a sale that was read before it
began is seen to begin at its second.
"""

import time
from collections import OrderedDict

from storefront.domain.sale import Look
from storefront.stores.sales import Sales

FRESH = 1.0
"""Seconds for which a sale that was read is not read again."""

MOST = 1000
"""How many sales are remembered."""


class Glances:
    """Reads sales for watchers. Threads may share it."""

    def __init__(self, sales: Sales) -> None:
        self._sales = sales
        self._seen: OrderedDict[str, tuple[float, Look]] = OrderedDict()

    def of(self, sale_id: str) -> Look | None:
        """A sale as it was within the last second, at the time it is now. At most one round trip.

        The clock is carried on from before Redis was asked, so it is never behind Redis's own.
        """
        asked = time.monotonic()
        read, look = self._seen.get(sale_id, (0.0, None))
        if look is None or asked - read >= FRESH:
            look = next(iter(self._sales.look([sale_id])), None)
            if look is None:
                return None
            read = asked
            self._seen[sale_id] = read, look
            while len(self._seen) > MOST:
                self._seen.popitem(last=False)
        return look.later(time.monotonic() - read)

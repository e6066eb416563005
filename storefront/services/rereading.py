"""The ledger's own story: every sale and order as the records tell it, read from the first line on, without Redis."""

import time
from collections import deque
from collections.abc import Callable

from storefront.domain.errors import LedgerDown
from storefront.domain.ids import tag_of
from storefront.domain.replay import Replay, ReplayedSale
from storefront.gateways.ledger import ORDERS, SILENCE, Line, Reader
from storefront.shop import Shop

APPLY_TIMEOUT = 10.0
"""Seconds to wait for the order worker to apply what was read."""

Partition = tuple[str, int]


class Story:
    """What the ledger tells, of the products with these ``tags`` or of all. It goes on as far as it is asked to."""

    def __init__(self, shop: Shop, reader: Reader, tags: frozenset[str] | None) -> None:
        self._shop = shop
        self._reader = reader
        partitions = [one for one in shop.ledger.partitions if one[0] == ORDERS]

        def wanted(sale: str) -> bool:
            return tags is None or tag_of(sale) in tags

        self.replays = {one: Replay(wanted) for one in partitions}
        self._offsets = dict.fromkeys(partitions, 0)
        self._ahead: dict[Partition, deque[Line]] = {one: deque() for one in partitions}
        reader.assign(partitions)
        for one in partitions:
            reader.seek(one, 0)

    def partition_of(self, sale: str) -> Partition | None:
        """Where a sale's records stand, if there are any."""
        return next((one for one, replay in self.replays.items() if sale in replay.sales), None)

    def sale(self, sale: str) -> ReplayedSale | None:
        """A sale as far as it is told."""
        partition = self.partition_of(sale)
        return self.replays[partition].sales[sale] if partition else None

    def read_on(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> None:
        """Go on to where the ledger ends now, and wait until the order worker was there too.

        Raises LedgerDown, and Overloaded if no order worker comes there.
        """
        ends = {one: self._reader.end(one) for one in self.replays}
        while any(self._offsets[one] < end for one, end in ends.items()):
            self._more()
            for one, end in ends.items():
                self._tell(one, end)
            progress(sum(self._offsets.values()), sum(ends.values()))
        for one, end in ends.items():
            if end:
                self._shop.positions.wait(*one, end - 1, APPLY_TIMEOUT)

    def read_to(self, partition: Partition, offset: int) -> None:
        """Go on in one partition up to this line, and no further."""
        self._tell(partition, offset)
        while self._offsets[partition] < offset:
            self._more()
            self._tell(partition, offset)

    def _more(self) -> None:
        deadline = time.monotonic() + SILENCE
        while time.monotonic() < deadline:
            for partition, lines in self._reader.poll(1.0):
                self._ahead[partition].extend(lines)
                deadline = 0.0
        if deadline:
            raise LedgerDown

    def _tell(self, partition: Partition, offset: int) -> None:
        ahead, replay = self._ahead[partition], self.replays[partition]
        while ahead and ahead[0].offset < offset:
            line = ahead.popleft()
            if line.record is not None:
                replay.apply(line.record, line.offset)
            self._offsets[partition] = line.offset + 1

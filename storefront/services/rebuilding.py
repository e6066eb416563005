"""Rebuilding Redis from the ledger at an operator's wish: what order workers do by themselves, without one.

It may run beside order workers and beside itself: the scripts pass over what was applied before.
"""

import time
from collections.abc import Callable
from contextlib import closing

from storefront.domain.errors import LedgerDown
from storefront.gateways.ledger import Reader
from storefront.services.applying import GoBack, Partition, apply
from storefront.services.following import Name, begin, behind_the_last, look_back, sign
from storefront.shop import Shop
from storefront.stores.positions import Position

SILENCE = 30.0
"""Seconds in which nothing comes closer to the end, after which the ledger counts as down."""

PIECE = 2_000
"""Records applied before progress is told."""

Progress = Callable[[int, int], None]


def rebuild(shop: Shop, progress: Progress = lambda _done, _all: None) -> int:
    """Apply what Redis lacks of the ledger, and sign the epoch in force, so that the shop sells.

    Returns how many records Redis lacked; 0 if it held everything. ``progress`` is told how many were applied, of how
    many. Raises LedgerDown, and LedgerCut where the ledger has lost its end, which an order worker mends.
    """
    while True:
        try:
            with closing(shop.ledger.reader()) as reader:
                return _Rebuilding(shop, reader).run(progress)
        except GoBack:
            continue  # Redis was restarted meanwhile: from where it stands now


class _Rebuilding:
    """One replay in one epoch."""

    def __init__(self, shop: Shop, reader: Reader) -> None:
        self._shop = shop
        self._reader = reader
        self._partitions: dict[Name, Partition] = {}
        begin(shop, reader, self._partitions, shop.ledger.partitions)
        self._starts = {name: one.position.offset for name, one in self._partitions.items()}
        self._ends = {name: reader.end(name) for name in self._partitions}
        self._signing: dict[Name, Position] = {}

    def run(self, progress: Progress) -> int:
        total = sum(self._ends.values()) - sum(self._starts.values())
        deadline = time.monotonic() + SILENCE
        while not self._is_whole():
            for name, lines in self._reader.poll(0.2, PIECE):
                partition = self._partitions[name]
                fresh = behind_the_last(partition, lines)
                if fresh:
                    apply(self._shop, partition, fresh)
                    deadline = time.monotonic() + SILENCE
            done = sum(min(one.position.offset, self._ends[name]) for name, one in self._partitions.items())
            progress(done - sum(self._starts.values()), total)
            if time.monotonic() > deadline:
                raise LedgerDown
        return total

    def _is_whole(self) -> bool:
        """Whether Redis holds everything, under the epoch in force. Signs what only lacks that. Raises GoBack."""
        whole = True
        held = self._shop.positions.all_at(list(self._partitions))
        for (name, partition), now in zip(self._partitions.items(), held, strict=True):
            if now.epoch != partition.position.epoch or now.offset < partition.position.offset:
                raise GoBack
            applied = now.offset >= self._ends[name]
            whole = whole and applied and now.signed == now.epoch
            may_sign = applied and not partition.looking_back  # the ledger may have been cut
            if may_sign and now.signed != now.epoch and self._signing.get(name) != now:
                sign(self._shop, partition, now)
                self._signing[name] = now
            if now.offset > partition.position.offset and not partition.looking_back:
                partition.position = now  # an order worker is faster
                look_back(self._reader, partition)
        return whole

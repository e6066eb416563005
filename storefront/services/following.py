"""Following the ledger from the positions that Redis holds: what the order worker and a rebuild have in common."""

import logging
from collections.abc import Iterable, Mapping

from storefront.domain.records import Signed
from storefront.gateways.ledger import ACCOUNTS, Line, Reader
from storefront.services.applying import LedgerCut, Partition
from storefront.shop import Shop
from storefront.stores.positions import AGAIN, Position

log = logging.getLogger(__name__)

Name = tuple[str, int]

MANY = 3_000
"""Records left to apply from which on a replay is worth telling of."""

EVERY = 10_000
"""Records between two sentences about a replay."""


def begin(shop: Shop, reader: Reader, partitions: dict[Name, Partition], names: list[Name]) -> None:
    """Have ``partitions`` hold these too, and read all of them from where Redis stands. Raises LedgerCut."""
    if (ACCOUNTS, 0) in names:
        shop.positions.ready_accounts()
    for name, position in zip(names, shop.positions.all_at(names), strict=True):
        partitions[name] = Partition(*name, position)
    reader.assign(partitions)
    for partition in partitions.values():
        if reader.end(partition.name) < partition.position.offset:
            raise LedgerCut(partition)
        look_back(reader, partition)


def can_look_back(partition: Partition) -> bool:
    """Whether it is known which line was applied last. While a mended ledger is read again it isn't."""
    return partition.position.record not in ("", AGAIN)


def look_back(reader: Reader, partition: Partition) -> None:
    """Read the line once more that was applied last, to see that the ledger still holds it."""
    partition.looking_back = can_look_back(partition)
    reader.seek(partition.name, partition.position.offset - int(partition.looking_back))


def behind_the_last(partition: Partition, lines: list[Line]) -> list[Line]:
    """``lines`` without the one that was read once more. Raises LedgerCut if that isn't the one applied last."""
    if partition.looking_back:
        first, *lines = lines
        if first.offset != partition.position.offset - 1 or first.id != partition.position.record:
            raise LedgerCut(partition)
        partition.looking_back = False
    return lines


def sign(shop: Shop, partition: Partition, now: Position) -> None:
    """Begin the epoch in force in the ledger. Redis may have restarted, so it writes its file anew.

    A signature that doesn't succeed the one before it in the ledger doesn't count, and is sent again.
    """
    signed = Signed(at=shop.memory.now_ms(), epoch=now.epoch, succeeds=now.signed)
    shop.memory.rewrite_log()
    shop.ledger.append(signed, to=partition.name)


class Tale:
    """Tells in the log how far a long replay is."""

    def __init__(self) -> None:
        self._goals: dict[Name, tuple[int, int]] = {}
        self._told = 0

    def begin(self, partitions: Iterable[Partition], reader: Reader) -> None:
        """A replay of these begins, if much is left to apply."""
        for partition in partitions:
            start, end = partition.position.offset, reader.end(partition.name)
            if end - start > MANY and partition.name not in self._goals:
                self._goals[partition.name] = (start, end)
                self._told = -EVERY

    def go_on(self, partitions: Mapping[Name, Partition]) -> None:
        """Tell how far it is, now and then. Those that are read by others by now are no longer told of."""
        self._goals = {name: goal for name, goal in self._goals.items() if name in partitions}
        if not self._goals:
            return
        total = sum(end - start for start, end in self._goals.values())
        done = sum(min(partitions[name].position.offset, end) - start for name, (start, end) in self._goals.items())
        if done >= total or done - self._told >= EVERY:
            log.info("rebuilding: %s of %s records", f"{done:,}", f"{total:,}")
            self._told = done
        if done >= total:
            self._goals = {}

    def end(self) -> None:
        """The replay was cut short."""
        self._goals = {}

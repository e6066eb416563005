"""The audit: does Redis hold what the ledger says, and do the units of every sale add up?

It reads the ledger from its first line, by rules of its own (``domain/replay.py``), and compares. The shop may go on
selling meanwhile: what differs is looked at again after the ledger has been read on, and counts only if it stays.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from storefront.domain.order import PLACING
from storefront.domain.replay import Replay, ReplayedSale
from storefront.domain.sale import Sale
from storefront.gateways.ledger import ORDERS, Reader
from storefront.shop import Shop

LOOKS = 5
"""How often a sale is looked at before what differs counts."""

APPLY_TIMEOUT = 10.0
"""Seconds to wait for the order worker to apply what was read."""


@dataclass
class Finding:
    """What the audit found for one sale. ``differences`` are sentences; none means that it adds up."""

    sale: Sale
    differences: list[str] = field(default_factory=list)


def audit(shop: Shop, progress: Callable[[int, int], None] = lambda _done, _all: None) -> list[Finding]:
    """Audit every sale. ``progress`` is told how many lines were read, of how many.

    Raises LedgerDown, and Overloaded if no order worker applies the ledger.
    """
    findings: list[Finding] = []
    partitions = [one for one in shop.ledger.partitions if one[0] == ORDERS]
    with closing(shop.ledger.reader()) as reader:
        reader.assign(partitions)
        total, done = sum(reader.end(one) for one in partitions), 0
        for partition in partitions:
            story = _Story(shop, reader, partition)
            done += story.read_on(lambda lines, before=done: progress(before + lines, total))  # type: ignore[misc]
            findings += story.compared()
    return findings


class _Story:
    """One partition: the ledger's side of it, read as far as it goes."""

    def __init__(self, shop: Shop, reader: Reader, partition: tuple[str, int]) -> None:
        self._shop = shop
        self._reader = reader
        self._partition = partition
        self._replay = Replay()
        self._offset = 0

    def read_on(self, progress: Callable[[int], None] = lambda _lines: None) -> int:
        """Read to the end, and wait until the order worker was there too. Returns how many lines were read in all."""
        self._reader.assign([self._partition])
        self._reader.seek(self._partition, self._offset)
        end = self._reader.end(self._partition)
        while self._offset < end:
            for _, lines in self._reader.poll(1.0):
                for line in lines:
                    if line.record is not None:
                        self._replay.apply(line.record)
                self._offset = lines[-1].offset + 1
                progress(self._offset)
        if end:
            self._shop.positions.wait(*self._partition, end - 1, APPLY_TIMEOUT)
        return self._offset

    def compared(self) -> list[Finding]:
        """A finding for every sale of the partition."""
        wanted = set(self._shop.sales.of_partition(self._partition[1])) | self._replay.sales.keys()
        settled: dict[str, Finding] = {}
        for look in range(LOOKS):
            settled |= self._looked_at(wanted - {sale for sale, found in settled.items() if not found.differences})
            if not any(found.differences for found in settled.values()):
                break
            if look < LOOKS - 1:
                self.read_on()
        return list(settled.values())

    def _looked_at(self, sale_ids: set[str]) -> dict[str, Finding]:
        orders = self._shop.orders.all_of(sale_ids)
        found: dict[str, Finding] = {}
        for sale in self._shop.sales.some(sorted(sale_ids)):
            states = {order: fields["state"] for order, fields in orders[sale.id]}
            found[sale.id] = Finding(sale, _differences(sale, states, self._replay.sales.get(sale.id)))
        return found


def _differences(sale: Sale, states: dict[str, str], told: ReplayedSale | None) -> list[str]:
    if told is None:
        return ["the ledger knows nothing of this sale"]
    found: list[str] = []
    if sale.units.total != sale.terms.num:
        found.append(f"the units add up to {sale.units.total}, not {sale.terms.num}")
    counts = {"unpaid": told.units.unpaid, "paid": told.units.paid}
    counts["reserved"] = sum(state in PLACING for state in states.values())
    for name, count in counts.items():
        if getattr(sale.units, name) != count:
            found.append(f"Redis counts {getattr(sale.units, name)} {name}, the orders say {count}")
    for order in sorted(states.keys() | told.orders.keys()):
        here, there = states.get(order, "unknown"), told.orders.get(order)
        if here not in PLACING and here != (there.state if there else "unknown"):
            found.append(f"order {order} is {here} in Redis, {there.state if there else 'unknown'} in the ledger")
    return found

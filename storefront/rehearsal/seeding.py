"""Many accounts at once, through the ledger and applied by the order worker, as all that the shop knows.

A crowd can't be registered over HTTP: argon2 alone would take hours. So the accounts share one password's hash, and
what the web would append to the ledger is appended here.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from storefront.domain.account import Account, Profile
from storefront.domain.ids import new_account_id
from storefront.domain.records import Record
from storefront.gateways.ledger import ACCOUNTS, Receipt
from storefront.services import accounts, passwords
from storefront.shop import Shop

ROW = 2000
"""Records that are appended together."""

PATIENCE = 1800.0
"""Seconds that the order worker may take for the last of the records, once all are appended."""


@dataclass(frozen=True)
class Seeded:
    """How long it took: ``appended`` in seconds until all stood in the ledger, ``applied`` until all were applied."""

    records: int
    appended: float
    applied: float

    @property
    def rate(self) -> float:
        """Records applied a second."""
        return self.records / self.applied


def people(shop: Shop, size: int, first: int, password: str) -> Iterator[Account]:
    """So many accounts, numbered from ``first`` on, all with the one password. They are made as they are asked for."""
    stored = passwords.hashed(password, shop.config.password_memory)
    for number in range(first, first + size):
        profile = Profile(f"shopper {number}", 20, "Loopback Lane 1", "https://example.org/a.png")
        yield Account(new_account_id(), profile, stored)


def register(shop: Shop, who: Iterable[Account], ago: int = 0) -> Seeded:
    """Register accounts, as of so many seconds ago."""
    at, epoch = shop.memory.now_ms() - ago * 1000, epoch_of(shop, (ACCOUNTS, 0))
    return seed(shop, (accounts.registration(account, at, epoch) for account in who))


def epoch_of(shop: Shop, partition: tuple[str, int]) -> str:
    """The epoch signed in a partition of the ledger."""
    (held,) = shop.positions.all_at([partition])
    return held.signed


def seed(shop: Shop, records: Iterator[Record]) -> Seeded:
    """Append records, and wait until they are applied. Raises LedgerDown and Overloaded."""
    began, size = time.monotonic(), 0
    last: dict[tuple[str, int], Receipt] = {}
    while row := list(islice(records, ROW)):
        size += len(row)
        for receipt in shop.ledger.append_all(row):
            last[receipt.topic, receipt.partition] = receipt
    appended = time.monotonic()
    for receipt in last.values():
        shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, PATIENCE)
    return Seeded(size, appended - began, time.monotonic() - began)

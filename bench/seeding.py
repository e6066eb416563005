"""Many accounts and orders at once, through the ledger and applied by the order worker, as all that the shop knows.

A million people can't be registered over HTTP: argon2 alone would take the day. So the accounts share one password's
hash, and what the web would append to the ledger is appended here.
"""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.stage import Stage
from storefront.domain.account import Account, Profile
from storefront.domain.ids import new_account_id, new_order_id
from storefront.domain.records import Record, Requested
from storefront.domain.sale import Sale
from storefront.gateways.ledger import ACCOUNTS, Receipt
from storefront.services import accounts, passwords, tokens
from storefront.shop import Shop

PASSWORD = "a shopper's password"  # noqa: S105 - of accounts that live as long as the benchmark
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


def people(shop: Shop, size: int, first: int = 0) -> Iterator[Account]:
    """So many accounts, numbered from ``first`` on, all with the one password. They are made as they are asked for."""
    password = passwords.hashed(PASSWORD, shop.config.password_memory)
    for number in range(first, first + size):
        profile = Profile(f"shopper {number}", 20, "Loopback Lane 1", "https://example.org/a.png")
        yield Account(new_account_id(), profile, password)


def register(stage: Stage, who: Iterable[Account]) -> Seeded:
    """Register accounts."""
    shop = stage.inside
    now, epoch = shop.memory.now_ms(), _epoch(shop, (ACCOUNTS, 0))
    return _seed(shop, (accounts.registration(account, now, epoch) for account in who))


def order(stage: Stage, sale: Sale, shoppers: Iterable[Account]) -> Seeded:
    """Place an order of one unit for each of these shoppers."""
    shop = stage.inside
    now, window = shop.memory.now_ms(), shop.config.payment_window * 1000
    partition = next(one for one in shop.ledger.partitions if sale.id in shop.sales.of_partition(one[1]))
    epoch = _epoch(shop, partition)
    requests = (
        Requested(
            at=now,
            sale=sale.id,
            order=new_order_id(sale.id),
            shopper=shopper.id,
            shopper_name=shopper.name,
            epoch=epoch,
            pay_by=now + window,
        )
        for shopper in shoppers
    )
    return _seed(shop, requests)


def _epoch(shop: Shop, partition: tuple[str, int]) -> str:
    (held,) = shop.positions.all_at([partition])
    return held.signed


def _seed(shop: Shop, records: Iterator[Record]) -> Seeded:
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


def presses(stage: Stage, who: Iterable[Account], file: Path) -> Path:
    """Write what each of these shoppers sends when they press the button, a line each."""
    config = stage.inside.config
    return _lines(file, ({"token": tokens.issue(one, config.secret, config.token_lifetime)} for one in who))


def logins(who: Iterable[Account], file: Path) -> Path:
    """Write what each of these people sends to log in, a line each."""
    return _lines(file, ({"name": one.name, "pass": PASSWORD} for one in who))


def _lines(file: Path, bodies: Iterable[dict[str, str]]) -> Path:
    with file.open("w") as out:
        for body in bodies:
            out.write(json.dumps(body) + "\n")
    return file

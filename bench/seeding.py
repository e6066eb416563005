"""Many accounts and orders at once, through the ledger (``storefront/rehearsal/seeding.py``), and what they send."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.stage import Stage
from storefront.domain.account import Account
from storefront.domain.ids import new_order_id
from storefront.domain.records import Requested
from storefront.domain.sale import Sale
from storefront.rehearsal import seeding
from storefront.rehearsal.seeding import Seeded
from storefront.services import tokens
from storefront.shop import Shop

PASSWORD = "a shopper's password"  # noqa: S105 - of accounts that live as long as the benchmark


def people(shop: Shop, size: int, first: int = 0) -> Iterator[Account]:
    """So many accounts, numbered from ``first`` on, all with the one password. They are made as they are asked for."""
    return seeding.people(shop, size, first, PASSWORD)


def register(stage: Stage, who: Iterable[Account], ago: int = 0) -> Seeded:
    """Register accounts, as of so many seconds ago."""
    return seeding.register(stage.inside, who, ago)


def order(stage: Stage, sale: Sale, shoppers: Iterable[Account]) -> Seeded:
    """Place an order of one unit for each of these shoppers."""
    shop = stage.inside
    now, window = shop.memory.now_ms(), shop.config.payment_window * 1000
    partition = next(one for one in shop.ledger.partitions if sale.id in shop.sales.of_partition(one[1]))
    epoch = seeding.epoch_of(shop, partition)
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
    return seeding.seed(shop, requests)


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

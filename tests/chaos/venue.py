"""Where a chaos run takes place: a whole real shop with two of everything, on some kind of Redis and of broker."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from storefront.domain.account import Account
from storefront.domain.errors import LedgerDown, Refused
from storefront.domain.sale import Sale, Terms
from storefront.gateways.ledger import ORDERS
from storefront.local.kafka import KafkaCluster
from storefront.local.kafka import available as kafka_missing
from storefront.local.process import Process
from storefront.local.shop import LocalShop
from storefront.services import selling
from storefront.shop import Shop
from storefront.stores import keys
from tests.chaos.sentinels import ReplicatedRedis
from tests.conftest import SETTINGS, config_of, unique

PAYMENT_WINDOW = 15
OFFER_WINDOW = 5
SEND_TIMEOUT = 1.0
BACK_WITHIN = 60.0
"""Seconds within which the shop must sell again, and every leaked unit must be back, once a fault's cause has ended."""

OVERDUE_MS = 3000
"""Milliseconds that a sweep may take to look at what is due."""

DISK = "24m"
"""Size of Redis's disk where it is to be filled."""


@dataclass(frozen=True)
class Kind:
    """A kind of venue. ``brokers`` is how many Apache Kafka brokers, 0 for the embedded one."""

    name: str
    brokers: int = 0
    sentinels: bool = False
    replicas: int = 0
    small_disk: bool = False


@dataclass
class Venue:
    """A running shop: its processes by name, and its stores and ledger as opened here."""

    kind: Kind
    local: LocalShop
    inside: Shop
    processes: dict[str, Process]
    kafka: KafkaCluster | None = None
    redis: ReplicatedRedis | None = None
    sales: list[Sale] = field(default_factory=list)

    def open_sale(self, units: int, merchant: Account | None = None, *, draws_for: int = 0) -> Sale:
        """Open a sale that lasts for hours. For some seconds from now on it may draw its units."""
        now = self.inside.memory.now_ms() // 1000
        begins = now if draws_for else now - 60
        terms = Terms(unique("chaos"), units, "x", begins, now + 4 * 3600, price=100, draw=draws_for)
        self.sales.append(selling.open_sale(self.inside, merchant, terms).sale)
        return self.sales[-1]

    def is_open(self) -> bool:
        """Whether everything is applied under the epoch in force, the sales too."""
        if not self.inside.is_open():
            return False
        (held,) = self.inside.positions.all_at([("accounts", 0)])
        return all(self.inside.memory.field(keys.sale(sale.id), "signed") == held.epoch for sale in self.sales)

    def units_to_come(self) -> int:
        """Units that are reserved and not yet ordered, and orders that the sweep should have looked at by now."""
        overdue = self.inside.memory.now_ms() - OVERDUE_MS
        ids = [sale.id for sale in self.sales]
        unseen = [self.inside.memory.redis.zcount(keys.agenda(sale), "-inf", overdue) for sale in ids]
        return sum(unseen) + sum(sale.units.reserved for sale in self.inside.sales.some(ids))

    def busiest_partition(self) -> tuple[str, int]:
        """Topic and number of the partition in which the first sale's records stand."""
        first = self.sales[0].id
        return next(
            (self.inside.config.topic_prefix + topic, number)
            for topic, number in self.inside.ledger.partitions
            if topic == ORDERS and first in self.inside.sales.of_partition(number)
        )

    def roles(self, kind: str) -> list[Process]:
        """The processes "orders", "orders-2", … for "orders"."""
        return [process for name, process in self.processes.items() if name.partition("-")[0] == kind]


def within(seconds: float, look: Callable[[], Any]) -> Any:
    """What ``look`` returns once that is true, or its last answer after so many seconds.

    A shop that refuses or doesn't answer is asked again.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = None
        with contextlib.suppress(RedisError, LedgerDown, Refused):
            found = look()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


@contextmanager
def opened(kind: Kind, folder: Path) -> Iterator[Venue]:
    """Start a venue; everything is stopped at the end. Raises CannotStart."""
    with ExitStack() as stack:
        env = {
            **SETTINGS,
            "STOREFRONT_PAYMENT_WINDOW": str(PAYMENT_WINDOW),
            "STOREFRONT_OFFER_WINDOW": str(OFFER_WINDOW),
            "STOREFRONT_SEND_TIMEOUT": str(SEND_TIMEOUT),
            "STOREFRONT_REPLICAS": str(kind.replicas),
        }
        kafka = redis = None
        if kind.brokers:
            kafka = stack.enter_context(KafkaCluster(folder / "kafka", kind.brokers))
            env |= {"STOREFRONT_KAFKA": kafka.servers, "STOREFRONT_REPLICATION": str(kind.brokers)}
        if kind.sentinels:
            redis = stack.enter_context(ReplicatedRedis(folder / "replicated"))
            env["STOREFRONT_REDIS_URL"] = redis.url
        if kind.small_disk:
            stack.enter_context(_small_disk(folder / "shop" / "redis"))
        local = stack.enter_context(LocalShop(folder / "shop", web_processes=2, workers=2, env=env))
        inside = Shop(config_of(local))
        stack.callback(inside.close)
        within(BACK_WITHIN, inside.is_open)
        processes = {
            **(redis.processes if redis else {}),
            **(kafka.processes if kafka else {}),
            **local.processes,
        }
        yield Venue(kind, local, inside, processes, kafka, redis)


def missing(kind: Kind) -> str | None:
    """Why this kind of venue can't be had here, or None."""
    if kind.brokers:
        return kafka_missing()
    if kind.small_disk and (shutil.which("mount") is None or os.geteuid() != 0):
        return "Only root may mount the small disk that is to be filled."
    return None


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

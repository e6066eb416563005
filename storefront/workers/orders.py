"""The order worker: reads the ledger in order and applies it. Any number may run; leases share the partitions out.

It keeps nothing of its own. Whatever it loses (its life, Redis, the broker), it goes back to the positions that Redis
holds, and reads on from there.
"""

import logging
import os
import secrets
import threading
import time

from redis.exceptions import RedisError

from storefront.domain.errors import LedgerDown
from storefront.gateways.ledger import ACCOUNTS, Reader, sign
from storefront.services.applying import GoBack, Partition, apply
from storefront.shop import Shop

log = logging.getLogger(__name__)

LEASE = 5.0
"""Seconds that a lease on a partition lasts without renewal."""

WAIT = 0.2
"""Seconds to wait for new lines before leases and epoch are looked at again."""

PAUSE = 0.5
"""Seconds to wait after a fault."""


class OrderWorker:
    """Reads its share of the ledger until told to stop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._reader: Reader | None = None
        self._shared = 0.0
        self._signing: dict[tuple[str, int], str] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. A fault of Redis or the broker is waited out."""
        while not stop.is_set():
            try:
                self.step()
            except GoBack:
                log.warning("Redis's history changed; going back to the position that it holds")
                self._forget()
            except (RedisError, LedgerDown) as fault:
                log.warning("%s: %s; trying again", type(fault).__name__, fault.__cause__ or fault)
                self._forget()
                stop.wait(PAUSE)
        self._leave()

    def step(self) -> None:
        """Look at leases and epoch, and apply what has come. Raises GoBack, RedisError, LedgerDown."""
        if time.monotonic() - self._shared > LEASE / 3:
            self._share()
        self._follow_epoch()
        if self._reader is None or not self._partitions:
            time.sleep(WAIT)
            return
        for name, lines in self._reader.poll(WAIT):
            partition = self._partitions.get(name)
            if partition is None:
                continue
            fresh = [line for line in lines if line.offset >= partition.position.offset]
            if fresh:
                apply(self._shop, partition, fresh)

    def _share(self) -> None:
        mine = self._shop.positions.share(
            self._name, self._shop.ledger.partitions, set(self._partitions), int(LEASE * 1000)
        )
        self._shared = time.monotonic()
        if self._reader is None:
            self._reader = self._shop.ledger.reader()
        if mine != set(self._partitions):
            log.info("reading %s", ", ".join(f"{topic}/{number}" for topic, number in sorted(mine)) or "nothing")
            self._partitions = {name: known for name, known in self._partitions.items() if name in mine}
            self._take(self._reader, sorted(mine - set(self._partitions)))

    def _take(self, reader: Reader, names: list[tuple[str, int]]) -> None:
        if (ACCOUNTS, 0) in names:
            self._shop.positions.ready_accounts()
        for name, position in zip(names, self._shop.positions.all_at(names), strict=True):
            self._partitions[name] = Partition(*name, position)
        reader.assign(self._partitions)
        for partition in self._partitions.values():
            reader.seek(partition.name, partition.position.offset)

    def _follow_epoch(self) -> None:
        """Go back if Redis holds less than this worker believes; begin a new epoch in the ledger where one began."""
        partitions = list(self._partitions.values())
        if not partitions:
            return
        for partition, held in zip(
            partitions, self._shop.positions.all_at([one.name for one in partitions]), strict=True
        ):
            believed = partition.position
            if held.epoch != believed.epoch or held.offset < believed.offset:
                raise GoBack
            if believed.signed != held.epoch and self._signing.get(partition.name) != held.epoch:
                sign(self._shop.ledger, partition.name, held.epoch, int(time.time() * 1000))
                self._signing[partition.name] = held.epoch

    def _forget(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader, self._partitions, self._shared = None, {}, 0.0
        self._signing.clear()

    def _leave(self) -> None:
        try:
            self._shop.positions.leave(self._name, set(self._partitions))
        except RedisError as fault:
            log.warning("leases not given back, they end by themselves: %s", fault)
        self._forget()

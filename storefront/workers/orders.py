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
from storefront.gateways.ledger import Line, Reader
from storefront.services.applying import GoBack, LedgerCut, Partition, apply
from storefront.services.following import Tale, begin, behind_the_last, can_look_back, look_back, sign
from storefront.services.restoring import restore
from storefront.shop import Shop
from storefront.stores.positions import AGAIN, Position

log = logging.getLogger(__name__)

LEASE = 5.0
"""Seconds that a lease on a partition lasts without renewal."""

WAIT = 0.2
"""Seconds to wait for new lines before leases and epoch are looked at again."""

NEARLY = 100
"""Lines that may be left to apply when a new epoch is signed."""

PAUSE_IN_LINES = 0.04
"""Seconds without lines after which the broker may have been away: less than the consumer's shortest reconnection."""

SIGN_AGAIN = 5.0
"""Seconds after which a signature that wasn't read is sent again: the ledger may have lost it unread."""

PAUSE = 0.5
"""Seconds to wait after a fault."""


LINGER, MANY = 0.03, 50
"""Seconds for which records may gather behind a step that applied some, but fewer than so many: a step costs nearly the
same for one as for fifty, and in a rush takes CPU that the web needs."""


class OrderWorker:
    """Reads its share of the ledger until told to stop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._reader: Reader | None = None
        self._shared = 0.0
        self._signing: dict[tuple[str, int], tuple[Position, float]] = {}
        self._tale = Tale()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. A fault of Redis or the broker is waited out."""
        while not stop.is_set():
            try:
                self.step()
            except GoBack:
                log.warning("Redis's history changed; going back to the position that it holds")
                self._forget()
            except LedgerCut as cut:
                self._mend(cut.partition)
            except (RedisError, LedgerDown) as fault:
                log.warning("%s: %s; trying again", type(fault).__name__, fault.__cause__ or fault)
                self._forget()
                stop.wait(PAUSE)
        self._leave()

    def step(self) -> None:
        """Look at leases and epoch, and apply what has come. Raises GoBack, RedisError, LedgerDown."""
        if time.monotonic() - self._shared > LEASE / 3:
            self._share()
        if self._reader is None or not self._partitions:
            time.sleep(WAIT)
            return
        self._follow_epoch(self._reader)
        applied, busy = 0, list[Partition]()
        for name, lines in self._reader.poll(WAIT):
            partition = self._partitions.get(name)
            if partition is not None and (fresh := self._follow_on(self._reader, partition, lines)):
                apply(self._shop, partition, fresh)
                self._tale.go_on(self._partitions)
                applied += len(fresh)
                busy.append(partition)
        if 0 < applied < MANY:
            time.sleep(LINGER)
            for partition in busy:  # no pause in the lines: a broker that went meanwhile makes one in the next poll
                partition.last_read += LINGER

    def _follow_on(self, reader: Reader, partition: Partition, lines: list[Line]) -> list[Line]:
        """Those of ``lines`` to apply now. Raises LedgerCut if they don't follow on what was applied last.

        A broker that lost its tail and took new records since looks whole. It must have been away for a moment, so
        after a pause in the lines the last one applied is read once more, and must still be there.
        """
        now = time.monotonic()
        paused = now - partition.last_read > PAUSE_IN_LINES
        partition.last_read = now
        if paused and can_look_back(partition) and not partition.looking_back:
            look_back(reader, partition)
            return []
        return behind_the_last(partition, lines)

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
        begin(self._shop, reader, self._partitions, names)
        self._tale.begin([self._partitions[name] for name in names], reader)

    def _follow_epoch(self, reader: Reader) -> None:
        """Go back if Redis holds less than this worker believes; begin a new epoch in the ledger where one began."""
        partitions = list(self._partitions.values())
        held = self._shop.positions.all_at([one.name for one in partitions])
        for partition, now in zip(partitions, held, strict=True):
            if now.epoch != partition.position.epoch or now.offset < partition.position.offset:
                raise GoBack
            if partition.position.record == AGAIN and reader.end(partition.name) <= partition.position.offset:
                raise LedgerCut(partition)  # it was cut again, and the mending with it
            if partition.looking_back:  # the ledger may have been cut: a signature would count before it is mended
                continue
            signing, since = self._signing.get(partition.name, (None, 0.0))
            if now.signed != now.epoch and (signing != now or time.monotonic() - since > SIGN_AGAIN):
                self._sign(reader, partition, now)

    def _sign(self, reader: Reader, partition: Partition, now: Position) -> None:
        """Begin the epoch in force, once nearly everything before it is applied."""
        if reader.end(partition.name) - now.offset < NEARLY:
            sign(self._shop, partition, now)
            self._signing[partition.name] = now, time.monotonic()

    def _mend(self, partition: Partition) -> None:
        try:
            restore(self._shop, partition)
        except GoBack:
            log.warning("the ledger is mended by another worker, or Redis's history changed; going back")
        except (RedisError, LedgerDown) as fault:
            log.warning("the ledger could not be mended yet: %s", fault.__cause__ or fault)
        self._forget()

    def _forget(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader, self._partitions, self._shared = None, {}, 0.0
        self._signing.clear()
        self._tale.end()

    def _leave(self) -> None:
        try:
            self._shop.positions.leave(self._name, set(self._partitions))
        except RedisError as fault:
            log.warning("leases not given back, they end by themselves: %s", fault)
        self._forget()

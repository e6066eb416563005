"""Sales as they were within the last tenth of a second, for refusing without asking Redis each time.

In a flash sale nearly every request is a no, and the answer hardly changes. So each process reads, with one call at
most every tenth of a second, how the sales stand that are asked for now. Whoever refuses by a snapshot is wrong for no
longer than its age; nobody accepts by one.
"""

import logging
import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, cast

from redis.exceptions import RedisError

from storefront.domain.account import Login
from storefront.domain.ban import Ban
from storefront.domain.errors import AllHeld, Ended, NotStarted, Refused, SaleCancelled, SalePaused, SoldOut
from storefront.stores import keys, logins
from storefront.stores.answers import field_of
from storefront.stores.bans import AT_ONCE, BEGINNING, Banned, entries_of
from storefront.stores.logins import EndedLogins
from storefront.stores.memory import Memory

log = logging.getLogger(__name__)

FRESH = 0.1
"""Seconds for which a snapshot is believed."""

PATIENCE = 0.25
"""Seconds that a caller may wait for another to read."""

MOST_BUYERS = 5000
"""Shoppers who hold units of a sale that are read at once."""

STEP = 5000
"""Of a larger sale so many are read at a time; until all are known, each is asked for, once."""

MOST_ABSENT = 200_000
"""Shoppers of such a sale who are remembered to hold nothing."""

MOST_SALES = 200
"""Sales that are looked at, at a time."""

NOT_SELLING: dict[str, type[Refused]] = {"paused": SalePaused, "sale_cancelled": SaleCancelled}
"""What a merchant may have done to a sale."""

KEPT = 10.0
"""Seconds after which a sale that nobody asks for is no longer looked at."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a sale stood. Times in ms; Redis's clock is ``least`` to ``most`` ahead of this process's monotonic one.

    ``sells`` is when units are to be had: where the sale draws, when the draw closes, else its begin.
    """

    sale: str
    begins: int
    sells: int
    ends: int
    taken: type[Refused] | None
    """Why nobody can have a unit who holds none, or None while there are units for sale."""
    least: float
    most: float
    mark: str
    buyers: Container[str] | None
    """The shoppers who hold units, if they are known."""
    absent: set[str] = field(default_factory=set)
    """Shoppers who were asked for under this mark, and hold none."""

    def refusal(self) -> type[Refused] | None:
        """What anybody who holds no unit is surely told now, or None where that isn't sure."""
        now = time.monotonic() * 1000
        if self.taken is SaleCancelled:
            return SaleCancelled
        if now + self.most < self.begins:
            return NotStarted
        if now + self.least >= self.ends:
            return Ended
        return self.taken if now + self.least >= self.sells else None


@dataclass(slots=True)
class _Scan:
    """Very many shoppers, read bit by bit under one mark: eight bytes for each, so that a million have room.

    Two of the same hash are taken for one: whoever is wrongly found here is asked for in earnest.
    """

    mark: str
    cursor: int = 0
    hashes: "array[int]" = field(default_factory=lambda: array("q"))
    done: bool = False

    def add(self, shoppers: list[str]) -> None:
        """These were read."""
        self.hashes.extend(map(hash, shoppers))

    def finish(self) -> None:
        """All were read."""
        self.hashes = array("q", sorted(self.hashes))
        self.done = True

    def __contains__(self, shopper: object) -> bool:
        place = bisect_left(self.hashes, hash(shopper))
        return place < len(self.hashes) and self.hashes[place] == hash(shopper)


@dataclass(slots=True)
class _Looked:
    """A product that is asked for; ``asked`` by the monotonic clock."""

    asked: float
    sale: str | None = None
    snapshot: Snapshot | None = None
    scan: _Scan | None = None


def _why_none(stock: int, unpaid: int, waiting: int, state: str, *, draws: bool) -> type[Refused] | None:
    """Why nobody can have a unit who holds none, by ``gauge.lua``; None while there are units for sale.

    Nor is it sure while those of a draw are handed out: whoever entered it is told something else.
    """
    if state in NOT_SELLING:
        return NOT_SELLING[state]
    if stock <= 0:
        return AllHeld if unpaid else SoldOut
    return AllHeld if waiting and not draws else None


class Snapshots:
    """Reads snapshots. Threads may share it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._products: dict[str, _Looked] = {}
        self._reading = threading.Lock()
        self._read = self._outdated = -1.0
        self._gone: frozenset[str] | None = None
        self._ended = EndedLogins()
        self._banned, self._bans_read = Banned(), BEGINNING

    def of(self, product: str) -> Snapshot | None:
        """The newest sale of a product as it was a moment ago, or None where nothing is known of it (yet)."""
        now = time.monotonic()
        looked = self._products.get(product)
        if looked is None and len(self._products) < MOST_SALES:
            looked = self._products[product] = _Looked(now)
        is_fresh = self._is_fresh(now) or self._read_anew()
        if looked is None or not is_fresh:
            return None
        looked.asked = now
        return looked.snapshot

    def gone(self) -> frozenset[str] | None:
        """The ids that were no accounts any more a moment ago, or None where that isn't known."""
        is_known = self._is_fresh(time.monotonic()) or self._read_anew()
        return self._gone if is_known and self._ended.is_whole else None

    def has_ended(self, account: str, login: Login) -> bool:
        """Whether a login had ended a moment ago, as far as it is known."""
        if not self._is_fresh(time.monotonic()):
            self._read_anew()
        return self._ended.holds(account, login)

    def ban_on(self, account: str, caller: str) -> Ban | None:
        """The ban that stood a moment ago on an account, or on a caller without one; as far as it is known."""
        if not self._is_fresh(time.monotonic()):
            self._read_anew()
        return self._banned.of(account, caller, time.time() * 1000)

    def known_ban_on(self, account: str) -> Ban | None:
        """The same for whoever has just asked for a snapshot."""
        return self._banned.of(account, "", time.time() * 1000) if self._banned else None

    def bans_in_force(self) -> int:
        """How many are banned now, as far as it is known."""
        if not self._is_fresh(time.monotonic()):
            self._read_anew()
        now = time.time() * 1000
        return sum(one.until > now for one in self._banned)

    def outdate(self) -> None:
        """Something was changed through this process: what was read before no longer counts."""
        self._outdated = time.monotonic()

    def holds(self, snapshot: Snapshot, shopper: str, order: str, key: str = "") -> bool:
        """Whether a shopper holds a unit of this sale, or this order of theirs is known; an empty one isn't asked for.

        Nor is an empty idempotency ``key``, under which they may have been answered before. Raises RedisError.
        """
        if snapshot.buyers is not None and not order:
            return shopper in snapshot.buyers
        if shopper in snapshot.absent and not order:
            return False
        pipeline = self._memory.redis.pipeline(transaction=False)
        pipeline.hexists(keys.buyers(snapshot.sale), shopper)
        pipeline.exists(keys.order(order))
        pipeline.hexists(keys.answers(shopper), field_of(key))
        holds, is_known, is_answered = pipeline.execute()
        if not holds and len(snapshot.absent) < MOST_ABSENT:
            snapshot.absent.add(shopper)
        return bool(holds or is_known or (key and is_answered))

    def close(self) -> None:
        """Let go of the connection."""
        self._memory.redis.close()

    def _is_fresh(self, now: float) -> bool:
        return now - self._read < FRESH and self._read > self._outdated

    def _read_anew(self) -> bool:
        """Read all that is asked for, unless another thread just did. Returns whether what is known is fresh."""
        if not self._reading.acquire(timeout=PATIENCE):
            return False
        try:
            if not self._is_fresh(began := time.monotonic()):
                self._read_all(began)
        except RedisError as fault:
            log.warning("no snapshots, Redis does not answer: %s", fault)
            for looked in list(self._products.values()):
                looked.snapshot = None
            self._gone = None
            self._read = time.monotonic()  # nobody need wait for Redis again so soon
        finally:
            self._reading.release()
        return self._is_fresh(time.monotonic())

    def _read_all(self, began: float) -> None:
        products = {name: one for name, one in list(self._products.items()) if began - one.asked < KEPT}
        ((count, *gone), ended_logins, bans, *told), ended = self._ask(products), time.monotonic()
        self._ended.take(entries_of(ended_logins))
        if entries := entries_of(bans):
            self._bans_read = self._banned.take(entries)
        for number, (name, looked) in enumerate(products.items()):
            sale, gauge = told[2 * number : 2 * number + 2]
            if sale and sale == looked.sale:
                looked.snapshot = self._snapshot(looked, gauge, began, ended)
            else:  # another sale may stand under the same mark
                looked.sale, looked.snapshot, looked.scan = sale, None, None
            if not sale:
                self._products.pop(name)
        for name in self._products.keys() - products.keys():
            if began - self._products[name].asked >= KEPT:
                self._products.pop(name)
        if count < 0 or gone:
            self._gone = frozenset(gone[0]) if gone else None
        self._read = began

    def _ask(self, products: dict[str, _Looked]) -> list[Any]:
        """What is new of accounts, logins and bans; of each product the newest sale, and a gauge of the one before."""
        scripts, known = self._memory.scripts, -1 if self._gone is None else len(self._gone)

        def send() -> list[Any]:
            pipeline = self._memory.redis.pipeline(transaction=False)
            pipeline.evalsha(scripts.sha("gone"), 2, keys.ACCOUNTS, keys.ACCOUNTS_GONE, known)
            pipeline.xread({keys.ACCOUNTS_ENDED: self._ended.last}, count=logins.AT_ONCE)
            pipeline.xread({keys.BANS: self._bans_read}, count=AT_ONCE)
            for name, looked in products.items():
                pipeline.get(keys.product(name))
                sale = looked.sale or ""
                knows = looked.snapshot is not None and looked.snapshot.buyers is not None
                mark = looked.snapshot.mark if looked.snapshot and knows else ""
                pipeline.evalsha(scripts.sha("gauge"), 2, keys.sale(sale), keys.buyers(sale), mark, MOST_BUYERS)
            return pipeline.execute()

        return scripts.with_sources(send, {"gone", "gauge"})

    def _snapshot(self, looked: _Looked, gauge: list[Any], began: float, ended: float) -> Snapshot | None:
        if not gauge or looked.sale is None:
            return None
        now, begins, ends, stock, unpaid, waiting, state, mark, sells, *buyers = gauge
        taken = _why_none(int(stock), unpaid, waiting, state, draws=int(sells) != int(begins))
        if not taken:
            looked.scan = None
        return Snapshot(
            sale=looked.sale,
            begins=int(begins) * 1000,
            sells=int(sells) * 1000,
            ends=int(ends) * 1000,
            taken=taken,
            least=int(now) - ended * 1000,
            most=int(now) - began * 1000 + 1,
            mark=mark,
            buyers=frozenset(buyers[0]) if buyers else self._buyers(looked, mark) if taken else None,
            absent=looked.snapshot.absent if looked.snapshot and looked.snapshot.mark == mark else set(),
        )

    def _buyers(self, looked: _Looked, mark: str) -> Container[str] | None:
        """Who holds units under this mark, if it is known by now. Of very many another bit is read."""
        before, scan = looked.snapshot, looked.scan
        if before and before.mark == mark and before.buyers is not None:
            return before.buyers
        if scan is None or scan.mark != mark:
            scan = looked.scan = _Scan(mark)
        if scan.done:  # and the mark is still the same
            return scan
        key = keys.buyers(looked.sale or "")
        scan.cursor, found = cast("tuple[int, dict[str, str]]", self._memory.redis.hscan(key, scan.cursor, count=STEP))
        scan.add(list(found))
        if scan.cursor == 0:
            scan.finish()
        return None

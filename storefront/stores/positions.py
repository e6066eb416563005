"""How far the ledger is applied: written by the order worker, waited for by the web."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from storefront.domain.errors import Overloaded
from storefront.stores import keys
from storefront.stores.memory import Memory
from storefront.stores.scripts import Call

MOST_WAITING = 8
"""Threads of one process that may wait for the order worker at a time. The others are there for those who buy: they
need no worker, and must not stand behind those who do while it is away."""


@dataclass(frozen=True)
class Position:
    """``offset`` is the next record's, ``signed`` the epoch signed up to there, ``epoch`` the one in force now.

    ``record`` is the id of the last record applied, empty if there is none: the log must still hold it there.
    """

    epoch: str
    offset: int
    signed: str
    record: str
    mended: int
    """The number of the last mending up to there."""


AGAIN = "again"
"""Stands in ``Position.record`` while a mended ledger is read again: all up to the mending is passed over."""


def signature(sale: str | None, epoch: str, signed: str, place: str) -> Call:
    """The script call that opens a sale, or with None the accounts, to the epoch ``signed``."""
    if sale is None:
        return "apply_signed", [keys.ACCOUNTS], [epoch, place, signed]
    sale_keys = [keys.sale(sale), keys.buyers(sale), keys.agenda(sale)]
    return "apply_signed", sale_keys, [epoch, place, signed, keys.orders_of_tag(sale)]


def mending(sale: str | None, forgotten: list[str], epoch: str, signed: str, place: str) -> Call:
    """The script call that forgets orders of a sale (their ids), or with None accounts (their names)."""
    if sale is None:
        names = [keys.account(name) for name in forgotten]
        return (
            "apply_mending",
            [keys.ACCOUNTS, keys.ACCOUNTS_AGENDA, keys.ACCOUNTS_GONE, *names],
            [epoch, place, signed],
        )
    orders = [keys.order(order) for order in forgotten]
    of_sale = [
        keys.sale(sale), keys.buyers(sale), keys.agenda(sale), keys.waitlist(sale), keys.waiters(sale),
        keys.sale_orders(sale), keys.sale_payments(sale), keys.changes(sale),
    ]  # fmt: skip
    return "apply_mending", [*of_sale, *orders], [epoch, place, signed]


class Positions:
    """The positions of the partitions, and the leases on them."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)

    def all_at(self, partitions: list[tuple[str, int]]) -> list[Position]:
        """The positions of several partitions, in one round trip."""
        found = self._memory.scripts.run_many(
            [("begin", [keys.position(*one), keys.BIRTH], [secrets.token_hex(4)]) for one in partitions]
        )
        return [
            Position(epoch, int(offset), signed, record, int(mended)) for epoch, offset, signed, record, mended in found
        ]

    def advance(self, partition: tuple[str, int], since: Position, to: Position) -> str:
        """Move a position on. Returns "advanced", "ahead", "behind" or "another_epoch" (see ``advance.lua``)."""
        args = [since.epoch, since.offset, to.offset, to.signed, to.record, to.mended]
        return str(self._memory.scripts.run("advance", [keys.position(*partition)], args))

    def begin_mending(self, partition: tuple[str, int], since: Position) -> tuple[str, int] | None:
        """Begin a new epoch, since the ledger no longer holds what stands in front of ``since``.

        Returns the epoch, and the number of the last mending that somebody began to write; or None if the position
        isn't that any more.
        """
        word, *begun = self._memory.scripts.run(
            "begin_mending",
            [keys.position(*partition), keys.BIRTH],
            [since.epoch, since.offset, since.record, secrets.token_hex(4)],
        )
        return (begun[0], int(begun[1])) if word == "begun" else None

    def number_mending(self, partition: tuple[str, int], epoch: str) -> int | None:
        """The number of a mending that is to be written now. None under another epoch than ``epoch``."""
        word = self._memory.scripts.run("number_mending", [keys.position(*partition)], [epoch])
        return None if word == "another_epoch" else int(word)

    def set_back(self, partition: tuple[str, int], sales: list[str | None], epoch: str) -> bool:
        """Have a partition read again from its start: its ``sales``, or with None the accounts. May run twice.

        False under another epoch than ``epoch``.
        """
        guarded = [keys.ACCOUNTS if sale is None else keys.sale(sale) for sale in sales]
        calls: list[Call] = [("set_back", [key], [epoch, "position", AGAIN]) for key in guarded]
        calls.append(("set_back", [keys.position(*partition)], [epoch, "offset", AGAIN]))
        return "another_epoch" not in self._memory.scripts.run_many(calls)

    def ready_accounts(self) -> None:
        """Give the accounts a position to be guarded by, if they have none yet."""
        self._memory.redis.hsetnx(keys.ACCOUNTS, "position", "0")

    def is_open(self, partitions: list[tuple[str, int]]) -> bool:
        """Whether everything up to the epoch in force is applied: what isn't found then doesn't exist."""
        return all(held.signed == held.epoch for held in self.all_at(partitions))

    def wait(self, topic: str, partition: int, offset: int, timeout: float) -> None:
        """Return once the record at ``offset`` is applied.

        Raises Overloaded after ``timeout`` seconds, or at once where too many wait already.
        """
        deadline = time.monotonic() + timeout
        pause = 0.002
        with self.turn_to_wait():
            while int(self._memory.field(keys.position(topic, partition), "offset") or 0) <= offset:
                if time.monotonic() >= deadline:
                    raise Overloaded
                time.sleep(pause)
                pause = min(pause * 1.5, 0.05)

    @contextmanager
    def turn_to_wait(self) -> Iterator[None]:
        """For whoever waits for the order worker inside the block. Raises Overloaded where too many wait already."""
        if not self._waiting.acquire(blocking=False):
            raise Overloaded
        try:
            yield
        finally:
            self._waiting.release()

    def share(
        self, worker: str, partitions: list[tuple[str, int]], held: set[tuple[str, int]], ttl_ms: int
    ) -> set[tuple[str, int]]:
        """The partitions that ``worker`` may read now, up to its fair share: its leases are renewed, free ones taken.

        Two workers on one partition would be merely wasteful, so leases need no fence.
        """
        redis = self._memory.redis
        now = self._memory.now_ms()
        redis.zadd(keys.WORKERS, {worker: now + ttl_ms})
        redis.zremrangebyscore(keys.WORKERS, "-inf", now)
        fair = -(-len(partitions) // max(1, int(redis.zcard(keys.WORKERS))))
        mine: set[tuple[str, int]] = set()
        for partition in sorted(partitions, key=lambda one: one not in held):
            key = keys.lease(*partition)
            if len(mine) >= fair:
                if partition in held and self._memory.text(key) == worker:
                    redis.delete(key)
            elif redis.set(key, worker, nx=True, px=ttl_ms):
                mine.add(partition)
            elif self._memory.text(key) == worker:
                redis.pexpire(key, ttl_ms)
                mine.add(partition)
        return mine

    def workers(self, now: int) -> int:
        """How many order workers are alive at ``now`` (Unix ms)."""
        return int(self._memory.redis.zcount(keys.WORKERS, f"({now}", "+inf"))

    def leave(self, worker: str, held: set[tuple[str, int]]) -> None:
        """Give the leases back, for a quick hand-over."""
        for partition in held:
            if self._memory.text(keys.lease(*partition)) == worker:
                self._memory.redis.delete(keys.lease(*partition))
        self._memory.redis.zrem(keys.WORKERS, worker)

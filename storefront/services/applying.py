"""Applying the ledger: what the order worker does with the lines it reads.

Applying is a pure function of the ledger, so a replay from any earlier position ends in the same state. Every record
is applied by one script that refuses under another epoch than the one in which the worker began to read, and that
passes over what was applied before; the position is written after the effects.
"""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from storefront.domain.records import (
    AccountRecord,
    CalledOff,
    Change,
    Extended,
    Joined,
    Left,
    Mending,
    Noted,
    Opened,
    OrderRecord,
    Record,
    Requested,
    Restored,
    SaleRecord,
    Signed,
)
from storefront.gateways.ledger import ACCOUNTS, Line
from storefront.logs import trail
from storefront.services import webhooks
from storefront.shop import Shop
from storefront.stores import accounts, changes, orders, positions, sales, waitlist
from storefront.stores.positions import AGAIN, Position
from storefront.stores.scripts import Call, place

log = logging.getLogger(__name__)

ANOMALIES = frozenset({"short", "missing"})

TOLD_FOR = 60.0
"""Seconds after which the log tells no more what becomes of a record: a replay would tell the whole ledger again."""

ABOUT = ("sale", "order", "account")
"""What the log tells of a record, if it has it."""


class LedgerCut(Exception):
    """The ledger no longer holds what was applied last, or promised: it lost its tail. ``partition`` tells which."""

    def __init__(self, partition: "Partition") -> None:
        super().__init__(f"{partition.topic} {partition.number}")
        self.partition = partition


class GoBack(Exception):
    """Redis's history changed, or it refused a record: read again from the position that Redis holds now."""


@dataclass
class Partition:
    """One partition as a worker reads it: its number, and how far it is applied under which epoch and signature."""

    topic: str
    number: int
    position: Position
    looking_back: bool = True
    """The next line read is the last one applied, once more, to see that the ledger still holds it."""
    last_read: float = 0.0
    """When lines came last, by the monotonic clock."""

    @property
    def name(self) -> tuple[str, int]:
        """Topic and number."""
        return self.topic, self.number


def apply(shop: Shop, partition: Partition, lines: Sequence[Line]) -> None:
    """Apply ``lines``, which follow on the partition's position, and move the position on. Raises GoBack and LedgerCut.

    Lines between two signatures share a round trip, but for openings: whether a name is free depends on what was done
    to another sale, and of a row Redis may refuse one script and run the next.
    """
    signed, mended, again = partition.position.signed, partition.position.mended, partition.position.record == AGAIN
    waiting: list[tuple[Line, Record]] = []
    for line in lines:
        match line.record:
            case Mending(epoch=epoch, number=number) if number > mended:
                _apply_run(shop, partition, waiting, signed)
                signed, mended, again, waiting = epoch, number, False, []
                _apply_mending(shop, partition, line.offset, signed)
            case Signed(epoch=epoch, succeeds=before) if before == signed and not again:
                _apply_run(shop, partition, waiting, signed)
                signed, waiting = epoch, []
                _apply_signature(shop, partition, line.offset, signed)
            case Opened():
                _apply_run(shop, partition, waiting, signed)
                _apply_run(shop, partition, [(line, line.record)], signed)
                waiting = []
            case Record() if not again:
                waiting.append((line, line.record))
    _apply_run(shop, partition, waiting, signed)
    last = lines[-1]
    _move_on(shop, partition, last.offset + 1, signed, AGAIN if again else last.id, mended)


def _calls(partition: Partition, run: list[tuple[Line, Record]], signed: str) -> list[tuple[Record, Call]]:
    """The script calls that apply a run of records. Each but the first about a sale names the one in front of it."""
    epoch = partition.position.epoch
    before: dict[str, int] = {}
    calls: list[tuple[Record, Call]] = []
    for line, record in run:
        about = record.sale if isinstance(record, SaleRecord) else partition.topic
        where = place(line.offset, before.get(about))
        match record:
            case Opened():
                call = sales.opened(record, epoch, signed, where)
            case Change() | Noted():
                call = changes.effect(record, epoch, signed, where)
            case Joined() | Left():
                call = waitlist.effect(record, epoch, where)
            case OrderRecord():
                call = orders.effect(record, epoch, signed, where)
            case AccountRecord():
                call = accounts.effect(record, epoch, signed, where)
            case _:
                continue
        before[about] = line.offset
        calls.append((record, call))
    return calls


def _apply_run(shop: Shop, partition: Partition, run: list[tuple[Line, Record]], signed: str) -> None:
    calls = _calls(partition, run, signed)
    words = _run(shop, partition, [call for _, call in calls])
    touched: set[str] = set()
    requests: list[Requested | Restored] = []
    told_since = (time.time() - TOLD_FOR) * 1000 if trail.isEnabledFor(logging.INFO) else math.inf
    for (record, _), word in zip(calls, words, strict=True):
        if record.request_id and record.at > told_since:
            _tell(record, word)
        if isinstance(record, Opened) and word != "name_taken":
            shop.sales.index(record, partition.number)
        if isinstance(record, Requested | Restored) and record.shopper:
            requests.append(record)
        if isinstance(record, Extended | CalledOff):
            shop.sales.index_end(record)
        if isinstance(record, SaleRecord):
            touched.add(record.sale)
    if requests:
        shop.orders.index(requests)
    shop.sales.unsettle(touched)
    webhooks.note(shop, [(record, word) for (record, _), word in zip(calls, words, strict=True)])


def _tell(record: Record, word: str) -> None:
    """A line on what became of a record that a request led to."""
    about = {name: getattr(record, name) for name in ABOUT if hasattr(record, name)}
    told = {"request_id": record.request_id, "record": type(record).__name__, "answer": word, **about}
    trail.info("applied", extra=told)


def _apply_signature(shop: Shop, partition: Partition, offset: int, signed: str) -> None:
    sales: list[str | None] = [None] if partition.topic == ACCOUNTS else [*shop.sales.of_partition(partition.number)]
    epoch = partition.position.epoch
    words = _run(shop, partition, [positions.signature(sale, epoch, signed, place(offset)) for sale in sales])
    if "promised" in words:
        raise LedgerCut(partition)
    log.info("%s %d: %d signed to epoch %s", partition.topic, partition.number, len(sales), signed[-16:])


def _apply_mending(shop: Shop, partition: Partition, offset: int, signed: str) -> None:
    """Forget what stands in Redis. Nothing is added to it meanwhile: since the mending began, all is closed.

    Lines between the cut and its mending may be about what was lost: a replay can find no unit for them, or no order.
    That is no anomaly once the mending stands behind them.
    """
    epoch = partition.position.epoch
    if partition.topic == ACCOUNTS:
        calls = [positions.mending(None, shop.accounts.names(), epoch, signed, place(offset))]
    else:
        known = shop.orders.all_of({*shop.sales.of_partition(partition.number)})
        calls = [
            positions.mending(sale, [order for order, _ in orders], epoch, signed, place(offset))
            for sale, orders in known.items()
        ]
    if set(_run(shop, partition, calls)) != {"already"}:
        shop.memory.forgive(partition.name)


def _run(shop: Shop, partition: Partition, calls: list[Call]) -> list[str]:
    words: list[str] = shop.memory.scripts.run_many(calls)
    for (name, script_keys, _), word in zip(calls, words, strict=True):
        if word in ("another_epoch", "gap"):
            raise GoBack
        if word in ANOMALIES:
            log.error("%s answered %s for %s: the ledger and Redis do not fit together", name, word, script_keys[0])
            shop.memory.anomaly(f"{name}:{word}", partition.name)
    return words


def _move_on(shop: Shop, partition: Partition, offset: int, signed: str, record: str, mended: int) -> None:
    reached = Position(partition.position.epoch, offset, signed, record, mended)
    if shop.positions.advance(partition.name, partition.position, reached) in ("another_epoch", "behind"):
        raise GoBack
    partition.position = reached

"""The Kafka ledger: append a record for good, read records in order.

A producer belongs to one process and is made on first use, after any fork (one from before a fork has no sender
thread). ``append`` returns only when the broker has acknowledged for all replicas, within ``send_timeout`` seconds.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from storefront.domain.errors import LedgerDown
from storefront.domain.records import Probed, Record, decode, encode
from storefront.gateways import topics
from storefront.gateways.access import OPEN, Access

log = logging.getLogger(__name__)

ORDERS, ACCOUNTS = "orders", "accounts"
PROBE_EVERY = 1.0
"""Seconds between two attempts to reach a ledger that is known to be down."""

NAP, LONG_NAP, QUIET = 0.01, 0.04, 5.0
"""Seconds between two looks for new lines, the longer one after so many without any: a look takes a thousandth of a
second of a core. The consumer's own waiting asks a broker that doesn't hold fetches back (the embedded one) again at
once, and takes a third of a core."""

REQUEST_ID = "request-id"
"""The header of a record that tells which request led to it, for the logs."""

HELD_BACK_MS = 50
"""Milliseconds that a broker may hold a fetch back for want of lines. A seek waits for the fetch that is held, and the
worker seeks after every pause: with the client's own half second, a lone purchase took that long to be placed."""

AT_ONCE = 0.5
"""Seconds within which a failure is worth another try, by a new producer."""

SILENCE = 30.0
"""Seconds without lines, where there should be some, after which the ledger counts as down."""

FETCH_TIMEOUT_MS = 5000
"""Milliseconds after which a broker that doesn't answer a reader is given up for another, or for a new connection."""

ROW = 500
"""Records that are sent together, so that each row can be acknowledged within the send timeout."""

LAST_WORDS = 1.0
"""Seconds beyond the send timeout that a producer which was given up may take to give up what it still holds."""


@dataclass(frozen=True)
class Receipt:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Line:
    """One record as read from the ledger. ``record`` is None where the line can't be understood."""

    topic: str
    partition: int
    offset: int
    record: Record | None

    @property
    def id(self) -> str:
        """The record's id; empty if the line isn't understood."""
        return self.record.id if self.record else ""


class Ledger:
    """One process's access to the ledger at ``servers`` (``host:port,…``)."""

    def __init__(
        self,
        servers: str,
        prefix: str,
        partitions: int,
        replication: int,
        send_timeout: float,
        access: Access = OPEN,
    ) -> None:
        self._servers = servers.split(",")
        self._access = access
        self._prefix = prefix
        self._replication = replication
        self._send_timeout = send_timeout
        self._producer: KafkaProducer | None = None
        self._making = threading.Lock()
        self._down_since: float | None = None
        self._probed = 0.0
        self._acknowledged: float | None = None
        self.partitions = [(ORDERS, number) for number in range(partitions)] + [(ACCOUNTS, 0)]

    # Writing

    def append(self, record: Record, *, to: tuple[str, int] | None = None) -> Receipt:
        """Append one record. Raises LedgerDown if that isn't certain; it may have been appended all the same.

        ``to`` names the partition for the one kind of record that has no key, ``Signed``.
        """
        return self.append_all([record], to=to)[0]

    def append_all(self, records: Iterable[Record], *, to: tuple[str, int] | None = None) -> list[Receipt]:
        """Append several records, which share their way to the broker. Raises LedgerDown as ``append`` does.

        What fails at once is sent again by a new producer: an idempotent one keeps failing after its broker forgot it.
        A record that is appended twice counts once.
        """
        waiting, receipts = iter(records), list[Receipt]()
        while row := list(islice(waiting, ROW)):
            receipts += self._append_row(row, to)
        return receipts

    def _append_row(self, records: list[Record], to: tuple[str, int] | None) -> list[Receipt]:
        began = time.monotonic()
        for last_try in (False, True):
            producer = None
            try:
                producer = self._connected()
                receipts = self._send(producer, records, to)
            except KafkaError as fault:
                at_once = producer is not None and time.monotonic() - began < AT_ONCE
                self._failed(fault, producer)
                if last_try or not at_once:
                    raise LedgerDown from fault
            else:
                self._down_since, self._acknowledged = None, time.monotonic()
                return receipts
        raise LedgerDown

    def _send(self, producer: KafkaProducer, records: list[Record], to: tuple[str, int] | None) -> list[Receipt]:
        deadline = time.monotonic() + self._send_timeout + 1
        sent = [
            producer.send(
                self._prefix + (to[0] if to else record.topic),
                key=record.key.encode() or None,
                value=encode(record),
                headers=[(REQUEST_ID, record.request_id.encode())] if record.request_id else None,
                partition=to[1] if to else None,
            )
            for record in records
        ]
        done = [one.get(timeout=max(0.01, deadline - time.monotonic())) for one in sent]
        return [Receipt(one.topic.removeprefix(self._prefix), one.partition, one.offset) for one in done]

    def warm(self) -> None:
        """Connect, and learn where the topics are, ahead of the first record. Raises LedgerDown."""
        try:
            producer = self._connected()
            for topic in (ORDERS, ACCOUNTS):
                producer.partitions_for(self._prefix + topic)
        except KafkaError as fault:
            raise LedgerDown from fault

    def require(self) -> None:
        """Raise LedgerDown at once while the ledger is known to be down, so that no unit is taken in vain.

        Once a second one caller tries with a record that means nothing, and finds out whether it is back.
        """
        if self._down_since is None:
            return
        now = time.monotonic()
        if now - self._probed < PROBE_EVERY:
            raise LedgerDown
        self._probed = now
        self.append(Probed(at=int(time.time() * 1000)), to=(ORDERS, 0))

    def acknowledged_within(self, seconds: float) -> bool:
        """Whether the ledger took a record of this process so lately, and nothing failed since."""
        last = self._acknowledged
        return last is not None and self._down_since is None and time.monotonic() - last < seconds

    def _connected(self) -> KafkaProducer:
        if not self._making.acquire(timeout=self._send_timeout):
            raise KafkaTimeoutError("another caller is still waiting for the broker")
        try:
            if self._producer is None:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._servers,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=0,
                    request_timeout_ms=int(self._send_timeout * 500),
                    delivery_timeout_ms=int(self._send_timeout * 1000),
                    max_block_ms=int(self._send_timeout * 500),
                    bootstrap_timeout_ms=int(self._send_timeout * 1000),
                    reconnect_backoff_max_ms=1000,
                    metrics_enabled=False,
                    **self._access.options(),
                )
            return self._producer
        finally:
            self._making.release()

    def _failed(self, fault: KafkaError, producer: KafkaProducer | None) -> None:
        """Note that the ledger is down, and have the next caller make a new producer.

        One whose broker was stopped or wiped can go on failing long after the broker is back.
        """
        log.warning("the ledger does not answer: %s", fault)
        self._down_since = self._down_since or time.monotonic()
        self._probed = time.monotonic()
        if producer is not None and producer is self._producer:
            self._producer = None
            threading.Thread(target=_close, args=[producer, self._send_timeout + LAST_WORDS], daemon=True).start()

    def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer, self._send_timeout)

    # Set-up and reading

    def ensure_topics(self) -> None:
        """Create the topics that don't exist, and warn of those that may lose records.

        Raises LedgerDown if the broker can't be reached, or has too few brokers beside it, and topics.OtherPartitions.
        """
        counts = Counter(self._prefix + topic for topic, _ in self.partitions)
        try:
            for warning in topics.ensure(self._servers, counts, self._replication, self._access):
                log.warning("%s", warning)
        except KafkaError as fault:
            raise LedgerDown from fault

    def reader(self) -> "Reader":
        """A new reader. Raises LedgerDown if the broker can't be reached."""
        try:
            return Reader(self._servers, self._prefix, self._access)
        except KafkaError as fault:
            raise LedgerDown from fault


def _close(producer: KafkaProducer, timeout: float) -> None:
    """Let a producer end, thread and all. What it could not send nobody was promised."""
    try:
        producer.close(timeout=timeout)
    except KafkaError:
        # kafka-python can lose sight of records whose broker was killed: it waits for them in vain, and leaves its
        # thread running. Its public methods know no other end; once the thread gives up, closing is quick.
        producer._sender.force_close()  # noqa: SLF001
        with suppress(KafkaError):
            producer.close(timeout=LAST_WORDS)


class Reader:
    """Reads partitions in order, from positions that its user keeps. For one thread."""

    def __init__(self, servers: list[str], prefix: str, access: Access = OPEN) -> None:
        self._prefix = prefix
        self._came = 0.0
        self._consumer = KafkaConsumer(
            bootstrap_servers=servers,
            enable_auto_commit=False,
            auto_offset_reset="none",
            bootstrap_timeout_ms=5000,
            request_timeout_ms=FETCH_TIMEOUT_MS,
            reconnect_backoff_max_ms=1000,
            fetch_max_wait_ms=HELD_BACK_MS,
            metrics_enabled=False,
            **access.options(),
        )

    def _partition(self, partition: tuple[str, int]) -> TopicPartition:
        return TopicPartition(self._prefix + partition[0], partition[1])

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Read these partitions from now on; each needs a ``seek`` when it is new."""
        self._consumer.assign([self._partition(one) for one in partitions])

    def seek(self, partition: tuple[str, int], offset: int) -> None:
        """Read a partition from ``offset`` on."""
        self._consumer.seek(self._partition(partition), offset)

    def end(self, partition: tuple[str, int]) -> int:
        """The offset that the next record of a partition will have. Raises LedgerDown."""
        return self.ends([partition])[partition]

    def ends(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The same of several partitions, asked for at once. Raises LedgerDown."""
        targets = {one: self._partition(one) for one in partitions}
        try:
            found = self._consumer.end_offsets(list(targets.values()))
        except (
            KafkaError,
            KeyError,
        ) as fault:  # KeyError: the client's, of a broker that answers for some of them only
            raise LedgerDown from fault
        return {one: int(found[target]) for one, target in targets.items()}

    def poll(self, timeout: float, most: int = 500) -> Iterator[tuple[tuple[str, int], list[Line]]]:
        """What has come, by partition, in order. Waits up to ``timeout`` seconds for something. Raises LedgerDown."""
        deadline = time.monotonic() + timeout
        try:
            while not (polled := self._consumer.poll(timeout_ms=0, max_records=most)):
                now = time.monotonic()
                if now >= deadline:
                    return
                time.sleep(NAP if now - self._came < QUIET else LONG_NAP)
        except KafkaError as fault:
            raise LedgerDown from fault
        self._came = time.monotonic()
        for source, messages in polled.items():
            topic = source.topic.removeprefix(self._prefix)
            yield (
                (topic, source.partition),
                [Line(topic, source.partition, message.offset, _understood(message)) for message in messages],
            )

    def all_of(self, partition: tuple[str, int]) -> Iterator[Line]:
        """Everything that stands in a partition now, in order. Raises LedgerDown, also after ``SILENCE``."""
        self.assign([partition])
        self.seek(partition, 0)
        end, at, came = self.end(partition), 0, time.monotonic()
        while at < end:
            if time.monotonic() - came > SILENCE:
                raise LedgerDown
            for _, lines in self.poll(1.0):
                came, at = time.monotonic(), lines[-1].offset + 1
                yield from (line for line in lines if line.offset < end)

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()


def _understood(message: Any) -> Record | None:
    request_id = next((value for name, value in message.headers if name == REQUEST_ID), b"")
    try:
        return decode(message.value, request_id.decode())
    except ValueError:
        log.exception("a line of the ledger is not understood and is left out")
        return None

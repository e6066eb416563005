"""What surrounds the scripts in `machine.py`: a ledger, use cases that wait for it, a Redis whose history breaks."""

import secrets
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from greenlet import getcurrent, greenlet
from redis import Redis
from redis.exceptions import ResponseError

from storefront.config import Config
from storefront.domain.errors import Refused
from storefront.domain.records import Record
from storefront.domain.replay import Replay
from storefront.gateways.ledger import ORDERS, Line, Receipt
from storefront.gateways.sandbox import Sandbox
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.scripts import Call, Scripts, source

PARTITION = (ORDERS, 0)


@dataclass(eq=False, repr=False)
class Flight:
    """A record on its way to the ledger; ``offset`` once it arrived for the first time."""

    record: Record
    offset: int | None = None

    def __repr__(self) -> str:
        record = self.record
        return f"{type(record).__name__}({getattr(record, 'order', getattr(record, 'epoch', ''))})"


class Ledger:
    """One partition of a ledger whose records arrive when the machine says so: later, twice, or never.

    A real broker would decide that by itself, and never the same way twice. What appends inside a ``UseCase``
    stops there, and is given receipts when it goes on.
    """

    def __init__(self) -> None:
        self.partitions = [PARTITION]
        self.flying: list[Flight] = []
        self.lines: list[Line] = []
        self.replays = [Replay()]
        """What the ledger says by its first 0, 1, 2, … lines."""

    def require(self) -> None:
        """It is never known to be down."""

    def append(self, record: Record, *, to: tuple[str, int] = PARTITION) -> Receipt:
        """Send a record, and stop until it arrived."""
        return self.append_all([record], to=to)[0]

    def append_all(self, records: Iterable[Record], *, to: tuple[str, int] = PARTITION) -> list[Receipt]:
        """Send several records, and stop until all of them arrived."""
        flights = self.send(records)
        if flights:
            cast("greenlet", getcurrent().parent).switch(flights)
        return [Receipt(*to, cast("int", flight.offset)) for flight in flights]

    def send(self, records: Iterable[Record]) -> list[Flight]:
        """Put records on their way."""
        flights = [Flight(record) for record in records]
        self.flying += flights
        return flights

    def arrive(self, flight: Flight, *, again: bool) -> None:
        """A record in flight arrives; with ``again`` it stays in flight, to arrive once more."""
        if not again:
            self.flying.remove(flight)
        if flight.offset is None:
            flight.offset = len(self.lines)
        self.lines.append(Line(*PARTITION, len(self.lines), flight.record))
        replay = deepcopy(self.replays[-1])
        replay.apply(flight.record)
        self.replays.append(replay)


class Alone:
    """Stands in for ``Together`` where every use case runs in one thread, and stops in the middle of its work."""

    def share(self, asked: Any, work: Callable[[list[Any]], list[Any]]) -> Any:
        """What ``work`` answers to this one only."""
        (outcome,) = work([asked])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@dataclass
class Outcome:
    """How a use case ended: with an answer, or with a refusal."""

    answer: Any = None
    refused: Refused | None = None


class UseCase:
    """One of the shop's use cases, which runs until it waits for the ledger, and goes on when told to.

    A process that dies there is one that isn't told to.
    """

    def __init__(self, name: str, act: Callable[[], Any]) -> None:
        self.name = name
        self.outcome: Outcome | None = None
        """How it ended; None while it waits."""
        self._waits_for: list[Flight] = []
        self._greenlet = greenlet(act)

    def __repr__(self) -> str:
        return f"{self.name} waiting for {[str(flight) for flight in self._waits_for]}"

    def go_on(self) -> None:
        """Let it run up to the next place where it waits, or to its end."""
        try:
            given = self._greenlet.switch()
        except Refused as refused:
            self.outcome = Outcome(refused=refused)
            return
        if self._greenlet.dead:
            self.outcome = Outcome(given)
        else:
            self._waits_for = given

    def is_recorded(self) -> bool:
        """Whether everything that it waits for arrived."""
        return all(flight.offset is not None for flight in self._waits_for)

    @property
    def needs(self) -> int:
        """The offset behind the records that it waits for."""
        return max((flight.offset or 0 for flight in self._waits_for), default=-1) + 1


class Killed(Exception):
    """A process was killed between two scripts."""


class MortalScripts(Scripts):
    """The scripts of a process that is killed after ``left`` of them; None is never."""

    left: int | None = None

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """One script."""
        return self.run_many([(name, keys, args)])[0]

    def run_many(self, calls: Iterable[Call]) -> list[Any]:
        """As many of the scripts as are left."""
        calls = list(calls)
        if self.left is None:
            return super().run_many(calls)
        able, self.left = calls[: self.left], max(0, self.left - len(calls))
        words = super().run_many(able)
        if len(able) < len(calls):
            self.left = None
            raise Killed
        return words


Dump = dict[bytes, bytes]


@dataclass
class Memory:
    """Everything one database of Redis holds, and the way back to it."""

    redis: Redis
    """A connection that doesn't decode."""
    kept: list[Dump] = field(default_factory=list)
    """Its state after every step, the latest last."""

    def keep(self) -> None:
        """Remember the present state, to be able to roll back to it."""
        names = sorted(cast("list[bytes]", self.redis.keys()))
        pipeline = self.redis.pipeline(transaction=False)
        for name in names:
            pipeline.dump(name)
        self.kept.append(dict(zip(names, pipeline.execute(), strict=True)) if names else {})

    def roll_back(self, steps: int) -> None:
        """Become what it was some steps ago."""
        then = self.kept[-1 - steps]
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.flushdb()
        for name, dumped in then.items():
            pipeline.restore(name, 0, dumped)
        pipeline.execute()

    def begin_history(self) -> None:
        """Change the epoch and forget the scripts, as a restart does."""
        self.redis.script_flush()
        try:
            self.redis.execute_command("DEBUG", "CHANGE-REPL-ID")  # type: ignore[no-untyped-call]  # redis-py's
        except ResponseError:  # newer ones allow it only if they were started so; the epoch's other half can be changed
            self.redis.set(keys.BIRTH, secrets.token_hex(4))


class Ground:
    """Where machines run, one after the other: a Redis for the shop, and the shop on it.

    ``text_of`` gives the scripts' texts. The provider's books stand in another database, which never rolls back.
    """

    def __init__(self, url: str, text_of: Callable[[str], str] = source) -> None:
        self.shop = Shop(
            Config(
                secret="",
                redis_url=url,
                limiter_url="",
                rq_url="",
                kafka="",
                pictures="",
                send_timeout=30,
                sales_open_to="anyone",
            )
        )
        self.scripts = MortalScripts(self.shop.memory.redis, text_of)
        self.shop.memory.scripts = self.scripts
        self.undecoded = Redis.from_url(url)
        self.books = Redis.from_url(f"{url.removesuffix('/0')}/1", decode_responses=True)
        self.shop.payments = Sandbox(self.books, "secret")
        self.shop.requests = Alone()  # type: ignore[assignment]  # the machine decides who goes on

    def cleared(self) -> Ledger:
        """Forget everything, and begin another ledger."""
        self.undecoded.flushall()
        ledger = Ledger()
        self.shop.ledger = ledger  # type: ignore[assignment]  # the machine decides when a record arrives
        return ledger

    def money(self) -> tuple[set[str], set[str]]:
        """The orders for which the provider took money, and those for which it gave it back."""
        charges, refunds = self.books.hkeys("sandbox:charges"), self.books.smembers("sandbox:refunds")
        return set(cast("list[str]", charges)), cast("set[str]", refunds)

    def close(self) -> None:
        """Let go of the connections."""
        for redis in (self.shop.memory.redis, self.undecoded, self.books):
            redis.close()

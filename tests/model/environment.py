"""What surrounds the scripts in `machine.py`: a ledger, use cases that wait for it, a Redis whose history breaks."""

import secrets
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, cast

from greenlet import getcurrent, greenlet
from redis import Redis
from redis.exceptions import ResponseError

from storefront.config import Config
from storefront.domain.errors import Refused
from storefront.domain.records import Record
from storefront.gateways.ledger import ORDERS, Line, Receipt
from storefront.gateways.payments import Charge
from storefront.gateways.sandbox import CHARGES, REFUNDS, Sandbox
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.scripts import Call, Scripts, source

PARTITION = (ORDERS, 0)


class Story(Protocol):
    """What a ledger's lines so far make of the shop."""

    signed: str

    def apply(self, record: Record) -> None:
        """Go on by one line."""


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
    stops there, and is given receipts when it goes on. ``beginning`` is what a ledger without a line says.
    """

    def __init__(self, partition: tuple[str, int], beginning: Story) -> None:
        self.partitions = [partition]
        self.flying: list[Flight] = []
        self.lines: list[Line] = []
        self.replays: list[Any] = [beginning]
        """What the ledger says by its first 0, 1, 2, … lines."""
        self.tells: Callable[[Record], Record | None] = lambda record: record
        """What is sent of each record that somebody wants to send, None for nothing."""

    @property
    def partition(self) -> tuple[str, int]:
        """Topic and number."""
        return self.partitions[0]

    def require(self) -> None:
        """It is never known to be down."""

    def append(self, record: Record, *, to: object = None) -> Receipt:  # noqa: ARG002  # there is one partition
        """Send a record, and stop until it arrived."""
        return self.append_all([record])[0]

    def append_all(self, records: Iterable[Record]) -> list[Receipt]:
        """Send several records, and stop until all of them arrived."""
        flights = self.send(records)
        if flights:
            cast("greenlet", getcurrent().parent).switch(flights)
        return [Receipt(*self.partition, cast("int", flight.offset)) for flight in flights]

    def send(self, records: Iterable[Record]) -> list[Flight]:
        """Put records on their way."""
        flights = [Flight(told) for record in records if (told := self.tells(record))]
        self.flying += flights
        return flights

    def arrive(self, flight: Flight, *, again: bool) -> None:
        """A record in flight arrives; with ``again`` it stays in flight, to arrive once more."""
        if not again:
            self.flying.remove(flight)
        if flight.offset is None:
            flight.offset = len(self.lines)
        self.lines.append(Line(*self.partition, len(self.lines), flight.record))
        replay = deepcopy(self.replays[-1])
        replay.apply(flight.record)
        self.replays.append(replay)

    def reader(self) -> "Reading":
        """See ``gateways.ledger.Ledger``."""
        return Reading(self)

    def lose(self, end: int) -> None:
        """Lose all lines from ``end`` on. Whoever was told that theirs arrived isn't told of this."""
        del self.lines[end:], self.replays[end + 1 :]


@dataclass
class Reading:
    """A reader of that ledger."""

    ledger: Ledger

    def all_of(self, _partition: tuple[str, int]) -> list[Line]:
        """See ``gateways.ledger.Reader``."""
        return list(self.ledger.lines)

    def close(self) -> None:
        """There is nothing to let go of."""


class Pages(Sandbox):
    """A sandbox in which an order may be paid more than once: at each of several pages that are open."""

    PAGES = 3

    def pay_at(self, page: int, order: str, amount: int, currency: str) -> str:
        """Somebody pays an order at one of its pages. Returns what the provider calls that payment."""
        payment = f"{order}.{page}" if page else order
        self._redis.hsetnx(CHARGES, payment, f"{amount} {currency}")
        return payment

    def verify(self, orders: list[str]) -> dict[str, list[Charge]]:
        """The charges at every page."""
        return {order: self._charges(order) for order in orders}

    def look(self, payment: str) -> list[Charge]:
        """A payment's name begins with that of its order."""
        return self._charges(payment.partition(".")[0])

    def money(self) -> dict[str, dict[str, bool]]:
        """Order → each charge for which money was taken, and whether it was given back."""
        back = cast("set[str]", self._redis.smembers(REFUNDS))
        found: dict[str, dict[str, bool]] = {}
        for payment in sorted(cast("list[str]", self._redis.hkeys(CHARGES))):
            found.setdefault(payment.partition(".")[0], {})[self.PREFIX + payment] = payment in back
        return found

    def _charges(self, order: str) -> list[Charge]:
        payments = [order, *(f"{order}.{page}" for page in range(1, self.PAGES))]
        taken = cast("list[str | None]", self._redis.hmget(CHARGES, payments))
        back = cast("list[int]", self._redis.smismember(REFUNDS, payments))
        return [
            replace(self._charge(payment, noted), order=order)
            for payment, noted, returned in zip(payments, taken, back, strict=True)
            if noted is not None and not returned
        ]


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
        self.waits_for: list[Flight] = []
        self._greenlet = greenlet(act)

    def __repr__(self) -> str:
        return f"{self.name} waiting for {[str(flight) for flight in self.waits_for]}"

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
            self.waits_for = given

    def is_recorded(self) -> bool:
        """Whether everything that it waits for arrived."""
        return all(flight.offset is not None for flight in self.waits_for)

    @property
    def needs(self) -> int:
        """The offset behind the records that it waits for."""
        return max((flight.offset or 0 for flight in self.waits_for), default=-1) + 1


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


class Kept(NamedTuple):
    """A state of Redis."""

    dump: dict[bytes, bytes]
    top: int
    """The first line of which nothing was applied."""
    is_ahead: bool
    """Whether a line that was applied is lost to the ledger."""


@dataclass
class Memory:
    """Everything one database of Redis holds, and the way back to it."""

    redis: Redis
    """A connection that doesn't decode."""
    kept: list[Kept] = field(default_factory=list)
    """Its state after every step, the latest last."""

    def keep(self, top: int, *, is_ahead: bool) -> None:
        """Remember the present state, to be able to roll back to it."""
        names = sorted(cast("list[bytes]", self.redis.keys()))
        pipeline = self.redis.pipeline(transaction=False)
        for name in names:
            pipeline.dump(name)
        dump = dict(zip(names, pipeline.execute(), strict=True)) if names else {}
        self.kept.append(Kept(dump, top, is_ahead))

    def mark(self, end: int) -> None:
        """The ledger has lost all lines from ``end`` on."""
        self.kept = [kept._replace(is_ahead=kept.is_ahead or kept.top > end) for kept in self.kept]

    def roll_back(self, steps: int) -> Kept:
        """Become what it was some steps ago."""
        then = self.kept[-1 - steps]
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.flushdb()
        for name, dumped in then.dump.items():
            pipeline.restore(name, 0, dumped)
        pipeline.execute()
        return then

    def begin_history(self) -> None:
        """Change the epoch and forget the scripts, as a restart does."""
        self.redis.script_flush()
        try:
            self.redis.execute_command("DEBUG", "CHANGE-REPL-ID")  # type: ignore[no-untyped-call]  # redis-py's
        except ResponseError:  # newer ones allow it only if they were started so; the epoch's other half can be changed
            self.redis.set(keys.BIRTH, secrets.token_hex(4))


class Ground:
    """Where machines run, one after the other: a Redis for the shop, and the shop on it.

    ``text_of`` gives the scripts' texts, ``tells`` what a mending sends of each of its records, None for nothing. The
    provider's books stand in another database, which never rolls back.
    """

    def __init__(
        self,
        url: str,
        text_of: Callable[[str], str] = source,
        tells: Callable[[Record], Record | None] = lambda record: record,
    ) -> None:
        self.tells = tells
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
                password_memory=1,
            )
        )
        self.scripts = MortalScripts(self.shop.memory.redis, text_of)
        self.shop.memory.scripts = self.scripts
        self.undecoded = Redis.from_url(url)
        self.books = Redis.from_url(f"{url.removesuffix('/0')}/1", decode_responses=True)
        self.shop.payments = self.provider = Pages(self.books, "secret")
        self.shop.requests = Alone()  # type: ignore[assignment]  # the machine decides who goes on
        self.shop.entries = Alone()  # type: ignore[assignment]

    def cleared(self, partition: tuple[str, int], beginning: Story) -> Ledger:
        """Forget everything, and begin another ledger."""
        self.undecoded.flushall()
        ledger = Ledger(partition, beginning)
        self.shop.ledger = ledger  # type: ignore[assignment]  # the machine decides when a record arrives
        return ledger

    def close(self) -> None:
        """Let go of the connections."""
        for redis in (self.shop.memory.redis, self.undecoded, self.books):
            redis.close()

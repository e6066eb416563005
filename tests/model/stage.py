"""Where a state machine's people act: one partition of the ledger, its workers, and a Redis that loses its history.

Whoever acts, and what they were promised, is in `machine.py` for orders and in `people.py` for accounts.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from storefront.domain.records import Mending, Signed
from storefront.services.applying import GoBack, Partition, apply
from storefront.services.following import can_look_back
from storefront.services.restoring import restore
from storefront.stores import keys
from storefront.stores.positions import AGAIN

from .environment import Ground, Killed, Memory, Story, UseCase

MOST_IN_FLIGHT = 5
MOST_DISASTERS = 8
MOST_CUTS = 2
FIRST_END = 2
"""Behind the first signature and, of orders, the opening of the sale."""
MOST_LOST = 8
"""Lines that a cut takes."""
MOST_ROUNDS = 100
"""Of what it may take until all records are applied."""

SELDOM = st.sampled_from([False, False, False, True])

DIES_AFTER = st.sampled_from([None, None, None, None, 0, 1, 2, 4, 8])

Deed = tuple[str, int, Callable[[Any], Any]]
"""What may happen: the method, how often compared with the rest, and when it can."""


class Broken(AssertionError):
    """A promise is broken."""


class Stage(RuleBasedStateMachine):
    """Everything but the people."""

    ground: Ground
    partition: tuple[str, int]
    deeds: list[Deed]
    wait_for_worker: tuple[str, ...]
    """Use cases that go on only behind the worker."""

    def __init__(self) -> None:
        super().__init__()
        self.shop, self.redis = self.ground.shop, self.ground.shop.memory.redis
        self.memory = Memory(self.ground.undecoded)
        self.ledger = self.ground.cleared(self.partition, self.beginning())
        self.waiting: list[UseCase] = []
        self.doubtful: list[UseCase] = []
        """Those who waited when the ledger was cut: what they were told of it may be wrong."""
        self.workers: list[Partition | None] = [None, None]
        self.draw: Callable[..., Any]
        self.may_draw = False
        self.disasters = self.cuts = 0
        self.is_ahead = False
        """Whether Redis holds what a cut took from the ledger, and no mending that it read has told it anew."""
        self.is_again = False
        """Whether it reads a ledger again that was mended, and hasn't come to the mending."""
        self.failed = False
        self.all_arrives = True

    def beginning(self) -> Story:
        """What a ledger without a line says."""
        raise NotImplementedError

    def top(self) -> int:
        """The first line of which nothing was applied."""
        raise NotImplementedError

    def check(self) -> None:
        """Look whether every promise is kept."""
        raise NotImplementedError

    def answered(self, use: UseCase) -> None:
        """Note what somebody was promised."""
        raise NotImplementedError

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """Somebody who can do something does it.

        One rule, so that each run may use all of them: a run without the worker, say, would be a waste.
        """
        self.draw, self.may_draw = data.draw, True
        able = [deed for deed, weight, can in self.deeds if can(self) for _ in range(weight)]
        getattr(self, self.draw(st.sampled_from(able), label="step"))()

    # Use cases

    def has_room(self) -> bool:
        """Whether another record may be sent."""
        return len(self.ledger.flying) < MOST_IN_FLIGHT

    def start(self, name: str, act: Callable[[], Any]) -> UseCase:
        """Somebody begins something, and goes on up to where they wait for the ledger."""
        use = UseCase(name, act)
        self._go_on(use)
        return use

    def _go_on(self, use: UseCase) -> None:
        use.go_on()
        if use.outcome is None:
            if use not in self.waiting:
                self.waiting.append(use)
            return
        if use in self.waiting:
            self.waiting.remove(use)
        if use.outcome.refused is None:
            self.answered(use)

    def able(self) -> list[UseCase]:
        """Those who may go on. Whoever waits for the worker too isn't let on before the worker was there."""
        applied = int(self.shop.memory.field(keys.position(*self.partition), "offset") or 0)
        return [
            use
            for use in self.waiting
            if use.is_recorded() and (use.name not in self.wait_for_worker or applied >= use.needs)
        ]

    def somebody_goes_on(self) -> None:
        """Somebody whose records arrived goes on."""
        self._go_on(self.draw(st.sampled_from(self.able()), label="use case"))

    def let_go_on(self) -> None:
        """Everybody who may go on does."""
        for use in self.able():
            self._go_on(use)

    # The ledger

    def arrive(self) -> None:
        """A record arrives, maybe not for the last time."""
        flight = self.draw(st.sampled_from(self.ledger.flying), label="record")
        self.ledger.arrive(flight, again=self.draw(SELDOM, label="and once more"))

    def run_smoothly(self) -> None:
        """For once nothing is late: all that is in flight arrives, is applied, and whoever waited goes on."""
        self.run_to_rest()

    def new_history_overtakes(self) -> None:
        """The mark of a new epoch arrives, and is applied, in front of all else that is in flight."""
        for _ in range(2):  # the worker goes back, and then signs
            self.look_at_epoch(0)
        for flight in list(self.ledger.flying):
            if isinstance(flight.record, Signed):
                self.ledger.arrive(flight, again=False)
        self.apply(0, len(self.ledger.lines))

    def is_overtaken(self) -> bool:
        """Whether there is a new epoch, and something for its mark to overtake."""
        now = self.shop.positions.all_at([self.partition])[0]
        return bool(self.ledger.flying) and now.signed != now.epoch

    def can_be_cut(self) -> bool:
        """Whether Redis knows of everything that anybody relies on, and the ledger is whole up to now."""
        position = self.shop.positions.all_at([self.partition])[0]
        all_read = position.offset == len(self.ledger.lines) and position.signed == position.epoch
        return self.cuts < MOST_CUTS and all_read and not self.is_ahead and bool(self._ends())

    def cut_ledger(self) -> None:
        """The ledger loses its end. No part of a mending is lost by itself (see `mending.py`)."""
        self.lose(self.draw(st.sampled_from(self._ends()), label="lines that are left"))

    def lose(self, end: int) -> None:
        """The ledger loses all lines from ``end`` on."""
        self.cuts += 1
        self.ledger.lose(end)
        self.memory.mark(end)
        self.is_ahead = self.is_ahead or self.top() > end
        self.doubtful = list(self.waiting)

    def _ends(self) -> list[int]:
        """Where the ledger may end after a cut: not inside a mending. The last first."""
        inside, ends = False, []
        for offset, line in enumerate(self.ledger.lines):
            if offset >= FIRST_END and not inside:
                ends.append(offset)
            inside = isinstance(line.record, Mending) or (inside and not isinstance(line.record, Signed))
        return ends[::-1][:MOST_LOST]

    # The order worker

    def worker(self, who: int) -> Partition:
        """A worker, who begins anew where it was thrown back."""
        known = self.workers[who]
        if known is None:
            self.shop.positions.ready_accounts()
            position = self.shop.positions.all_at([self.partition])[0]
            known = self.workers[who] = Partition(*self.partition, position)
        return known

    def worker_works(self) -> None:
        """A worker looks at the epoch, or did so long ago; then it applies lines that follow on where it stands."""
        who = int(self.draw(SELDOM, label="the other worker"))
        if not self.draw(SELDOM, label="without a look at the epoch"):
            self.look_at_epoch(who)
        most = self.draw(st.integers(1, 6), label="lines")
        self.apply(who, most, self.draw(st.sampled_from([None] * 9 + [0, 1, 2]), label="dies after"))

    def apply(self, who: int, most: int, dies_after: int | None = None) -> None:
        """A worker applies lines, or sees that the ledger was cut."""
        worker = self.worker(who)
        if self._sees_a_cut(worker):
            self.mend(who)
            return
        lines = self.ledger.lines[worker.position.offset :][:most]
        if not lines:
            return
        self.ground.scripts.left = dies_after
        try:
            apply(self.shop, worker, lines)
        except (GoBack, Killed):
            self.workers[who] = None
        finally:
            self.ground.scripts.left = None

    def look_at_epoch(self, who: int) -> None:
        """Go back to where Redis is, or begin the epoch in force in the ledger, as `OrderWorker` does."""
        worker, now = self.worker(who), self.shop.positions.all_at([self.partition])[0]
        if now.epoch != worker.position.epoch or now.offset < worker.position.offset:
            self.workers[who] = None
        elif now.signed != now.epoch and not self._sees_a_cut(worker):
            signed = Signed(at=0, epoch=now.epoch, succeeds=now.signed)
            sent = [(other.epoch, other.succeeds) for other in self._signatures_in_flight()]
            if (signed.epoch, signed.succeeds) not in sent:
                self.ledger.send([signed])

    def _signatures_in_flight(self) -> Iterator[Signed]:
        return (flight.record for flight in self.ledger.flying if isinstance(flight.record, Signed))

    def _sees_a_cut(self, worker: Partition) -> bool:
        """A broker must have been away to lose something, and behind a pause workers look at the line applied last."""
        position, lines = worker.position, self.ledger.lines
        if position.record == AGAIN:
            return len(lines) <= position.offset
        gone = len(lines) < position.offset or (position.offset and lines[position.offset - 1].id != position.record)
        return can_look_back(worker) and bool(gone)

    def mend(self, who: int) -> None:
        """A worker writes again what Redis knows, or dies meanwhile; then some of what it sent comes late or never."""
        worker, self.workers[who] = self.worker(who), None
        mending = UseCase("mend", lambda: restore(self.shop, worker))
        left = self.draw(DIES_AFTER, label="gives up after") if self.may_draw else None
        self.ledger.tells = self.ground.tells
        try:
            mending.go_on()
            while mending.outcome is None:
                for flight in mending.waits_for:  # one producer's records stand in the ledger in its order
                    if left is not None and not left:
                        return
                    self.ledger.arrive(flight, again=False)
                    left = left and left - 1
                mending.go_on()
        except GoBack:
            return
        finally:
            self.ledger.tells = lambda record: record

    # Redis

    def lose_history(self) -> None:
        """Redis restarts, or is emptied."""
        self.disasters += 1
        becomes = "as it is"
        if not self.is_ahead and self._steps_back() > 0:  # else it would lose what the ledger lost too
            becomes = self.draw(
                st.sampled_from(["as it was", "as it was", "as it is", "as it is", "empty", "empty while it runs"]),
                label="Redis is",
            )
        if becomes != "as it is":
            self.waiting = [use for use in self.waiting if use not in self.doubtful]
        match becomes:
            case "as it was":
                self.memory.roll_back(self.draw(st.integers(1, self._steps_back()), label="steps ago"))
            case "empty" | "empty while it runs":
                self.redis.flushdb()
        if becomes != "empty while it runs":
            self.memory.begin_history()

    def _steps_back(self) -> int:
        """To how many of the last states Redis may roll back: to none of which a cut took what it holds."""
        behind = next((n for n, kept in enumerate(reversed(self.memory.kept)) if kept.is_ahead), len(self.memory.kept))
        return min(30, behind - 1)

    # Promises

    @invariant()
    def promises_are_kept(self) -> None:
        """In every state."""
        is_again = self.shop.positions.all_at([self.partition])[0].record == AGAIN
        if self.is_again and not is_again:
            self.is_ahead = False
        self.is_again = is_again and self.is_ahead
        self.check()
        self.memory.keep(self.top(), is_ahead=self.is_ahead)

    def require(self, broken: Iterable[str]) -> None:
        """Fail if anything is broken."""
        found = list(broken)
        if found:
            self.failed = True
            raise Broken("; ".join(found))

    def teardown(self) -> None:
        """Let everything come to rest, and see what is left behind."""
        self.may_draw = False
        if not self.failed and self.ledger.lines:
            if not self.all_arrives:
                self.ledger.flying.clear()
            self.rest()
            if not self.shop.is_open():
                self.require(["the shop is closed, and nothing more happens"])

    def rest(self) -> None:
        """Let everything come to rest, and look once more."""
        raise NotImplementedError

    def run_to_rest(self) -> None:
        """The worker applies all there is, whoever waited goes on, until nothing more happens."""
        busy, rounds = True, 0
        while busy:
            rounds += 1
            if rounds > MOST_ROUNDS:
                self.require([f"there is no end: {self.workers[0]}, {self.ledger.lines[-3:]}, {self.ledger.flying}"])
            for flight in list(self.ledger.flying):
                self.ledger.arrive(flight, again=False)
            lines = len(self.ledger.lines)
            self.look_at_epoch(0)
            self.apply(0, lines)
            self.let_go_on()
            self.promises_are_kept()
            busy = bool(self.ledger.flying) or self.workers[0] is None or self.workers[0].position.offset < lines

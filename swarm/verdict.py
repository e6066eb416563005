"""The verdict: is what scripts won more than chance explains, and did anybody else come to harm?"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from storefront.rehearsal.figures import percentile
from swarm.cast import Timing
from swarm.plan import FAST, PEOPLE, SINGLE, Kind
from swarm.race import Outcome

RARE = 0.01
"""A kind is over its share if a fair shop would let it win so much in fewer than one race of a hundred."""

SLOWEST = 500.0
"""Milliseconds within which 99 of 100 of what people wait for must come."""

LATE = 100.0
"""Milliseconds by which 99 of 100 clients may be late for lack of CPU: else the race says more of the machine."""

IN_WORDS = {
    Timing.AT_START: "scripts begin at the start",
    Timing.GUARDED: "scripts begin at the start of a sale for accounts that are a day old",
    Timing.BY_LOT: "scripts begin at the start of a sale that draws its units by lot among those who enter it in time",
    Timing.AS_PEOPLE: "scripts begin when people do",
}


@dataclass(frozen=True)
class Line:
    """One thing that must hold, and whether it does."""

    what: str
    holds: bool


@dataclass(frozen=True)
class Share:
    """What the ``accounts`` of a kind won. ``fair`` is how many units each account has in a fair race, on average."""

    accounts: int
    units: int
    fair: float

    @property
    def expected(self) -> float:
        """The kind's fair share."""
        return self.accounts * self.fair

    @property
    def chance(self) -> float:
        """How likely a fair race lets the kind win as much or more: the upper tail of the binomial distribution."""
        return sum(
            math.comb(self.accounts, won) * self.fair**won * (1 - self.fair) ** (self.accounts - won)
            for won in range(self.units, self.accounts + 1)
        )

    @property
    def is_fair(self) -> bool:
        """Whether chance explains it."""
        return self.chance >= RARE


def share(outcome: Outcome, kind: Kind) -> Share:
    """What a kind won."""
    of_kind = [name for name, one in outcome.accounts.items() if one == kind]
    units = sum(outcome.winners[name] for name in of_kind)
    return Share(len(of_kind), units, outcome.units / len(outcome.accounts))


def waits(outcome: Outcome, kinds: frozenset[Kind] = PEOPLE) -> list[float]:
    """All that people of these kinds waited for, in ms, sorted."""
    return sorted(wait for kind in kinds for diary in outcome.of(kind) for wait in diary.waits)


def banned(outcome: Outcome, kinds: frozenset[Kind]) -> int:
    """How many clients of these kinds were told, at least once, that they are banned."""
    return sum(bool(diary.told["banned"]) for kind in kinds for diary in outcome.of(kind))


def told(outcome: Outcome, kind: Kind) -> Counter[str]:
    """What a kind was told, by code."""
    return sum((diary.told for diary in outcome.of(kind)), Counter())


def lateness(outcome: Outcome) -> float:
    """By how many ms 99 of 100 clients were late at most with their first press, by no fault of the shop."""
    return percentile(sorted(late for diary in outcome.diaries for late in diary.late), 0.99)


def lines(outcome: Outcome) -> Iterator[Line]:
    """What must hold in a race, line by line."""
    late = lateness(outcome)
    yield Line(f"the crowd kept its own time: 99 of 100 first presses were at most {late:.0f} ms late", late < LATE)
    for kind in sorted(FAST, key=list(Kind).index):
        yield _share_line(outcome, kind)
    taken_by_bad = sum(outcome.winners[name] for name in outcome.winners.keys() - outcome.accounts.keys())
    yield Line(f"tokens that are no good won {taken_by_bad} units", not taken_by_bad)
    hurt = banned(outcome, PEOPLE)
    yield Line(f"{hurt} people were banned", not hurt)
    slow = percentile(waits(outcome), 0.99)
    yield Line(f"99 of 100 of people's pages and answers came within {slow:.0f} ms", slow < SLOWEST)
    right = "nobody won who hadn't entered" if outcome.timing is Timing.BY_LOT else "each yes is an order"
    yield Line(f"no unit before its time, every unit once, {right}, and the audit adds up", outcome.exact)


def _share_line(outcome: Outcome, kind: Kind) -> Line:
    """A kind's units. One account that is there first is first: of those, none may have more than one unit.

    Where units are drawn, being first is worth nothing, so each kind is judged by its share.
    """
    won = share(outcome, kind)
    facts = (
        f"{kind}: won {won.units}, the fair share is {won.expected:.1f}, by chance in {won.chance:.1%} of fair races"
    )
    first_come = outcome.timing in (Timing.AT_START, Timing.GUARDED) or (
        outcome.timing is Timing.AS_PEOPLE and kind is Kind.HAMMER
    )
    if kind in SINGLE and first_come:
        return Line(f"{facts}; first come, first served: one an account", won.units <= won.accounts)
    return Line(facts, won.is_fair)

"""What a stage of the rehearsal measured: plain values, and what follows from them by arithmetic alone."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from storefront.rehearsal.crowd import NO_ANSWER, PAY, Entry

NOES = frozenset({"sold_out", "all_held", "limit_reached"})
GOOD = frozenset({"yes", "paid", "page"}) | NOES
"""What a shop that is well answers to a crowd. All else is an error: no answer, a fault, a limit, a ban."""

WEB, REDIS, BROKER, ORDERS, SWEEP, CROWD = "web", "Redis", "broker", "order worker", "sweep", "load"


def percentile(values: Sequence[float], part: float) -> float:
    """Of sorted values, the least that so large a part of them doesn't exceed; 0 for none."""
    return values[max(0, math.ceil(len(values) * part) - 1)] if values else 0.0


@dataclass(frozen=True)
class Gauged:
    """What was seen of the machine while requests were due. CPU in seconds, of all processes of a group together.

    ``busiest`` is the greatest share of a core that one process of a group took at any time, ``idle`` the share of all
    cores that nobody used. ``lags`` are the ledger's records not yet applied, looked at again and again; ``appends`` ms
    until the ledger acknowledged a record; ``applied`` how many records the order workers applied. ``others`` is the
    CPU that nobody of these used.
    """

    seconds: float
    cpu: Mapping[str, float]
    busiest: Mapping[str, float]
    idle: float
    lags: Sequence[int]
    appends: Sequence[float]
    applied: int
    others: float = 0.0


@dataclass(frozen=True)
class Stage:
    """A sale's opening at one rate (requests a second), for so many seconds: what was asked, and what was seen.

    ``late`` are the ms by which the load itself was late; ``adds_up`` what the audit found. ``units`` were for sale,
    and ``sold`` of them hold orders.
    """

    rate: float
    seconds: float
    units: int
    entries: Sequence[Entry]
    late: Sequence[float]
    gauged: Gauged
    sold: int = 0
    adds_up: bool = True
    is_opening: bool = False
    latencies: list[float] = field(init=False)

    def __post_init__(self) -> None:
        """Sort what is asked for often."""
        object.__setattr__(self, "latencies", sorted(one.ms for one in self.asked))

    @property
    def asked(self) -> list[Entry]:
        """The requests that make the rate: payments come on top, when the order is placed."""
        return [one for one in self.entries if one.what != PAY]

    @property
    def payments(self) -> list[float]:
        """Milliseconds until each payment was answered, sorted."""
        return sorted(one.ms for one in self.entries if one.what == PAY)

    @property
    def offered(self) -> float:
        """Requests that were due, a second."""
        return len(self.asked) / self.seconds

    @property
    def answered(self) -> float:
        """Answers that came while requests were due, a second."""
        return sum(one.due + one.ms / 1000 <= self.seconds for one in self._answers()) / self.seconds

    def _answers(self) -> Iterable[Entry]:
        return (one for one in self.asked if one.code != NO_ANSWER)

    @property
    def p50(self) -> float:
        """Half of all answers came within so many ms of when their request was due."""
        return percentile(self.latencies, 0.5)

    @property
    def p99(self) -> float:
        """99 of 100 did."""
        return percentile(self.latencies, 0.99)

    @property
    def codes(self) -> Counter[str]:
        """How often each answer came."""
        return Counter(one.code for one in self.entries)

    @property
    def errors(self) -> int:
        """Answers that a shop which is well doesn't give, and those that never came."""
        return sum(number for code, number in self.codes.items() if code not in GOOD)

    @property
    def over(self) -> float:
        """Seconds from the start until everybody had their answer."""
        return max((one.due + one.ms / 1000 for one in self.asked), default=0.0)

    @property
    def lateness(self) -> float:
        """Milliseconds by which the load was late at most, 99 times of 100."""
        return percentile(sorted(self.late), 0.99)

    @property
    def is_exact(self) -> bool:
        """Whether exactly those hold units who were told yes, as many as there were or were wanted."""
        if not self.adds_up or self.sold > self.units:
            return False
        if self.errors:  # whoever had no answer may hold a unit, and one that was taken in vain comes back later
            return True
        told, all_gone = self.codes["yes"], self.codes.keys() & {"sold_out", "all_held"}
        return told == self.sold and (told == self.units or not all_gone)

    def cpu_each(self, group: str) -> float:
        """CPU seconds of a group for each answer, of those that came while requests were due."""
        answers = sum(one.due + one.ms / 1000 <= self.seconds for one in self.entries if one.code != NO_ANSWER)
        return self.gauged.cpu.get(group, 0.0) / max(1, answers)

    def by_step(self, steps: int = 10) -> list[list[Entry]]:
        """The requests by when they were due, in so many steps of the same length."""
        found: list[list[Entry]] = [[] for _ in range(steps)]
        for one in self.asked:
            found[min(int(one.due / self.seconds * steps), steps - 1)].append(one)
        return found

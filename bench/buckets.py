"""A sale hotter than one Redis: its stock in buckets on several shards. A simulation, since one machine can't show it.

The model. Each shard is one Redis, which does one thing at a time, first come first served; a yes and a no take it what
was measured here. The way between a web node and a shard takes ``WAY`` seconds. Shoppers come at random moments at one
steady rate, each to one of ``NODES`` web nodes, which tries the shopper's own bucket (any of them, as by a hash), after
a no the next one, and says "sold out" only when every bucket has said so. Units don't come back meanwhile, so an empty
bucket stays empty: a node that remembers which are needn't ask them again. Both kinds of nodes are simulated.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean, quantiles

WAY = 0.0001
NODES = 20


@dataclass(frozen=True)
class Sale:
    """``shoppers`` come for ``units``, so many a second; a reservation takes a shard ``yes`` or ``no`` seconds."""

    shoppers: int
    rate: float
    units: int
    yes: float
    no: float


def sales(units: int, yes: float, no: float) -> dict[str, Sale]:
    """Two sales by name: a storm, ten shoppers for a unit and a million a second, and a breeze.

    In the storm all is over before anybody is sent on. The breeze shows the end of a sale: a tenth more shoppers than
    units, no faster than half of what one Redis could do.
    """
    return {
        "storm": Sale(10 * units, 1_000_000, units, yes, no),
        "breeze": Sale(11 * units // 10, 0.5 / yes, units, yes, no),
    }


@dataclass
class Outcome:
    """What came of it. Times in seconds; ``asked`` is how often each shopper's node asked a shard.

    ``left_elsewhere`` is how many units were left in other buckets when the first one was empty; ``extra_trips`` how
    often those who got one were sent on before; ``out_of_turn`` the share of the units that went to shoppers for whom
    one Redis would have had none left, as many others had come before; ``too_early`` how many were told no while a
    unit was left anywhere, which must be none.
    """

    buckets: int
    remembers: bool
    sold: int
    sold_out_after: float
    first_empty_after: float
    left_elsewhere: int
    asked: list[int]
    took: list[float]
    extra_trips: int
    out_of_turn: float
    too_early: int

    @property
    def row(self) -> dict[str, float | str]:
        """The same as figures for a table."""
        return {
            "buckets": self.buckets,
            "of": "remember" if self.remembers else "forget",
            "sold out ms": self.sold_out_after * 1e3,
            "sold rate": self.sold / self.sold_out_after,
            "spread ms": (self.sold_out_after - self.first_empty_after) * 1e3,
            "left elsewhere": self.left_elsewhere,
            "extra trips": self.extra_trips,
            "asked": mean(self.asked),
            "p99": quantiles(self.took, n=100)[-1] * 1e3,
            "out of turn": self.out_of_turn * 100,
            "too early": self.too_early,
        }


def simulate(sale: Sale, buckets: int, *, remembers: bool, seed: int = 1) -> Outcome:
    """One sale from its opening until everybody has an answer. The same seed gives the same shoppers."""
    rng = random.Random(seed)
    comes = sorted(rng.uniform(0, sale.shoppers / sale.rate) for _ in range(sale.shoppers))
    first = [rng.randrange(buckets) for _ in comes]
    stock = [sale.units // buckets + (bucket < sale.units % buckets) for bucket in range(buckets)]
    free_at = [0.0] * buckets
    known_empty: list[dict[int, float]] = [{} for _ in range(NODES)]  # of each node: bucket, and since when it knows
    asked, took = [0] * sale.shoppers, [0.0] * sale.shoppers
    sold: list[tuple[float, int, int]] = []  # when, to whom, from which bucket
    told_no: list[float] = []
    # A shopper whose node is about to ask: when, who, and how many buckets have been passed by
    events = [(at, shopper, 0) for shopper, at in enumerate(comes)]
    heapq.heapify(events)
    while events:
        now, shopper, passed = heapq.heappop(events)
        knows = known_empty[shopper % NODES]
        while remembers and passed < buckets and knows.get((first[shopper] + passed) % buckets, now + 1) <= now:
            passed += 1
        if passed == buckets:
            took[shopper] = now - comes[shopper]
            told_no.append(now)
            continue
        bucket = (first[shopper] + passed) % buckets
        asked[shopper] += 1
        got = stock[bucket] > 0
        free_at[bucket] = done = max(now + WAY, free_at[bucket]) + (sale.yes if got else sale.no)
        if got:
            stock[bucket] -= 1
            took[shopper] = done + WAY - comes[shopper]
            sold.append((done, shopper, bucket))
        else:
            knows.setdefault(bucket, done + WAY)
            heapq.heappush(events, (done + WAY, shopper, passed + 1))
    emptied = {bucket: done for done, _, bucket in sorted(sold)}
    first_empty, last_empty = min(emptied.values()), max(emptied.values())
    return Outcome(
        buckets=buckets,
        remembers=remembers,
        sold=len(sold),
        sold_out_after=last_empty,
        first_empty_after=first_empty,
        left_elsewhere=sum(done > first_empty for done, _, _ in sold),
        asked=asked,
        took=took,
        extra_trips=sum(asked[shopper] - 1 for _, shopper, _ in sold),
        out_of_turn=sum(shopper >= sale.units for _, shopper, _ in sold) / len(sold),
        too_early=sum(told < last_empty for told in told_no),
    )


def compare(sale: Sale, counts: tuple[int, ...]) -> Iterator[Outcome]:
    """The same sale with each number of buckets, by nodes that forget and nodes that remember."""
    for remembers in (False, True):
        for buckets in counts:
            yield simulate(sale, buckets, remembers=remembers)

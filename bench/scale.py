"""How much is measured: the whole benchmark, a quick look, or the least that shows that it still works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """``rounds`` of ``seconds`` each; ``shoppers`` rush for ``units``, ``buyers`` find enough of them.

    ``sizes`` are numbers of accounts, and of orders of one sale. A flood comes over so many ``connections``, a rush
    over so many ``rushing`` ones; ``usual`` is their number wherever it isn't what is looked at.
    """

    rounds: int
    seconds: int
    connections: tuple[int, ...]
    usual: int
    rushing: tuple[int, ...]
    processes: tuple[int, ...]
    shoppers: int
    units: int
    buyers: int
    sizes: tuple[int, ...]
    million: tuple[int, ...]
    buckets: tuple[int, ...] = (1, 2, 4, 8, 16)
    bucket_units: int = 10_000


FULL = Scale(
    rounds=3,
    seconds=3,
    connections=(16, 64, 256, 1024),
    usual=64,
    rushing=(64, 256, 1024),
    processes=(1, 2, 4),
    shoppers=20_000,
    units=1000,
    buyers=10_000,
    sizes=(1000, 10_000, 100_000),
    million=(1000, 1_000_000),
)
QUICK = Scale(
    rounds=1,
    seconds=1,
    connections=(64,),
    usual=64,
    rushing=(64,),
    processes=(1, 2),
    shoppers=3000,
    units=150,
    buyers=1000,
    sizes=(1000, 5000),
    million=(1000, 20_000),
)
TINY = Scale(
    rounds=1,
    seconds=1,
    connections=(4,),
    usual=4,
    rushing=(4,),
    processes=(1,),
    shoppers=60,
    units=7,
    buyers=30,
    sizes=(100,),
    million=(100,),
    buckets=(1, 2),
    bucket_units=100,
)

"""Search everything that can happen to a sale, breadth first, for a state in which something is wrong.

    python -m tests.model.explorer --units 1 --shoppers 2 --rollbacks 2 [--without epoch ...]

Prints the number of states, and the shortest way to a violation if there is one; the exit status is 1 then. `--plain`,
`--workers 2` and `--twice` try what `reductions.py` says need not be tried. Shoppers' numbers in a trace may swap from
line to line, since worlds that differ in them alone are one.
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, Protocol

from . import accounts
from .accounts import Registering
from .buying import Buying
from .world import CHANGES, SAFEGUARDS, Size


class Model(Protocol):
    """What is searched: a world, and all that can happen to it."""

    def start(self) -> Any:
        """The world in the beginning."""

    def steps(self, world: Any, /) -> Iterator[tuple[str, Any]]:
        """Every next step: what is done, and the world after it."""

    def reduced(self, world: Any, /) -> Any:
        """The one world that stands for all that are like this one."""

    def wrong(self, before: Any, world: Any, /) -> str | None:
        """What is wrong in a world, or in coming to it from the one before, or None."""

    def wrong_at_rest(self, world: Any, /) -> str | None:
        """What is wrong if nothing more happens by itself, or None."""

    def rests(self, deeds: list[str], /) -> bool:
        """Whether no more than these can be done means that nothing happens by itself."""


class Found(NamedTuple):
    """What a search came to: the worlds it saw, and the violation with its trace, if there is one."""

    worlds: AbstractSet[Any]
    why: str | None = None
    trace: tuple[str, ...] = ()


def explore(model: Model, *, progress: bool = False) -> Found:
    """Visit every world that can be reached from the start; stop at the first violation."""
    gc.disable()  # a world refers to no other, and none is thrown away; looking for cycles would take half of the time
    try:
        return _explore(model, progress=progress)
    finally:
        gc.enable()


def _explore(model: Model, *, progress: bool) -> Found:
    first = model.reduced(model.start())
    came_from: dict[Any, Any] = {first: None}
    level, depth = [first], 0
    while level:
        following: list[Any] = []
        for world in level:
            deeds: list[str] = []
            for deed, after in model.steps(world):
                if why := model.wrong(world, after):
                    return Found(came_from.keys(), why, (*_trace(world, came_from, model), deed))
                known = model.reduced(after)
                if known != world:
                    deeds.append(deed)
                if known not in came_from:
                    came_from[known] = world
                    following.append(known)
            if model.rests(deeds) and (why := model.wrong_at_rest(world)):
                return Found(came_from.keys(), why, _trace(world, came_from, model))
        level, depth = following, depth + 1
        if progress:
            print(f"  after {depth} steps: {len(came_from):,} states", file=sys.stderr, flush=True)
    return Found(came_from.keys())


def _trace(world: Any, came_from: dict[Any, Any], model: Model) -> tuple[str, ...]:
    trace: list[str] = []
    while before := came_from[world]:
        trace.append(next(deed for deed, after in model.steps(before) if model.reduced(after) == world))
        world = before
    return tuple(reversed(trace))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Search everything that can happen to a sale for a violation.")
    parser.add_argument("--accounts", action="store_true", help="search registrations: --shoppers is how many people")
    parser.add_argument("--units", type=int, default=1)
    parser.add_argument("--shoppers", type=int, default=2)
    parser.add_argument("--rollbacks", type=int, default=1)
    parser.add_argument("--cuts", type=int, default=0, help="0 or 1")
    parser.add_argument("--deletions", type=int, default=0, help="of accounts")
    parser.add_argument("--deaths", type=int, default=1, help="mendings begun that don't come to their end")
    parser.add_argument("--waiters", type=int, default=0, help="shoppers who join the waitlist rather than buy")
    parser.add_argument("--draws", action="store_true", help="who waits may enter a draw")
    parser.add_argument("--changes", nargs="+", default=[], choices=CHANGES, help="what the merchant may do")
    parser.add_argument("--slow", action="store_true", help="a worker may apply what it read before a cut")
    parser.add_argument("--workers", type=int, default=1, help="needed only where workers aren't reduced away")
    parser.add_argument(
        "--without", nargs="+", default=[], choices={*SAFEGUARDS, *accounts.SAFEGUARDS}, help="safeguards to switch off"
    )
    parser.add_argument("--twice", action="store_true", help="each record may arrive twice")
    parser.add_argument("--plain", action="store_true", help="no reductions")
    asked = parser.parse_args(arguments)
    size = Size(
        asked.units, asked.shoppers, asked.rollbacks, frozenset(asked.without),
        workers=asked.workers, twice=asked.twice, cuts=asked.cuts, deaths=asked.deaths, slow=asked.slow,
        waiters=asked.waiters, draws=asked.draws, changes=tuple(asked.changes),
    )  # fmt: skip
    model: Model = Buying(size, plain=asked.plain)
    if asked.accounts:
        model = Registering(asked.shoppers, asked.rollbacks, asked.deletions, size.off, twice=asked.twice)
    began = time.process_time()
    found = explore(model, progress=True)
    print(f"{len(found.worlds):,} states, {time.process_time() - began:.1f} s of CPU")
    if found.why is None:
        print("no violation")
        return 0
    print(f"VIOLATION: {found.why}", *found.trace, sep="\n  ")
    return 1


if __name__ == "__main__":
    sys.exit(main())

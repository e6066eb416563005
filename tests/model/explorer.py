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
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from .invariants import harm, unlike_a_replay
from .reductions import reduced
from .steps import Size, World, is_quiet, start, steps
from .world import SAFEGUARDS


class Found(NamedTuple):
    """What a search came to: the worlds it saw, and the violation with its trace, if there is one."""

    worlds: AbstractSet[World]
    why: str | None = None
    trace: tuple[str, ...] = ()


def explore(size: Size, *, plain: bool = False, progress: bool = False) -> Found:
    """Visit every world that can be reached from the start; stop at the first violation."""
    gc.disable()  # a world refers to no other, and none is thrown away; looking for cycles would take half of the time
    try:
        return _explore(size, plain=plain, progress=progress)
    finally:
        gc.enable()


def _explore(size: Size, *, plain: bool, progress: bool) -> Found:
    first = start(size) if plain else reduced(start(size), size.off)
    came_from: dict[World, World | None] = {first: None}
    level, depth = [first], 0
    while level:
        following: list[World] = []
        for world in level:
            deeds: list[str] = []
            for deed, after in steps(world, size):
                why = harm(after) or (None if size.off else unlike_a_replay(after, size.off))
                if why:
                    return Found(came_from.keys(), why, (*_trace(world, came_from, size, plain=plain), deed))
                known = after if plain else reduced(after, size.off)
                if known != world:
                    deeds.append(deed)
                if known not in came_from:
                    came_from[known] = world
                    following.append(known)
            if not size.off and is_quiet(deeds) and (why := harm(world, quiet=True)):
                return Found(came_from.keys(), why, _trace(world, came_from, size, plain=plain))
        level, depth = following, depth + 1
        if progress:
            print(f"  after {depth} steps: {len(came_from):,} states", file=sys.stderr, flush=True)
    return Found(came_from.keys())


def _trace(world: World, came_from: dict[World, World | None], size: Size, *, plain: bool) -> tuple[str, ...]:
    trace: list[str] = []
    while before := came_from[world]:
        same = (deed for deed, after in steps(before, size) if (after if plain else reduced(after, size.off)) == world)
        trace.append(next(same))
        world = before
    return tuple(reversed(trace))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Search everything that can happen to a sale for a violation.")
    parser.add_argument("--units", type=int, default=1)
    parser.add_argument("--shoppers", type=int, default=2)
    parser.add_argument("--rollbacks", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="needed only where workers aren't reduced away")
    parser.add_argument("--without", nargs="+", default=[], choices=SAFEGUARDS, help="safeguards to switch off")
    parser.add_argument("--twice", action="store_true", help="each record may arrive twice")
    parser.add_argument("--plain", action="store_true", help="no reductions")
    asked = parser.parse_args(arguments)
    size = Size(asked.units, asked.shoppers, asked.rollbacks, frozenset(asked.without), asked.workers, asked.twice)
    began = time.process_time()
    found = explore(size, plain=asked.plain, progress=True)
    print(f"{len(found.worlds):,} states, {time.process_time() - began:.1f} s of CPU")
    if found.why is None:
        print("no violation")
        return 0
    print(f"VIOLATION: {found.why}", *found.trace, sep="\n  ")
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bench [PART …] [--quick] [--million]`, the target of `make bench`: measure, print, write into docs/.

Exit status: 0; 1 if something could not be measured, with a sentence that says why; 130 after Ctrl-C.
"""

import argparse
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from redis.exceptions import RedisError

from bench import browser, report, scenarios, verdict
from bench.book import Book, machine
from bench.growth import growth
from bench.load import CannotMeasure, require_wrk
from bench.measuring import Row
from bench.scale import FULL, QUICK, Scale
from bench.scene import Scene, opened
from storefront.domain.errors import Refused
from storefront.local.faults import CannotStart

ON_ONE_STAGE: dict[str, Callable[[Scene], list[Row]]] = {
    "sold-out": scenarios.sold_out,
    "crowd": scenarios.crowd,
    "accepted": scenarios.accepted,
    "page": scenarios.page,
    "paint": browser.paint,
    "login": scenarios.logging_in,
    "memory": scenarios.memory,
    "processes": scenarios.processes,
    "buckets": scenarios.hotter_than_one_redis,
}
GROWN: dict[str, Callable[[Scale], tuple[int, ...]]] = {
    "growth": lambda scale: scale.sizes,
    "million": lambda scale: scale.million,
}
PARTS = [*ON_ONE_STAGE, *GROWN]


def measured(parts: Sequence[str], scale: Scale) -> Iterator[tuple[str, list[Row] | CannotMeasure, float]]:
    """Measure these parts, in the order of PARTS: name, rows and seconds of each, as it is done.

    Where a part can't be measured, why comes instead of its rows, and the others are measured all the same. Raises
    CannotStart.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stage:
        folder, scene = Path(name), None
        for part in (one for one in PARTS if one in parts):
            began = time.monotonic()
            try:
                if part in GROWN:
                    stage.close()  # of the common shop, which would use CPU meanwhile
                    rows: list[Row] | CannotMeasure = growth(folder / part, scale, GROWN[part](scale))
                else:
                    scene = scene or stage.enter_context(opened(folder / "common", scale))
                    rows = ON_ONE_STAGE[part](scene)
            except CannotMeasure as fault:
                rows = fault
            except (Refused, RedisError) as fault:
                rows = CannotMeasure(f"The shop answered the benchmark itself with {type(fault).__name__}: {fault}")
            yield part, rows, time.monotonic() - began


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure how fast the shop is.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a look of three minutes, which the docs aren't told")
    parser.add_argument("--million", action="store_true", help="a million accounts and orders besides")
    parser.add_argument(
        "--docs", action=argparse.BooleanOptionalAction, help="whether docs/performance.md is brought up to date"
    )
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Measure. What prevents it is one sentence on stderr."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a starting broker's refusals are no news
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the shop is stopped, its folder removed
    parser = _parser()
    asked = parser.parse_args(words)
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = asked.parts or [part for part in PARTS if part != "million"]
    if asked.million:
        parts = [*parts, "million"]
    book, missed = Book(), 0
    try:
        require_wrk()
        print(machine(), flush=True)
        for part, rows, seconds in measured(parts, QUICK if asked.quick else FULL):
            if isinstance(rows, CannotMeasure):
                missed += 1
                print(f"{part}: not measured. {rows}", file=sys.stderr, flush=True)
            else:
                report.print_tables(part, rows)
                print(f"{part}: {seconds:.0f} s\n", flush=True)
                book.enter(part, rows, seconds, quick=asked.quick)
    except (CannotMeasure, CannotStart) as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Nothing was written.", file=sys.stderr)
        return 130
    print("\n".join(verdict.targets_table(book.results)))
    if asked.docs if asked.docs is not None else not asked.quick:
        book.save()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m swarm [--timing WHEN] [--seed N] [--docs]`, the target of `make swarm`: race, count, judge.

Exit status: 0 if all that must hold does; 1 if not, or if it couldn't be found out, with a sentence that says why; 130
after Ctrl-C.
"""

import argparse
import logging
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from redis.exceptions import RedisError

from bench.book import machine
from bench.load import CannotMeasure
from storefront.domain.errors import Refused
from storefront.local.faults import CannotStart
from swarm import report, verdict
from swarm.cast import Timing
from swarm.race import race
from swarm.scale import FULL


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swarm", description="Have people and scripts race for 100 units.")
    parser.add_argument("--timing", choices=list(Timing), type=Timing, help="only the race in which scripts begin then")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="people's chance")
    parser.add_argument("--docs", action="store_true", help="bring docs/fairness.md up to date")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Have the races. What prevents one is a sentence on stderr."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a starting broker's refusals are no news
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the shop is stopped, its folder removed
    asked = _parser().parse_args(words)
    print(f"{machine()}; seed {asked.seed}; {FULL.people} people, {FULL.scripts} scripts, {FULL.units} units")
    outcomes = []
    try:
        for timing in [asked.timing] if asked.timing else list(Timing):
            print(f"\nA race in which {verdict.IN_WORDS[timing]}: less than a minute …", flush=True)
            with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
                outcomes.append(race(Path(folder), FULL, timing, asked.seed))
            report.print_race(outcomes[-1])
    except (CannotMeasure, CannotStart) as fault:
        print(fault, file=sys.stderr)
        return 1
    except (Refused, RedisError) as fault:
        print(f"The shop answered the rehearsal itself with {type(fault).__name__}: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    if asked.docs:
        report.save(outcomes, asked.seed)
    missed = sum(not line.holds for outcome in outcomes for line in verdict.lines(outcome))
    print(f"\nThe bar is missed in {missed} lines." if missed else "\nThe bar is held.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

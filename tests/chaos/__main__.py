"""`make chaos`: every fault one at a time, then some at random, on every kind of Redis and broker that can be had here.

    python -m tests.chaos [--venue NAME ...] [--fault WORDS] [--random 6] [--seed N] [--rate 80] [--markdown FILE]

Prints a table, and every breach as a sentence; the exit status is 1 if there is one. It takes about twenty minutes.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos import faults
from tests.chaos.report import print_table, written_as_markdown
from tests.chaos.run import Row, run_at
from tests.chaos.venue import Kind, missing

KINDS = (
    Kind("embedded broker"),
    Kind("small disk", small_disk=True),
    Kind("sentinel, promises awaited", sentinels=True, replicas=2),
    Kind("sentinel", sentinels=True),
    Kind("one kafka", brokers=1),
    Kind("three kafkas", brokers=3),
)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--venue", nargs="+", choices=[kind.name for kind in KINDS], help="only these")
    parser.add_argument("--fault", default="", help="only faults whose name holds these words")
    parser.add_argument("--random", type=int, default=6, help="faults at random behind the others, at each venue")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--rate", type=float, default=80, help="purchases tried each second")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    asked = parser.parse_args(arguments)
    print(f"seed {asked.seed}", flush=True)
    rows: list[Row] = []
    for kind in (kind for kind in KINDS if not asked.venue or kind.name in asked.venue):
        if why := missing(kind):
            print(f"{kind.name}: not run here. {why}", flush=True)
            continue
        chosen = [fault for fault in faults.all_of(kind) if asked.fault in fault.name]
        chosen += faults.at_random(kind, asked.random, asked.seed)
        if not asked.fault:
            chosen.append(faults.LEDGER_ALONE)
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            rows += run_at(kind, chosen, Path(folder), rate=asked.rate, seed=asked.seed)
    print_table(rows)
    if asked.markdown:
        asked.markdown.write_text(written_as_markdown(rows, asked.seed))
    return 1 if any(row.breaches for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

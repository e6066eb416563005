"""`python -m bench [PART …] [--quick]`, the target of `make bench`: measure, print tables, write docs/performance.md.

Exit status: 0; 1 if it could not be measured, with a sentence that says why.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import report, scenarios
from bench.load import CannotMeasure, require_wrk
from bench.scale import FULL, QUICK
from storefront.local.faults import CannotStart

PARTS = {
    "sold-out": scenarios.sold_out,
    "crowd": scenarios.crowd,
    "accepted": scenarios.accepted,
    "page": scenarios.page,
    "login": scenarios.login,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure how fast the shop is.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a look of two minutes, not for the docs")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Measure. What prevents it is one sentence on stderr."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    parser = _parser()
    asked = parser.parse_args(words)
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    try:
        require_wrk()
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            scenarios.opened(Path(folder), QUICK if asked.quick else FULL) as scene,
        ):
            for name in asked.parts or PARTS:
                report.print_table(name, name, PARTS[name](scene))
    except (CannotMeasure, CannotStart) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

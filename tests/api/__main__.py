"""``make api``: Schemathesis with as many examples and seeds as one likes, on a shop of its own."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from storefront.local.shop import LocalShop
from storefront.shop import Shop
from tests.api import fuzzing
from tests.conftest import SETTINGS, config_of, eventually


def main() -> int:
    """Returns how many seeds found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.api", description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="calls of each operation, and chains of calls (100)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one run for each (1)")
    asked, more = parser.parse_known_args()
    found = 0
    for seed in asked.seeds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, LocalShop(Path(folder) / "shop", env=SETTINGS) as running:
            shop = Shop(config_of(running))
            eventually(shop.is_open)
            told = fuzzing.run(
                running, fuzzing.staged(shop), Path(folder), examples=asked.examples, seed=seed, more=more
            )
            shop.close()
        print(told.stdout, told.stderr, f"seed {seed}: {time.monotonic() - began:.0f} s", sep="\n", flush=True)
        found += told.returncode != 0
    return found


if __name__ == "__main__":
    sys.exit(main())

"""`python -m storefront.local.demo`, the target of `make demo`.

Exit status: 0 if every unit is accounted for, 1 if one is missing or extra or a promise was broken, 2 if the demo could
not be played, 130 after Ctrl-C.
"""

import argparse
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Sequence

from storefront.local.demo.client import Unplayable
from storefront.local.demo.report import Screen
from storefront.local.demo.story import Script, Story
from storefront.local.demo.venue import venue
from storefront.local.faults import CannotStart

MOST_SHOPPERS = 2000  # each is a thread in the rush


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m storefront.local.demo", description="Watch one flash sale from its opening to its audit."
    )
    parser.add_argument(
        "--url",
        default=os.environ.get("URL") or None,
        help="the shop to use, whatever its payment window; also URL in the environment. Without it: the shop on "
        "127.0.0.1, port PORT (8000), if it gives two minutes or less to pay, else a shop of the demo's own",
    )
    parser.add_argument("--shoppers", type=_number(2, MOST_SHOPPERS), default=300, help="how many (default: 300)")
    parser.add_argument("--units", type=_number(1, MOST_SHOPPERS - 1), default=20, help="how many (default: 20)")
    parser.add_argument(
        "--window", type=_number(1, 120), default=10, help="seconds to pay in a shop of the demo's own (default: 10)"
    )
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Play the demo. What prevents it is one sentence on stderr."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a starting broker's refusals are no news
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: the own shop is stopped, its folder removed
        signal.signal(number, signal.default_int_handler)
    parser = _parser()
    wanted = parser.parse_args(words)
    if wanted.shoppers <= wanted.units:
        parser.error("there must be more shoppers than units")
    script = Script(wanted.shoppers, wanted.units, secrets.token_hex(3), os.environ.get("TOKEN", ""))
    usual = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
    screen = Screen()
    try:
        with venue(wanted.url, usual, wanted.window, script.run, script.token, screen) as place:
            status = Story(place, script, screen).play()
            place.keep = status != 0
    except (Unplayable, CannotStart) as fault:
        print(fault, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. Nothing was audited.", file=sys.stderr)
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())

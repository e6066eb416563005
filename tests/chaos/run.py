"""One venue, one fault after another under a steady load, and what came of each."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from storefront.domain.errors import LedgerDown, Overloaded
from storefront.services import accounts
from tests.chaos.crowd import Crowd
from tests.chaos.faults import Fault
from tests.chaos.merchant import Merchant
from tests.chaos.venue import BACK_WITHIN, Kind, Venue, opened, within
from tests.chaos.verdict import Verdict, judge
from tests.crowds import registered

UNITS, SCARCE = 2000, 30
"""Units of two sales under the same load: one never runs out, of the other there is never enough, and its merchant adds
units and takes them out. A third of as many is called off under each fault, and a fourth draws them."""

DRAWS_FOR = 5
"""Seconds for which that one takes entries: its draw closes while something is dead."""

SHOPPERS = 3000
BEFORE, AFTER = 2.0, 3.0
"""Seconds of selling before a fault, and after the shop sells again."""


@dataclass(frozen=True)
class Row:
    """What came of one fault. Times in seconds, None for longer than ``BACK_WITHIN``."""

    venue: str
    fault: str
    asked: int
    told_yes: int
    unanswered: int
    pause: float
    sells_again: float | None
    units_back: float | None
    breaches: list[str]


def run_at(kind: Kind, chosen: Sequence[Fault], folder: Path, *, rate: float, seed: int) -> Iterator[Row]:
    """Open a venue and try the faults there, telling each as it is done."""
    with opened(kind, folder) as venue:
        (account,) = registered(venue.inside, 1)
        accounts.grant_merchant(venue.inside, account.name)
        owner = replace(account, merchant=True)
        going_on = [venue.open_sale(UNITS), venue.open_sale(SCARCE, owner)]
        crowd = Crowd(venue.inside, venue.local.port, rate=rate, size=SHOPPERS, seed=seed)
        merchant = Merchant(venue.inside, owner, venue.local.port, going_on[1], crowd.deeds, seed=seed)
        excused: set[str] = set()
        for fault in chosen:
            excused.update(fault.excused)
            to_call_off = venue.open_sale(SCARCE, owner)
            crowd.sales = [*going_on, to_call_off, venue.open_sale(SCARCE, draws_for=DRAWS_FOR)]
            merchant.begin(to_call_off)
            row = _tried(venue, crowd, merchant, fault, excused)
            print(_line(row), *(f"    BREACH: {breach}" for breach in row.breaches), sep="\n", flush=True)
            yield row


def _tried(venue: Venue, crowd: Crowd, merchant: Merchant, fault: Fault, excused: set[str]) -> Row:
    first = len(crowd.deeds)
    crowd.begin()
    began = time.monotonic()
    within(BACK_WITHIN, lambda: crowd.first_sold_since(began + BEFORE))
    struck = time.monotonic()
    fault.strike(venue)
    time.sleep(fault.lasts)
    fault.mend(venue)
    mended = time.monotonic()
    sold = within(BACK_WITHIN, lambda: crowd.first_sold_since(mended))
    time.sleep(AFTER)
    crowd.end()
    ended = time.monotonic()
    changed = merchant.end(BACK_WITHIN)
    back = within(BACK_WITHIN, lambda: venue.is_open() and not venue.units_to_come())
    settled = time.monotonic()
    breaches = list(_judged(venue, crowd, excused).breaches)
    if not sold:
        breaches.append(f"the sale didn't sell again within {BACK_WITHIN:g} s")
    if not changed:
        breaches.append(f"what the merchant asked for wasn't settled within {BACK_WITHIN:g} s")
    if not back:
        breaches.append(f"{venue.units_to_come()} units weren't back within {BACK_WITHIN:g} s")
    deeds = crowd.deeds[first:]
    return Row(
        venue.kind.name,
        fault.name,
        sum(deed.act == "buy" for deed in deeds),
        sum(deed.sold for deed in deeds),
        sum(deed.status == 0 or deed.status >= 500 for deed in deeds),
        crowd.longest_pause(struck, ended),
        sold - mended if sold else None,
        settled - mended if back else None,
        breaches,
    )


def _judged(venue: Venue, crowd: Crowd, excused: set[str]) -> Verdict:
    """The verdict, once it is good or time is up: refunds that are due may still be on their way."""
    last = Verdict(0, 0, ["the shop couldn't be looked at"])

    def good() -> bool:
        nonlocal last
        try:
            last = judge(venue.inside, venue.sales, crowd.deeds, excused)
        except (LedgerDown, Overloaded) as fault:
            last = Verdict(0, 0, [f"the shop couldn't be looked at: {fault!r}"])
        return not last.breaches

    within(BACK_WITHIN, good)
    return last


def _line(row: Row) -> str:
    again = "never" if row.sells_again is None else f"{row.sells_again:.1f} s"
    return (
        f"{'BAD' if row.breaches else 'ok '}  {row.venue}: {row.fault}: {row.asked} asked, {row.told_yes} told yes, "
        f"{row.unanswered} without an answer; sells again after {again}"
    )

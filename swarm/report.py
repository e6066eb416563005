"""The races for people: tables and sentences, on the terminal and in docs/fairness.md."""

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Printed

from bench.book import machine
from bench.report import WIDTH, Column, Table
from storefront.local.services import ROOT
from storefront.rehearsal.figures import percentile
from swarm import verdict
from swarm.plan import BOUGHT, PEOPLE, Kind
from swarm.race import Outcome

PAGE = ROOT / "docs" / "fairness.md"
BLOCK = re.compile(r"(<!-- swarm: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
MOMENTS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, math.inf)
"""Seconds after the start that part the accounts by their first press."""

FIRST_CODES = ("entered", "too_fast", "banned", "not_started", "all_held", "sold_out", "limit_reached", "invalid_token")

Row = dict[str, Any]


def _kind_row(outcome: Outcome, kind: Kind) -> Row:
    told, won, clients = verdict.told(outcome, kind), verdict.share(outcome, kind), outcome.of(kind)
    row: Row = {
        "kind": str(kind),
        "clients": len(clients),
        "accounts": won.accounts,
        "requests": told.total(),
        **{code: number for code, number in told.items() if code != BOUGHT},
        "clients banned": verdict.banned(outcome, frozenset({kind})),
        "units": won.units,
        "each": won.units / max(1, won.accounts),
        "shares": won.units / won.expected if won.accounts else 0.0,
        "chance": won.chance,
    }
    if kind in PEOPLE:
        waits = verdict.waits(outcome, frozenset({kind}))
        row |= {"p50": percentile(waits, 0.5), "p99": percentile(waits, 0.99)}
    return row


def _moment_rows(outcome: Outcome) -> Iterator[Row]:
    """How an account's luck depends on when it first pressed."""
    pressed: dict[str, float] = {}
    for diary in outcome.diaries:
        pressed |= diary.pressed
    since = 0.0
    for moment in MOMENTS:
        names = [name for name, at in pressed.items() if since <= at < moment and name in outcome.accounts]
        row: Row = {"until": f"{since:g} to {moment:g} s" if moment < math.inf else f"after {since:g} s"}
        for whose, ours in (("people", True), ("scripts", False)):
            some = [name for name in names if (outcome.accounts[name] in PEOPLE) is ours]
            row |= {whose: len(some), f"{whose} won": sum(outcome.winners[name] for name in some)}
        since = moment
        yield row


def tables(outcome: Outcome) -> Iterator[tuple[Table, list[Row]]]:
    """A race in tables, with the rows of each."""
    rows = [_kind_row(outcome, kind) for kind in Kind]
    told = {code for row in rows for code in verdict.told(outcome, Kind(row["kind"]))} - {BOUGHT, *FIRST_CODES}
    codes = [Column(code, code) for code in (*FIRST_CODES, *sorted(told))]
    shares = [
        Column("units", "units"),
        Column("for each account", "each", "{:.2f}"),
        Column("÷ fair share", "shares", "{:.2f}"),
        Column("by chance", "chance", "{:.2g}"),
    ]
    who = [Column("kind", "kind", "{}"), Column("clients", "clients")]
    waited = [Column("p50 ms", "p50"), Column("p99 ms", "p99")]
    yield Table("What each kind won", "kind", [*who, Column("accounts", "accounts"), *shares, *waited]), rows
    asked = [who[0], Column("asked", "requests"), *codes, Column("clients banned", "clients banned")]
    yield Table("What each kind was told", "kind", asked), rows
    by_moment = [
        Column("first press", "until", "{}"),
        Column("people", "people"),
        Column("units", "people won"),
        Column("scripts' accounts", "scripts"),
        Column("units", "scripts won"),
    ]
    yield Table("What it depends on: when an account first presses", "until", by_moment), list(_moment_rows(outcome))


def notes(outcome: Outcome) -> Iterator[str]:
    """What the tables don't tell."""
    early = [won for diary in outcome.of(Kind.HAMMER) for won in diary.won]
    yield (
        f"The first unit was taken {outcome.first:.3f} s after the start, the last after {outcome.last:.2f} s. "
        + (f"The first yes to whoever hammered from before came after {min(early):.3f} s." if early else "")
    ).rstrip()
    own = sum(diary.own for diary in outcome.diaries)
    used = ", ".join(f"{name} {seconds:.1f}" for name, seconds in outcome.cpu.items())
    yield f"People's pages asked {own} times by themselves, for the time and the sale's status. CPU seconds: {used}."
    late = (
        f"{name} {percentile(sorted(lags), 0.99):.0f} ms in 1 tick of 100, {max(lags, default=0):.0f} at most"
        for name, lags in outcome.lags.items()
    )
    yield f"The clients' own lateness, which latencies include: {'; '.join(late)}."
    yield f"How fast the machine was just before: a million turns of an empty loop in Python in {outcome.pace:.0f} ms."


def judged(outcome: Outcome) -> Iterator[str]:
    """The verdict's lines."""
    for line in verdict.lines(outcome):
        yield f"{'held' if line.holds else 'MISSED'}: {line.what}"


def print_race(outcome: Outcome) -> None:
    """A race, for the terminal."""
    console = Console(width=max(WIDTH, Console().width), highlight=False)
    console.print(f"\n{verdict.IN_WORDS[outcome.timing].capitalize()}", style="bold")
    for table, rows in tables(outcome):
        heading, *cells = table.cells(rows)
        printed = Printed(title=table.title, title_justify="left")
        for number, text in enumerate(heading):
            printed.add_column(text, justify="right" if number else "left", no_wrap=not number)
        for row in cells:
            printed.add_row(*row)
        console.print(printed)
    for line in (*notes(outcome), *judged(outcome)):
        console.print(line)


def save(outcomes: Sequence[Outcome], seed: int, page: Path = PAGE) -> None:
    """Put these races in the place of the page's last ones of the same timing. Its words stay."""
    found = {str(outcome.timing): "\n".join(_markdown(outcome, seed)) for outcome in outcomes}

    def block(old: re.Match[str]) -> str:
        return f"{old[1]}{found[old['name']]}\n{old[3]}" if old["name"] in found else old[0]

    page.write_text(BLOCK.sub(block, page.read_text()))


def _markdown(outcome: Outcome, seed: int) -> Iterator[str]:
    yield f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}, {machine()}."
    for table, rows in tables(outcome):
        heading, *cells = table.cells(rows)
        yield from ("", f"*{table.title}*", "")
        for line in (heading, [":---", *["---:"] * (len(heading) - 1)], *cells):
            yield f"| {' | '.join(line)} |"
    yield ""
    for note in notes(outcome):
        yield from (_wrapped(note), "")
    yield from (_wrapped(f"- {line}", indent="  ") for line in judged(outcome))


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_on_hyphens=False)

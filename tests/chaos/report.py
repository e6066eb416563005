"""The table of a chaos run, for a terminal and for the docs."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime

import psutil
from rich.console import Console
from rich.table import Table

from tests.chaos.run import Row

WIDTH = 140
HEADINGS = ("fault", "asked", "told yes", "5xx or none", "pause", "sells again", "units back", "breaches")


def print_table(rows: Sequence[Row]) -> None:
    """One table for each venue."""
    for venue in dict.fromkeys(row.venue for row in rows):
        table = Table(*HEADINGS, title=venue, title_justify="left")
        for row in rows:
            if row.venue == venue:
                table.add_row(*_cells(row), style="red" if row.breaches else None)
        Console(width=WIDTH).print(table)
    print(f"{len(rows)} faults, {sum(len(row.breaches) for row in rows)} breaches")


def written_as_markdown(rows: Sequence[Row], seed: int) -> str:
    """The same for the docs, with the day and the machine."""
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    found = f"{len(rows)} faults, {sum(len(row.breaches) for row in rows)} breaches"
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}, {machine}: {found}."]
    for venue in dict.fromkeys(row.venue for row in rows):
        lines += ["", f"**{venue[0].upper()}{venue[1:]}**", "", _row(HEADINGS), _row(["---"] * len(HEADINGS))]
        lines += [_row(_cells(row)) for row in rows if row.venue == venue]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    return [
        row.fault,
        str(row.asked),
        str(row.told_yes),
        str(row.unanswered),
        f"{row.pause:.1f} s",
        _seconds(row.sells_again),
        _seconds(row.units_back),
        str(len(row.breaches)),
    ]


def _seconds(time: float | None) -> str:
    return "never" if time is None else f"{time:.1f} s"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

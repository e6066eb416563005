"""The results for people: tables for the terminal and for docs/performance.md, and the machine they come from."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.scenarios import Row

WIDTH = 160


@dataclass(frozen=True)
class Column:
    """A heading, the figure below it, and how that is written."""

    heading: str
    figure: str
    form: str = "{:,.0f}"

    def cell(self, row: Row) -> str:
        """The figure in a row; empty where it has none."""
        value = row.get(self.figure)
        return "" if value is None else self.form.format(value)


CONNECTIONS = Column("connections", "connections")
OF = Column("", "of", "{}")
RATE = Column("answers/s", "rate")
RATIOS = [Column("of bare Flask", "rate / bare Flask", "{:.2f}"), Column("of bare WSGI", "rate / bare WSGI", "{:.2f}")]
LATENCY = [
    Column("p50 ms", "p50", "{:,.1f}"),
    Column("p90", "p90", "{:,.1f}"),
    Column("p99", "p99", "{:,.1f}"),
    Column("p99.9", "p999", "{:,.1f}"),
    Column("most", "most", "{:,.1f}"),
]
CPU = [
    Column("CPU µs", "cpu"),
    Column("web", "cpu web"),
    Column("Redis", "cpu redis"),
    Column("broker", "cpu broker"),
    Column("worker", "cpu orders"),
    Column("sweep", "cpu expiry"),
    Column("CPU of bare Flask", "cpu / bare Flask", "{:.2f}"),
]
RUSH = [CONNECTIONS, Column("over after s", "over", "{:.2f}"), RATE, *LATENCY, *CPU[:-1]]

COLUMNS: dict[str, list[Column]] = {
    "sold-out": [CONNECTIONS, OF, RATE, *RATIOS, *LATENCY, *CPU],
    "page": [Column("", "what", "{}"), OF, RATE, *RATIOS, *LATENCY, *CPU],
    "login": [OF, RATE, *RATIOS, *LATENCY, *CPU],
    "crowd": [Column("shoppers", "shoppers"), Column("units", "units"), *RUSH],
    "accepted": [Column("purchases", "units"), Column("purchases/s", "placed"), *RUSH],
}


def print_table(part: str, title: str, rows: Sequence[Row]) -> None:
    """A part's rows, for the terminal."""
    columns = _used(part, rows)
    table = Table(*(column.heading for column in columns), title=title, title_justify="left")
    for column in table.columns[:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    Console(width=WIDTH).print(table)


def _used(part: str, rows: Sequence[Row]) -> list[Column]:
    return [column for column in COLUMNS[part] if any(column.figure in row for row in rows)]


def markdown(part: str, rows: Sequence[Row]) -> str:
    """A part's rows, for the docs."""
    columns = _used(part, rows)
    lines = [[column.heading for column in columns], ["---:"] * len(columns)]
    lines += [[column.cell(row) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> Mapping[str, str]:
    """What the figures come from, without its name."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

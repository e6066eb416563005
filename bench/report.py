"""The results for people: which figures of a part stand in which table, on the terminal and in the docs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as Printed

from bench.measuring import Row

WIDTH = 130


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


@dataclass(frozen=True)
class Table:
    """Columns under a title, and below them the rows that have the figure ``needs``."""

    title: str
    needs: str
    columns: Sequence[Column]

    def cells(self, rows: Sequence[Row]) -> list[list[str]]:
        """Headings and cells, without the columns that are empty."""
        shown = [row for row in rows if self.needs in row]
        used = [column for column in self.columns if any(row.get(column.figure) is not None for row in shown)]
        return [[column.heading for column in used], *([column.cell(row) for column in used] for row in shown)]


def _one(figure: str, heading: str = "") -> Column:
    return Column(heading or figure, figure, "{:,.1f}")


WHAT, OF = Column("what", "what", "{}"), Column("of", "of", "{}")
CONNECTIONS, SIZE = Column("connections", "connections"), Column("accounts, orders", "size")
RATE = Column("answers/s", "rate")
RATIOS = [Column("÷ bare Flask", "rate / bare Flask", "{:.2f}"), Column("÷ bare WSGI", "rate / bare WSGI", "{:.2f}")]
LATENCY = [_one("p50", "p50 ms"), _one("p90"), _one("p99"), _one("p999", "p99.9"), _one("most")]
WRONG = Column("other answers", "wrong")
CPU = [
    Column("µs in all", "cpu"),
    Column("web", "cpu web"),
    Column("Redis", "cpu redis"),
    Column("broker", "cpu broker"),
    Column("order worker", "cpu orders"),
    Column("sweep", "cpu expiry"),
    Column("÷ bare Flask", "cpu / bare Flask", "{:.2f}"),
]
RUSH = [Column("shoppers", "shoppers"), Column("units", "units"), CONNECTIONS]
PURCHASES = Column("purchases/s", "placed")
OVER = Column("over after s", "over", "{:.2f}")


def _speed(*which: Column) -> list[Table]:
    return [
        Table("Speed and latency", "rate", [*which, RATE, *RATIOS, *LATENCY, WRONG]),
        Table("CPU for each request", "cpu", [*which, *CPU]),
    ]


TABLES: dict[str, list[Table]] = {
    "sold-out": _speed(Column("web processes", "processes"), CONNECTIONS, OF),
    "crowd": [
        Table("Until the last order is placed", "over", [*RUSH, OVER, RATE, *LATENCY]),
        Table("CPU for each shopper", "cpu", [CONNECTIONS, *CPU]),
    ],
    "accepted": [
        Table("Until the last order is placed", "over", [*RUSH, OVER, PURCHASES, *LATENCY]),
        Table("CPU for each purchase", "cpu", [CONNECTIONS, *CPU]),
    ],
    "page": _speed(WHAT, OF),
    "paint": [
        Table(
            "Until something is seen",
            "painted ms",
            [
                WHAT,
                Column("ms", "painted ms"),
                Column("÷ a line of text", "painted / a line", "{:.2f}"),
                _one("KB"),
            ],
        )
    ],
    "login": _speed(CONNECTIONS, OF),
    "memory": [
        Table(
            "MiB for each web process: its own (USS), and with its share of what is shared (PSS)",
            "uss at rest",
            [
                OF,
                Column("web processes", "processes"),
                *(
                    _one(f"{kind.lower()} {when}", f"{kind} {when}")
                    for when in ("at rest", "after")
                    for kind in ("USS", "PSS")
                ),
            ],
        ),
        Table(
            "CPU while nobody asks, ms a second",
            "cpu web",
            [Column("web processes", "processes"), *(_one(column.figure, column.heading) for column in CPU[1:-1])],
        ),
    ],
    "processes": _speed(WHAT, OF),
    "buckets": [
        Table(
            "10,000 units in buckets",
            "buckets",
            [
                Column("sale", "sale", "{}"),
                Column("nodes", "of", "{}"),
                Column("buckets", "buckets"),
                _one("sold out ms", "sold out after ms"),
                Column("yeses/s", "sold rate"),
                Column("left elsewhere", "left elsewhere"),
                Column("extra trips", "extra trips"),
                Column("asks a shopper", "asked", "{:.2f}"),
                _one("p99", "answer p99 ms"),
                _one("out of turn", "out of turn %"),
                Column("told no too early", "too early"),
            ],
        )
    ],
}
TABLES["growth"] = [
    Table("Speed", "rate", [WHAT, SIZE, OF, RATE, RATIOS[0], PURCHASES, LATENCY[0], LATENCY[2], LATENCY[4], WRONG]),
    Table("CPU for each request", "cpu", [WHAT, SIZE, OF, *CPU]),
    Table(
        "What it is made of",
        "orders/s",
        [
            SIZE,
            _one("accounts s", "accounts added in s"),
            Column("applied/s", "accounts/s"),
            _one("orders s", "orders added in s"),
            Column("applied/s", "orders/s"),
            Column("Redis bytes an account", "bytes an account"),
            Column("Redis bytes an order", "bytes an order"),
        ],
    ),
]
TABLES["million"] = TABLES["growth"]


def print_tables(part: str, rows: Sequence[Row]) -> None:
    """A part's rows, for the terminal."""
    console = Console(width=WIDTH)
    for table in TABLES[part]:
        heading, *cells = table.cells(rows)
        console.print(f"{part}: {table.title}")
        printed = Printed()
        for text in heading:
            printed.add_column(text, justify="right")
        for row in cells:
            printed.add_row(*row)
        console.print(printed)


def markdown(part: str, rows: Sequence[Row]) -> Iterator[str]:
    """A part's rows, as lines for the docs."""
    for table in TABLES[part]:
        heading, *cells = table.cells(rows)
        yield from (f"*{table.title}*", "")
        yield from map(_line, [heading, ["---:"] * len(heading), *cells])
        yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""What the figures say: whether the targets are met, and how many machines a million shoppers in one second need."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.measuring import Row

Results = Mapping[str, Sequence[Row]]
"""The rows of each part that was measured."""

USUAL = 64
"""Connections at which the targets are judged."""

FLAT = 1.3
"""A cost that grew by less than this between the smallest and the largest size counts as flat: it varies as much."""

MILLION = 1_000_000
BUYERS = 10_000
"""Of the million so many find a unit."""

LOGIN_SECONDS = 600
"""Within so many seconds before the sale the million log in."""

CORES, BUSY = 16, 0.6
"""A web node's cores, and the share of them (and of a Redis's one) that may be planned with."""


@dataclass(frozen=True)
class Target:
    """A target, what was measured, and whether that is enough; None where it wasn't measured."""

    what: str
    wanted: str
    measured: str = "not measured"
    met: bool | None = None


def _judged(what: str, wanted: str, value: float | None, form: str, enough: Callable[[float], bool]) -> Target:
    return Target(what, wanted) if value is None else Target(what, wanted, form.format(value), enough(value))


def targets(results: Results) -> list[Target]:
    """Every target of the shop, in the order of their importance."""
    flood = _find(results, "sold-out", of="the shop", processes=2)
    alone = _find(results, "sold-out", of="the shop", processes=1)
    crowd = _find(results, "crowd")
    accepted = _find(results, "accepted")
    rush = f"{crowd['shoppers']:,} shoppers for {crowd['units']:,} units" if crowd else "a rush"
    return [
        _judged(
            "sold-out flood, answers ÷ bare Flask's", "at least 3",
            _figure(flood, "rate / bare Flask"), "{:.2f}", lambda value: value >= 3,
        ),
        _judged(
            "sold-out flood, answers ÷ bare WSGI's", "at least 0.5",
            _figure(flood, "rate / bare WSGI"), "{:.2f}", lambda value: value >= 0.5,
        ),
        _judged(
            "the same, one web process each", "at least 0.5",
            _figure(alone, "rate / bare WSGI"), "{:.2f}", lambda value: value >= 0.5,
        ),
        _judged(
            "purchases, placed for good", "at least 1,000 a second",
            _figure(accepted, "placed"), "{:,.0f} a second", lambda value: value >= 1000,
        ),
        _judged(
            f"{rush}: over", "in less than 5 s",
            _figure(crowd, "over"), "{:.2f} s", lambda value: value < 5,
        ),
        _judged(
            f"{rush}: p99", "less than 250 ms",
            _figure(crowd, "p99"), "{:,.0f} ms", lambda value: value < 250,
        ),
        _judged(
            "cost per no: at most orders ÷ at fewest", f"flat: less than {FLAT}",
            _growth(results), "{:.2f}", lambda value: value < FLAT,
        ),
    ]  # fmt: skip


def _find(results: Results, part: str, **wanted: object) -> Row | None:
    """The row of a part at the usual number of connections, else its first."""
    rows = [row for row in results.get(part, ()) if all(row.get(name) == value for name, value in wanted.items())]
    return next((row for row in rows if row.get("connections") == USUAL), next(iter(rows), None))


def _figure(row: Row | None, name: str) -> float | None:
    return None if row is None else float(row[name])


def _growth(results: Results) -> float | None:
    """The cost of a no, relative to bare Flask's at that moment, at the largest size over that at the smallest."""
    rows = results.get("million") or results.get("growth") or ()
    nos = [row for row in rows if row.get("what") == "sold-out flood" and row.get("of") == "the shop"]
    return nos[-1]["cpu / bare Flask"] / nos[0]["cpu / bare Flask"] if nos else None


def targets_table(results: Results) -> Iterator[str]:
    """The targets, as lines for the docs."""
    yield from _table(
        ["target", "wanted", "measured", ""],
        (
            [one.what, one.wanted, one.measured, {True: "met", False: "**missed**", None: ""}[one.met]]
            for one in targets(results)
        ),
    )


def capacity_table(results: Results) -> Iterator[str]:
    """What a million shoppers in one second need, by what one request costs here; as lines for the docs."""
    flood, bought = _find(results, "sold-out", of="the shop"), _find(results, "accepted")
    if flood is None or bought is None:
        yield "Not measured yet."
        return
    # A no ends at Redis at the latest: what broker and worker use while noes are told, they use at rest, too.
    noes = {"web": flood["cpu web"], "redis": flood["cpu redis"], "broker": 0.0, "orders": 0.0}
    names = {"web": "web", "redis": "Redis", "broker": "broker", "orders": "order worker"}
    units = {"web": f"nodes of {CORES} cores", "redis": "servers of one core", "broker": "cores", "orders": "processes"}
    rows = []
    for name, shown in names.items():
        bought_for = bought[f"cpu {name}"]
        cores = (MILLION * noes[name] + BUYERS * bought_for) / 1e6  # CPU seconds, in one second
        needed = math.ceil(cores / BUSY / (CORES if name == "web" else 1))
        rows.append([shown, f"{noes[name]:,.1f}", f"{bought_for:,.0f}", f"{cores:,.1f}", f"{needed:,} {units[name]}"])
    if entered := _find(results, "login", of="the shop"):
        cores = MILLION * entered["cpu web"] / 1e6 / LOGIN_SECONDS
        needed = math.ceil(cores / BUSY / CORES)
        rows.append(["web, for log-ins before", "", "", f"{cores:,.1f}", f"{needed:,} {units['web']}"])
    yield from _table(["", "µs a no", "µs a purchase", "cores for that second", f"at {BUSY:.0%} load"], rows)


def _table(heading: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    for cells in [heading, ["---"] * len(heading), *rows]:
        yield f"| {' | '.join(cells)} |"

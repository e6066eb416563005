"""The plots of docs/performance.md: SVG without script, in the reader's light or dark."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pygal
from pygal.style import Style

from bench.measuring import Row
from bench.verdict import Results

INK, PAPER, LINES = "#1f2328", "#ffffff", "#d0d7de"
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989")
AT_NIGHT = ("#58a6ff", "#f0883e", "#56d364", "#bc8cff", "#f778ba")
STYLE = Style(
    background=PAPER,
    plot_background=PAPER,
    foreground=INK,
    foreground_strong=INK,
    foreground_subtle=LINES,
    colors=COLOURS,
    font_family="system-ui, sans-serif",
    title_font_size=18,
    label_font_size=14,
    major_label_font_size=14,
    legend_font_size=14,
    opacity=1,
    stroke_opacity=1,
    transition="0s",
    stroke_width=2.5,
    guide_stroke_color=LINES,
    major_guide_stroke_color=LINES,
)
DARK = (
    "inline:@media (prefers-color-scheme: dark) {"
    ".background { fill: #0d1117 !important; } text { fill: #e6edf3 !important; }"
    ".axis .line, .axis .guides .line { stroke: #3d444d !important; }"
    + "".join(
        f".color-{number} {{ stroke: {colour} !important; fill: {colour} !important; }}"
        for number, colour in enumerate(AT_NIGHT)
    )
    + "}"
)
NOT_DRAWN = re.compile(r"<script.*?</script>|<!--.*?-->", re.DOTALL)


def drawn(results: Results) -> Iterator[tuple[str, str]]:
    """The plots of what was measured, by name."""
    if flood := [row for row in results.get("sold-out", ()) if row.get("processes") != 1]:
        yield "sold-out", _by(flood, "connections", "rate", "of", "The flood at a sold-out sale", "answers a second")
    if rows := results.get("crowd"):
        yield "crowd", _latencies(rows)
    if rows := [row for row in results.get("processes", ()) if row["of"] != "bare Flask" and row["what"] != "login"]:
        yield "processes", _by(rows, "processes", "rate", "what", "More web processes", "answers a second")
    both = [*results.get("growth", ()), *results.get("million", ())]
    if rows := [row for row in both if row.get("of") == "the shop" and row["what"] not in ("login", "purchases")]:
        yield "growth", _by(rows, "size", "cpu", "what", "Cost by the number of accounts and orders", "CPU µs each")
    if rows := [row for row in results.get("buckets", ()) if row["sale"] == "storm"]:
        once = [{**row, "of": "sold"} for row in rows if row["of"] == rows[0]["of"]]
        yield (
            "buckets-rate",
            _by(once, "buckets", "sold rate", "of", "A storm: how fast units are sold", "units a second"),
        )
        yield "buckets-asks", _by(rows, "buckets", "asked", "of", "A storm: what each shopper costs", "asks of a shard")


AXES = {
    "connections": "connections",
    "processes": "web processes",
    "size": "accounts, and orders of the sale",
    "buckets": "buckets",
}


def _by(rows: Sequence[Row], across: str, up: str, line: str, title: str, unit: str) -> str:
    """``up`` over ``across``, a line for each value of ``line``.

    Places stand equally far apart, since each is several times the one before.
    """
    places = sorted({row[across] for row in rows})
    chart = _chart(title, AXES[across], unit, [row[up] for row in rows])
    chart.x_labels = [f"{place:,}" for place in places]
    for name in dict.fromkeys(row[line] for row in rows):
        found = {row[across]: row[up] for row in rows if row[line] == name}
        chart.add(str(name), [found.get(place) for place in places], allow_interruptions=False)
    return _written(chart)


def _latencies(rows: Sequence[Row]) -> str:
    shares = {"50 %": "p50", "90 %": "p90", "99 %": "p99", "99.9 %": "p999", "all": "most"}
    values = [row[figure] for row in rows for figure in shares.values()]
    chart = _chart("A rush: how long shoppers wait for their answer", "of all answers", "milliseconds", values)
    chart.x_labels = list(shares)
    for row in rows:
        chart.add(f"{row['connections']:,} connections", [row[figure] for figure in shares.values()])
    return _written(chart)


def _chart(title: str, across: str, up: str, values: Sequence[float]) -> Any:
    """An empty chart with room for these values, from one power of ten to another: what is flat shall look flat."""
    lowest, highest = (10 ** round_(math.log10(edge(values))) for round_, edge in ((math.floor, min), (math.ceil, max)))
    steps = [lowest * 10**power * step for power in range(12) for step in (1, 2, 5)]
    chart = pygal.Line(
        style=STYLE,
        css=["file://style.css", "file://graph.css", DARK],
        js=[],
        title=title,
        x_title=across,
        y_title=up,
        logarithmic=True,
        legend_at_bottom=True,
        width=760,
        height=430,
        dots_size=4,
        show_y_guides=True,
        value_formatter=lambda value: f"{value:,.10g}",
        disable_xml_declaration=True,
        no_prefix=True,
    )
    chart.y_labels = [step for step in steps if step <= highest]
    return chart


def _written(chart: Any) -> str:
    return NOT_DRAWN.sub("", chart.render(is_unicode=True)) + "\n"

"""The rehearsal as a picture: SVG without script, in the reader's light or dark, drawn by hand.

Above, what was offered and what was answered; below, on a logarithmic scale, how long answers took.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from storefront.rehearsal.crowd import NO_ANSWER
from storefront.rehearsal.figures import Stage, percentile

WIDTH, LEFT, RIGHT = 860, 64, 16
TOP, HEIGHT, BETWEEN = 76, 180, 44
STYLE = """
  svg { background: #fff; font: 13px system-ui, sans-serif; }
  text { fill: #1f2328; } .title { font-size: 17px; font-weight: 600; } .axis { fill: #59636e; }
  .grid { stroke: #d0d7de; } .stage { fill: #59636e; fill-opacity: .07; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .offered { stroke: #59636e; stroke-dasharray: 5 4; } .answered { stroke: #0969da; }
  .p50 { stroke: #1a7f37; } .p99 { stroke: #bc4c00; } .bar { stroke: #cf222e; stroke-dasharray: 2 3; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; } text { fill: #e6edf3; } .axis { fill: #9198a1; } .grid { stroke: #3d444d; }
    .stage { fill: #9198a1; fill-opacity: .1; } .offered { stroke: #9198a1; } .answered { stroke: #58a6ff; }
    .p50 { stroke: #56d364; } .p99 { stroke: #f0883e; } .bar { stroke: #ff7b72; }
  }
"""


LEGEND = {
    "offered": "offered",
    "answered": "answered",
    "p50": "half within",
    "p99": "99 of 100 within",
    "bar": "wanted of 99",
}


@dataclass(frozen=True)
class _Step:
    """A part of a stage: when, requests a second, ms."""

    at: float
    offered: float
    answered: float
    p50: float
    p99: float


def _steps(stage: Stage, began: float) -> Iterator[_Step]:
    found = stage.by_step()
    lasts = stage.seconds / len(found)
    answers = Counter(int((one.due + one.ms / 1000) / lasts) for one in stage.asked if one.code != NO_ANSWER)
    for number, asked in enumerate(found):
        waits = sorted(one.ms for one in asked)
        yield _Step(
            began + (number + 0.5) * lasts, len(asked) / lasts, answers[number] / lasts,
            percentile(waits, 0.5), percentile(waits, 0.99),
        )  # fmt: skip


class _Panel:
    """A rectangle with an axis. ``lowest`` to ``highest`` are its values, logarithmic or not."""

    def __init__(self, top: float, span: float, lowest: float, highest: float, *, logarithmic: bool) -> None:
        self._top, self._span, self._logarithmic = top, span, logarithmic
        self._lowest, self._highest = lowest, highest

    def x(self, at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / self._span

    def y(self, value: float) -> float:
        if self._logarithmic:
            part = math.log(max(value, self._lowest) / self._lowest) / math.log(self._highest / self._lowest)
        else:
            part = (value - self._lowest) / (self._highest - self._lowest)
        return self._top + HEIGHT * (1 - min(1.0, part))

    def axis(self, marks: Sequence[float], unit: str) -> Iterator[str]:
        for mark in marks:
            y = self.y(mark)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="axis" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{mark:,g}</text>'
        yield f'<text class="axis" x="{LEFT}" y="{self._top - 8}">{unit}</text>'

    def line(self, kind: str, points: Sequence[tuple[float, float]]) -> str:
        path = " ".join(f"{self.x(at):.1f},{self.y(value):.1f}" for at, value in points)
        return f'<polyline class="line {kind}" points="{path}"/>'


def _marks(highest: float) -> list[float]:
    """Some round values from 0 to a little above ``highest``."""
    step = 10 ** math.floor(math.log10(max(highest, 1)))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if highest / (step * part) <= 6)
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def drawn(title: str, stages: Sequence[Stage], p99: float) -> str:
    """The picture. ``p99`` (ms) is drawn as the bar that the latencies are held against."""
    began, placed = 0.0, []
    for stage in stages:
        placed.append((began, stage, list(_steps(stage, began))))
        began += math.ceil(stage.seconds) + 1
    steps = [one for _, _, found in placed for one in found]
    marks = _marks(max(max(one.offered, one.answered) for one in steps))
    longest = 10 ** math.ceil(math.log10(max(10.0, p99, *(one.p99 for one in steps))))
    rates = _Panel(TOP, began, 0, marks[-1], logarithmic=False)
    waits = _Panel(TOP + HEIGHT + BETWEEN, began, 0.1, longest, logarithmic=True)
    bottom = TOP + 2 * HEIGHT + BETWEEN
    height = bottom + 36
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>',
        *_legend(),
    ]
    for start, stage, _ in placed:
        x, width = rates.x(start), rates.x(start + math.ceil(stage.seconds)) - rates.x(start)
        name = "opening" if stage.is_opening else f"{stage.rate:,.0f}/s"
        parts += [
            f'<rect class="stage" x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{bottom - TOP}"/>',
            f'<text class="axis" x="{x + width / 2:.1f}" y="{bottom + 20}" text-anchor="middle">{name}</text>',
        ]
    parts += rates.axis(marks, "requests a second")
    parts += waits.axis([10.0**power for power in range(-1, round(math.log10(longest)) + 1)], "milliseconds")
    parts.append(waits.line("bar", [(0, p99), (began, p99)]))
    for _, _, found in placed:
        parts += [
            rates.line("offered", [(one.at, one.offered) for one in found]),
            rates.line("answered", [(one.at, one.answered) for one in found]),
            waits.line("p50", [(one.at, one.p50) for one in found]),
            waits.line("p99", [(one.at, one.p99) for one in found]),
        ]
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> Iterator[str]:
    x = LEFT
    for kind, name in LEGEND.items():
        yield f'<line class="line {kind}" x1="{x}" x2="{x + 24}" y1="45" y2="45"/>'
        yield f'<text x="{x + 30}" y="49">{name}</text>'
        x += 56 + 8 * len(name)

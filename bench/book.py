"""The book of results: what each part measured last, when and on what, kept as JSON and shown in docs/performance.md.

The page's prose is written by hand. What is measured stands between ``<!-- bench: NAME -->`` and ``<!-- end -->``, and
is all that is replaced.
"""

import json
import platform
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench import plots, report, verdict
from bench.measuring import Row
from storefront.local.services import ROOT

DOCS = ROOT / "docs"
BLOCK = re.compile(r"(<!-- bench: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Book:
    """The results in ``docs``, a folder with performance.md and performance/."""

    def __init__(self, docs: Path = DOCS) -> None:
        self._page = docs / "performance.md"
        self._folder = docs / "performance"
        self._file = self._folder / "results.json"
        self._parts: dict[str, Any] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def enter(self, part: str, rows: list[Row], seconds: float, *, quick: bool) -> None:
        """Put down what a part has measured, in the place of what it had before."""
        self._parts[part] = {
            "on": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": machine(),
            "quick": quick,
            "seconds": round(seconds),
            "rows": [{name: _rounded(value) for name, value in row.items()} for row in rows],
        }

    @property
    def results(self) -> dict[str, list[Row]]:
        """The rows of every part."""
        return {part: kept["rows"] for part, kept in self._parts.items()}

    def save(self) -> None:
        """Write the JSON, draw the plots, and bring the page up to date."""
        self._folder.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(self._parts, indent=1, ensure_ascii=False) + "\n")
        for name, drawing in plots.drawn(self.results):
            (self._folder / f"{name}.svg").write_text(drawing)
        self._page.write_text(BLOCK.sub(self._block, self._page.read_text()))

    def _block(self, found: re.Match[str]) -> str:
        lines = "\n".join(self._lines(found["name"])).strip()
        return f"{found[1]}{lines}\n{found[3]}"

    def _lines(self, name: str) -> Iterator[str]:
        made: dict[str, Callable[[], Iterator[str]]] = {
            "machine": self._machines,
            "targets": lambda: verdict.targets_table(self.results),
            "capacity": lambda: verdict.capacity_table(self.results),
        }
        if name in made:
            yield from made[name]()
        elif name in self._parts:
            yield from report.markdown(name, self.results[name])
        else:
            yield "Not measured yet."

    def _machines(self) -> Iterator[str]:
        """On what the parts were measured, and when: a line for each machine and day."""
        sources: dict[str, list[str]] = {}
        for part, kept in self._parts.items():
            look = ", a quick look only" if kept["quick"] else ""
            sources.setdefault(f"{kept['on']}, {kept['machine']}{look}", []).append(f"{part} ({kept['seconds']} s)")
        for source, parts in sources.items():
            yield f"- {source}: {', '.join(parts)}"


def _rounded(value: Any) -> Any:
    """Four digits are more than a measurement of this kind has."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def machine() -> str:
    """What the figures come from, without its name."""
    memory = psutil.virtual_memory().total / 2**30
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {_kernel()}, {python}"


def _kernel() -> str:
    """The kernel's version, without what somebody called their own build of it."""
    return platform.release().partition("-")[0]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())

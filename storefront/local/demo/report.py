"""What the demo shows: bars while it works, a line for each thing done, tables, and the verdict."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from storefront.local.demo.audit import Count, audit, states
from storefront.local.demo.client import Answer
from storefront.local.demo.crowd import Shopper

Advance = Callable[[float], None]


class Screen:
    """The terminal, or a pipe, which gets the same lines without bars."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def say(self, line: str, style: str = "") -> None:
        """One sentence."""
        self._console.print(Text(line, style), soft_wrap=True)

    @contextmanager
    def bar(self, doing: str, total: float | None) -> Iterator[Advance]:
        """A progress bar until the block ends; it yields what takes the progress made so far. None: no end known."""
        columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()]
        shown = self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=not shown) as progress:
            task = progress.add_task(doing, total=total)
            yield lambda completed: progress.update(task, completed=completed)

    def answers(self, title: str, answers: Sequence[Answer]) -> None:
        """The answers of one rush, by status and code."""
        self.say(title, "bold")
        table = Table(box=box.SIMPLE)
        table.add_column("Status", justify="right")
        table.add_column("Code")
        table.add_column("Answers", justify="right")
        table.add_column("What the shop says")
        sentences = {(answer.status, answer.code): answer.sentence for answer in answers}
        for (status, code), number in sorted(Counter((one.status, one.code) for one in answers).items()):
            said = Text(sentences[status, code])
            table.add_row(str(status or "none"), code or "–", str(number), said)
        self._console.print(table)
        if answers:
            waited = [answer.came - answer.sent for answer in answers]
            spread = max(one.sent for one in answers) - min(one.sent for one in answers)
            self.say(
                f"{len(answers)} requests left within {spread * 1000:.0f} ms; answers took {median(waited) * 1000:.0f} "
                f"ms in the middle, {max(waited) * 1000:.0f} ms at most."
            )

    def verdict(self, num: int, count: Count, shoppers: Sequence[Shopper], further: Sequence[str] = ()) -> int:
        """The orders, the conservation sum and what the audit finds, after what was found before. The exit status."""
        self.say("Orders of all shoppers", "bold")
        table = Table(box=box.SIMPLE)
        table.add_column("State")
        table.add_column("Orders", justify="right")
        for state, number in sorted(states(shoppers).items()):
            table.add_row(state, str(number))
        self._console.print(table)
        self.say(f"Units: {count.sum} of {num}    (given back by expiry on the way: {count.units.expired})", "bold")
        problems = [*further, *audit(num, count, shoppers)]
        for problem in problems:
            self.say(f"  - {problem}", "red")
        if problems:
            self.say(f"It does not add up: {len(problems)} found.", "bold red")
            return 1
        self.say("Every unit is accounted for: none missing, none extra, every promise kept.", "bold green")
        return 0

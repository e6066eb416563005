"""The terminal of a command that takes its time: sentences, and bars while it works."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

Advance = Callable[[float], None]


class Screen:
    """The terminal, or a pipe, which gets the same lines without bars."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)

    def say(self, line: str, style: str = "") -> None:
        """One sentence."""
        self.console.print(Text(line, style), soft_wrap=True)

    @contextmanager
    def bar(self, doing: str, total: float | None) -> Iterator[Advance]:
        """A progress bar until the block ends; it yields what takes the progress made so far. None: no end known."""
        columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()]
        shown = self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=not shown) as progress:
            task = progress.add_task(doing, total=total)
            yield lambda completed: progress.update(task, completed=completed)

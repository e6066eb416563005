"""What the demo shows: bars while it works, a line for each thing done, tables, and the verdict."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from rich import box
from rich.table import Table
from rich.text import Text

from storefront.local.demo.audit import Count, audit, states
from storefront.local.demo.client import Answer
from storefront.local.demo.crowd import Shopper
from storefront.local.screen import Screen as PlainScreen


class Screen(PlainScreen):
    """The terminal, with the demo's tables."""

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
        self.console.print(table)
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
        self.console.print(table)
        self.say(f"Units: {count.sum} of {num}    (given back by expiry on the way: {count.units.expired})", "bold")
        problems = [*further, *audit(num, count, shoppers)]
        for problem in problems:
            self.say(f"  - {problem}", "red")
        if problems:
            self.say(f"It does not add up: {len(problems)} found.", "bold red")
            return 1
        self.say("Every unit is accounted for: none missing, none extra, every promise kept.", "bold green")
        return 0

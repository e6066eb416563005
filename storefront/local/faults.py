"""Why the local run can't start."""


class CannotStart(Exception):
    """The local run can't start. The message is for a person: what is wrong, and what to do."""


class NotReady(CannotStart):
    """A process was started but never became ready. ``lines`` is the last of what it printed."""

    def __init__(self, name: str, reason: str, lines: list[str]) -> None:
        self.name = name
        self.lines = lines
        shown = "".join(f"\n    {line}" for line in lines) if lines else " It printed nothing."
        super().__init__(f"{name} did not become ready: {reason}." + (f" Its last lines:{shown}" if lines else shown))


class Cancelled(CannotStart):
    """The start was called off by the one who asked for it."""

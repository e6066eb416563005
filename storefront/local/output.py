"""What the processes print: each line to the terminal under its process's name, and to a log file of its own."""

import logging
import logging.handlers
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from storefront.local.process import Sink

COLOURS = (36, 33, 35, 32, 34, 31)  # ANSI foreground codes, one a process
LOG_SIZE = 5_000_000  # bytes; one older file of this size is kept beside it


class Output:
    """The lines of the processes ``names``, on one stream and in files. ``stream`` None writes the files alone."""

    def __init__(self, stream: TextIO | None = None, names: Sequence[str] = ()) -> None:
        self._stream = stream
        self._names = names
        self._width = max(map(len, names), default=0)
        self._turn = threading.Lock()
        self._coloured = stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")
        self._files: list[logging.Handler] = []

    def sink(self, name: str, path: Path) -> Sink:
        """Where the lines of the process ``name`` go; ``path`` is its file."""
        file = logging.handlers.RotatingFileHandler(
            path, maxBytes=LOG_SIZE, backupCount=1, encoding="utf-8", delay=True
        )
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._files.append(file)
        prefix = self._prefix(name)

        def write(line: str) -> None:
            file.handle(logging.makeLogRecord({"msg": line}))
            self.say(prefix + line)

        return write

    def _prefix(self, name: str) -> str:
        plain = f"{name:{self._width}} | "
        if not (self._coloured and name in self._names):
            return plain
        return f"\x1b[{COLOURS[self._names.index(name) % len(COLOURS)]}m{plain}\x1b[0m"

    def say(self, line: str) -> None:
        """One line to the terminal alone. A terminal that has gone away is no reason to stop."""
        with self._turn:
            if self._stream is None:
                return
            try:
                print(line, file=self._stream, flush=True)
            except (OSError, ValueError):
                self._stream = None

    def close(self) -> None:
        """Close the log files."""
        for file in self._files:
            file.close()

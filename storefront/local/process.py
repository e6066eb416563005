"""One real process of the local run: started, waited for, listened to, stopped, killed."""

import contextlib
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from storefront.local.faults import Cancelled, NotReady
from storefront.local.guard import Guard, signal_group

START = 60.0  # seconds to become ready; time enough for a Redis to load its data
GRACE = 10.0  # seconds to stop when asked to
POLL = 0.05  # seconds between two looks at a readiness probe
DRAIN = 2.0  # seconds to read what an ended process had still written
REMEMBERED = 200  # lines
SHOWN = 12  # of them in a fault

Sink = Callable[[str], None]


def nowhere(line: str) -> None:
    """A sink that drops its lines."""


def never() -> bool:
    """A cancel condition that never comes."""
    return False


class Process:
    """A program that can be started again and again under one name.

    It runs in a session of its own, so a Ctrl-C in the terminal doesn't reach it. Whenever its first process ends, for
    whatever reason, the rest of its group is killed: a granian without its main process leaves no workers behind.
    ``ready`` is asked, again and again, whether the process can be used. Lines that match ``hidden`` are dropped.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        ready: Callable[["Process"], bool],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        sink: Sink = nowhere,
        hidden: re.Pattern[str] | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.on_exit: Callable[[Process], None] | None = None  # called from another thread
        self._ready = ready
        self._env = env
        self._cwd = cwd
        self._sink = sink
        self._hidden = hidden
        self._guard = guard
        self._popen: subprocess.Popen[str] | None = None
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self._lines: deque[str] = deque(maxlen=REMEMBERED)

    @property
    def pid(self) -> int | None:
        """The process id, which is its group's too; None before the first start. It stays after the end."""
        return self._popen.pid if self._popen else None

    @property
    def running(self) -> bool:
        """Whether it was started and hasn't ended."""
        return self._popen is not None and not self._ended.is_set()

    @property
    def exit_code(self) -> int | None:
        """The exit code; the negative number of the signal that ended it; None while it runs or before it ran."""
        return self._popen.returncode if self._popen and self._ended.is_set() else None

    @property
    def ending(self) -> str:
        """How it ended, for a person."""
        code = self.exit_code
        if code is None:
            return "still running"
        return f"killed by signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"exit code {code}"

    def said(self, *beginnings: str) -> bool:
        """Whether it printed a line that begins so since its last start (among its last 200 lines)."""
        with self._changed:
            return any(line.startswith(beginnings) for line in self._lines)

    def last_lines(self, count: int = SHOWN) -> list[str]:
        """The last lines it printed since its last start."""
        with self._changed:
            return list(self._lines)[-count:]

    def start(self) -> None:
        """Start it; a running process is left as it is. Raises NotReady if the program can't be executed."""
        if self.running:
            return
        self._lines.clear()
        self._ended = threading.Event()
        try:
            popen = subprocess.Popen(
                self.argv,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as fault:
            raise NotReady(self.name, f"{self.argv[0]} can't be run ({fault.strerror})", []) from fault
        self._popen = popen
        if self._guard:
            self._guard.watch(popen.pid)
        reader = threading.Thread(
            target=self._listen, args=(cast("IO[str]", popen.stdout),), name=f"{self.name} output", daemon=True
        )
        reader.start()
        threading.Thread(
            target=self._await_end, args=(popen, reader, self._ended), name=f"{self.name} end", daemon=True
        ).start()

    def wait_ready(self, timeout: float = START, cancelled: Callable[[], bool] = never) -> None:
        """Wait until it can be used, ``timeout`` seconds at most.

        Raises NotReady if it ends or the time does, Cancelled as soon as ``cancelled()`` holds.
        """
        deadline = time.monotonic() + timeout
        while not (self.running and self._ready(self)):
            if cancelled():
                raise Cancelled(f"{self.name} was still starting")
            if not self.running:
                raise NotReady(self.name, f"it stopped at once ({self.ending})", self.last_lines())
            if time.monotonic() > deadline:
                raise NotReady(self.name, f"no answer within {timeout:g} seconds", self.last_lines())
            with self._changed:
                self._changed.wait(POLL)

    def stop(self, grace: float = GRACE) -> None:
        """Ask it to stop, and kill it if it hasn't after ``grace`` seconds. Quiet if it isn't running."""
        if self._popen is None:
            return
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(signal.SIGTERM)
        if not self._ended.wait(grace):
            self.kill()

    def kill(self) -> None:
        """SIGKILL for the whole group, and wait for its end. Quiet if it isn't running."""
        self.kill_now()
        if self._popen is not None:
            self._ended.wait()

    def kill_now(self) -> None:
        """SIGKILL for the whole group without waiting; fit for a signal handler."""
        if self._popen is not None and self.running:
            signal_group(self._popen.pid, signal.SIGKILL)

    def _listen(self, output: IO[str]) -> None:
        with output:
            for raw in output:
                line = raw.rstrip()
                if self._hidden and self._hidden.search(line):
                    continue
                self._sink(line)
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()

    def _await_end(self, popen: "subprocess.Popen[str]", reader: threading.Thread, ended: threading.Event) -> None:
        popen.wait()
        signal_group(popen.pid, signal.SIGKILL)
        reader.join(DRAIN)
        if self._guard:
            self._guard.forget(popen.pid)
        ended.set()
        with self._changed:
            self._changed.notify_all()
        if self.on_exit:
            self.on_exit(self)

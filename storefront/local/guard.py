"""A small process that outlives the supervisor just long enough to stop what the supervisor had started.

The supervisor holds the only writing end of the guard's standard input and writes ``+ID`` and ``-ID`` lines as process
groups come and go. However the supervisor ends, SIGKILL included, the kernel closes that pipe; the guard then stops
every group still on its list. Linux's own means, PR_SET_PDEATHSIG, would miss the grandchildren: granian's workers.

Run as a script by path, in an interpreter without site packages: standard library only, no import of the shop.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import IO, cast

GRACE = 3.0  # seconds between asking a group to stop and killing it
POLL = 0.02  # seconds; a process that isn't our child can't be waited for


def signal_group(group: int, number: int) -> bool:
    """Send a signal to every process of a group. False if none is left (or none is ours any more)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


class Guard:
    """Stops the groups it watches when this process ends.

    ``keep`` are file descriptors, such as a lock's, that stay open until it has done so.
    """

    def __init__(self, keep: Sequence[int] = ()) -> None:
        self._keep = tuple(keep)
        self._groups: set[int] = set()
        self._turn = threading.Lock()
        self._process, self._pipe = self._launch()

    @property
    def pid(self) -> int:
        """The guard's own process id."""
        return self._process.pid

    def watch(self, group: int) -> None:
        """Put a process group on the list."""
        with self._turn:
            self._groups.add(group)
            self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Take a process group off the list: it has ended."""
        with self._turn:
            self._groups.discard(group)
            self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let the guard do its duty now, and wait for it."""
        with self._turn:
            self._pipe.close()
            self._process.wait()

    def _launch(self) -> tuple["subprocess.Popen[bytes]", IO[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            bufsize=0,
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=self._keep,
        )
        return process, cast("IO[bytes]", process.stdin)

    def _tell(self, line: str) -> None:
        if self._pipe.closed:
            return
        try:
            self._pipe.write(line.encode())
        except BrokenPipeError:  # somebody killed the guard: post another one
            self._pipe.close()
            self._process.wait()
            self._process, self._pipe = self._launch()
            self._pipe.write("".join(f"+{group}\n" for group in self._groups).encode())


def stop_groups(groups: Iterable[int], grace: float = GRACE) -> None:
    """Ask every group to stop, and kill those that still stand after ``grace`` seconds."""
    standing = [group for group in groups if signal_group(group, signal.SIGTERM)]
    deadline = time.monotonic() + grace
    while standing and time.monotonic() < deadline:
        time.sleep(POLL)
        standing = [group for group in standing if signal_group(group, 0)]
    for group in standing:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Read the list until the supervisor is gone, then stop what is left on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    stop_groups(groups)


if __name__ == "__main__":
    main()

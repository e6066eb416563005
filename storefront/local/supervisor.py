"""Keeps a list of processes running: started in order, restarted when they crash, stopped in reverse."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType

from storefront.local.faults import Cancelled, NotReady
from storefront.local.process import Process, never

FIRST_DELAY = 0.5  # seconds before the first restart; doubled for each further one
LONGEST_DELAY = 10.0
SETTLED = 30.0  # seconds of life after which a crash counts as the first again
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start_all(processes: Sequence[Process], cancelled: Callable[[], bool] = never) -> None:
    """Start each when the one before it is ready. Raises NotReady or Cancelled, having stopped what it started."""
    try:
        for process in processes:
            process.start()
            process.wait_ready(cancelled=cancelled)
    except BaseException:
        stop_all(processes)
        raise


def stop_all(processes: Sequence[Process]) -> None:
    """Stop them in reverse order, each when the one after it has ended."""
    for process in reversed(processes):
        process.stop()


class Backoff:
    """How long to wait before each restart of one process. ``now`` is in seconds of any steady clock."""

    def __init__(self) -> None:
        self._delay = FIRST_DELAY
        self._started = 0.0

    def started(self, now: float) -> None:
        """The process was started."""
        self._started = now

    def crashed(self, now: float) -> float:
        """The process ended by itself. Returns the seconds to wait."""
        if now - self._started >= SETTLED:
            self._delay = FIRST_DELAY
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        return delay


class Supervisor:
    """Runs processes until SIGINT, SIGTERM or SIGHUP asks it to stop; a second signal kills them at once.

    ``say`` takes the lines that tell what happens. Signals need the main thread, so ``run`` does too.
    """

    def __init__(self, processes: Sequence[Process], say: Callable[[str], None]) -> None:
        self._processes = processes
        self._say = say
        self._events: SimpleQueue[Process | None] = SimpleQueue()  # None: asked to stop. Its put() may be interrupted.
        self._stopping = False
        self._backoff = {process.name: Backoff() for process in processes}
        self._due: dict[str, float] = {}

    def run(self, when_ready: Callable[[], None]) -> None:
        """Start everything, call ``when_ready``, and keep it running until asked to stop; then stop everything.

        Raises NotReady if a process doesn't become ready at this first start; what was started is stopped then.
        """
        with self._signals_taken():
            try:
                start_all(self._processes, lambda: self._stopping)
                for process in self._processes:
                    self._backoff[process.name].started(time.monotonic())
                    process.on_exit = self._events.put
                    if not process.running:  # it ended before anybody listened
                        self._events.put(process)
                when_ready()
                while not self._stopping:
                    self._take_event()
                    self._restart_due()
            except Cancelled:
                pass
            finally:
                self._stopping = True
                stop_all(self._processes)

    def _take_event(self) -> None:
        wait = min(self._due.values()) - time.monotonic() if self._due else None
        try:
            process = self._events.get(timeout=None if wait is None else max(wait, 0))
        except Empty:
            return
        if process is None or process.running or process.name in self._due:
            return
        delay = self._backoff[process.name].crashed(time.monotonic())
        self._due[process.name] = time.monotonic() + delay
        self._say(f"{process.name} stopped ({process.ending}); starting it again in {delay:g} s")

    def _restart_due(self) -> None:
        for process in self._processes:
            if self._due.get(process.name, float("inf")) <= time.monotonic() and not self._stopping:
                del self._due[process.name]
                self._backoff[process.name].started(time.monotonic())
                try:
                    process.start()
                except NotReady as fault:
                    self._say(str(fault))
                    self._events.put(process)
                else:
                    self._say(f"{process.name} started again (pid {process.pid})")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping:
            for process in self._processes:
                process.kill_now()
        else:
            self._stopping = True
            self._events.put(None)

    @contextmanager
    def _signals_taken(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

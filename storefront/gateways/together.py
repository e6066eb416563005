"""Group commit: threads that wait at the same time for the same kind of work share one call that does all of it.

What costs the same for one as for many (a way to the broker and back, a round trip to Redis) is then paid once for
all. Nobody waits for company: whoever finds nothing under way begins at once, with whoever waits by then.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

Work = Callable[[list[Asked]], Sequence[Answer | Exception]]
"""Does what several threads ask. Tells each, in order, an answer or its own fault; raises what is everybody's."""


class _Turn(Generic[Asked, Answer]):
    """One thread's question, until it is answered. ``leads`` if that thread is to do the work of all who wait."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.leads = False
        self.woken = threading.Event()
        self.outcome: Answer | Exception = RuntimeError("the thread that did the work was ended")


class Together(Generic[Asked, Answer]):
    """Where the threads of one process meet. ``patience`` is how long (seconds) one waits for the work of others."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._waiting: list[_Turn[Asked, Answer]] = []
        self._under_way = False

    def share(self, asked: Asked, work: Work[Asked, Answer]) -> Answer:
        """The answer to ``asked``, from ``work`` that may have been done for others too, and in another thread.

        Raises what ``work`` raised or answered in this one's place, and TimeoutError if others take too long.
        """
        turn = _Turn[Asked, Answer](asked)
        with self._lock:
            turn.leads, self._under_way = not self._under_way, True
            self._waiting.append(turn)
        if not turn.leads and not turn.woken.wait(self._patience) and self._given_up(turn):
            raise TimeoutError("others' work takes too long")
        if turn.leads:
            self._lead(work)
        if isinstance(turn.outcome, Exception):
            raise turn.outcome
        return turn.outcome

    def _given_up(self, turn: _Turn[Asked, Answer]) -> bool:
        """Take a turn back, unless it came at the last moment."""
        with self._lock:
            if turn.woken.is_set():
                return False
            if turn in self._waiting:
                self._waiting.remove(turn)
            return True

    def _lead(self, work: Work[Asked, Answer]) -> None:
        """Do the work of all who wait, then have the first of those who came meanwhile do theirs."""
        with self._lock:
            company, self._waiting = self._waiting, []
        try:
            outcomes = work([turn.asked for turn in company])
            for turn, outcome in zip(company, outcomes, strict=True):
                turn.outcome = outcome
        except Exception as fault:  # noqa: BLE001 - not silent: each of them raises it
            for turn in company:
                turn.outcome = fault
        finally:
            with self._lock:
                self._under_way = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].woken.set()
            for turn in company:
                turn.woken.set()

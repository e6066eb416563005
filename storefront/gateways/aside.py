"""Asks somebody who may never answer: in a thread of its own, whose silence holds nobody up."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Aside(Generic[Answer]):
    """One question at a time: whoever asks while one is open waits for that one's answer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._asking = threading.Lock()
        self._answer: Future[Answer] | None = None

    def ask(self, question: Callable[[], Answer]) -> Future[Answer]:
        """What will hold the answer, or what ``question`` raised."""
        with self._asking:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                threading.Thread(target=_find, args=[question, self._answer], name=self._name, daemon=True).start()
            return self._answer


def _find(question: Callable[[], Answer], answer: Future[Answer]) -> None:
    try:
        answer.set_result(question())
    except BaseException as fault:  # noqa: BLE001 - not silent: whoever waits for the answer raises it
        answer.set_exception(fault)

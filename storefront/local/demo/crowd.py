"""The shoppers, and how many of them act at once."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TypeVar

from storefront.local.demo.client import Answer, Client, Unplayable

T = TypeVar("T")
NO_ANSWER = Answer(0)


@dataclass(eq=False)
class Shopper:
    """One shopper, and all that they were told.

    ``told`` are the orders that the shop said yes to, ``paid`` those of them whose payment it said yes to. ``unsure``
    is a shopper who got no clear answer to a purchase, ``unsure_paid`` one who got none to a payment.
    """

    name: str
    client: Client
    token: str = ""
    answer: Answer = NO_ANSWER  # to the latest purchase
    told: list[str] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    unsure: bool = False
    unsure_paid: bool = False
    orders: dict[str, str] = field(default_factory=dict)  # id → state, as the shop lists them


def everybody(
    people: Sequence[T], act: Callable[[T], None], *, at_once: int, seconds: float, done: Callable[[], None]
) -> None:
    """Have each of ``people`` act, ``at_once`` of them at a time; ``done`` is called here after each.

    What ``act`` raises is raised here. Raises Unplayable if it takes longer than ``seconds``. The threads are daemons:
    nobody waits for them once this is over.
    """
    waiting: SimpleQueue[T] = SimpleQueue()
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
    for person in people:
        waiting.put(person)
    for number in range(min(at_once, len(people))):
        threading.Thread(target=_go, args=(waiting, act, outcomes), name=f"shopper {number}", daemon=True).start()
    deadline = time.monotonic() + seconds
    for count in range(len(people)):
        try:
            fault = outcomes.get(timeout=max(deadline - time.monotonic(), 0))
        except Empty:
            raise Unplayable(
                f"After {seconds:.0f} s only {count} of {len(people)} shoppers were through. "
                "The shop or this machine is too slow for this crowd: try --shoppers with fewer."
            ) from None
        if fault is not None:
            raise fault
        done()


def _go(waiting: SimpleQueue[T], act: Callable[[T], None], outcomes: SimpleQueue[BaseException | None]) -> None:
    with suppress(Empty):
        while True:
            person = waiting.get_nowait()
            try:
                act(person)
            except BaseException as fault:  # noqa: BLE001 - raised again in the thread that waits for it
                outcomes.put(fault)
            else:
                outcomes.put(None)


def until(condition: Callable[[], bool], seconds: float, every: float = 0.25) -> bool:
    """Ask a condition of the shop again and again. Returns whether it came true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True

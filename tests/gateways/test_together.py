"""Group commit by itself: who shares what, and that nobody waits for ever, whatever becomes of the one at work."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import pytest

from storefront.gateways.together import Together, Work
from tests.conftest import eventually

PATIENCE = 30.0


class Gate:
    """Work that waits at its first call until it is let through, so that company gathers behind it."""

    def __init__(self) -> None:
        self.company: list[list[int]] = []
        self.opened = threading.Event()

    def doubled(self, asked: list[int]) -> Sequence[int | Exception]:
        self.company.append(asked)
        if len(self.company) == 1:
            assert self.opened.wait(PATIENCE)
        return [2 * one for one in asked]


def gathered(
    pool: ThreadPoolExecutor, together: Together[int, int], size: int, work: Work[int, int]
) -> list[Future[int]]:
    """So many who ask while somebody is at work: they wait together."""
    asking = [pool.submit(together.share, number, work) for number in range(1, size + 1)]
    eventually(lambda: len(together._waiting) == size)
    return asking


class Behind:
    """Somebody at work in front, for as long as the block lasts, so that those who ask in it wait together."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.together = Together[int, int](patience)
        self.gate = Gate()
        self.pool = ThreadPoolExecutor(70)

    def __enter__(self) -> Self:
        self.first = self.pool.submit(self.together.share, 0, self.gate.doubled)
        eventually(lambda: self.gate.company)
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.opened.set()
        self.first.result(PATIENCE)
        self.pool.shutdown(wait=False)


def test_whoever_is_alone_does_the_work_at_once_and_in_the_same_thread() -> None:
    threads = []

    def work(asked: list[int]) -> list[int]:
        threads.append(threading.current_thread())
        return asked

    assert Together[int, int](PATIENCE).share(7, work) == 7
    assert threads == [threading.current_thread()]


def test_those_who_wait_together_share_one_call_and_each_gets_its_own_answer() -> None:
    with Behind() as behind:
        asking = gathered(behind.pool, behind.together, 64, behind.gate.doubled)
    assert [one.result(PATIENCE) for one in asking] == [2 * number for number in range(1, 65)]
    assert [sorted(company) for company in behind.gate.company] == [[0], list(range(1, 65))]
    assert behind.together.share(5, behind.gate.doubled) == 10  # and whoever comes later finds the way free


def test_ones_own_fault_is_nobody_elses() -> None:
    def third_fails(asked: list[int]) -> list[int | Exception]:
        return [ValueError("its own") if one == 3 else one for one in asked]

    with Behind() as behind:
        asking = gathered(behind.pool, behind.together, 5, third_fails)
    with pytest.raises(ValueError, match="its own"):
        asking[2].result(PATIENCE)
    assert [one.result(PATIENCE) for one in asking if one is not asking[2]] == [1, 2, 4, 5]


@pytest.mark.parametrize("fault", [LookupError, KeyboardInterrupt])
def test_a_fault_of_the_work_wakes_everybody_and_bars_nobody(fault: type[BaseException]) -> None:
    def fails(_: list[int]) -> list[int]:
        raise fault

    with Behind() as behind:
        asking = gathered(behind.pool, behind.together, 5, fails)
    faults = [one.exception(PATIENCE) for one in asking]
    assert all(isinstance(told, fault | RuntimeError) for told in faults)
    assert behind.together.share(5, behind.gate.doubled) == 10


def test_work_that_leaves_somebody_out_is_a_fault_for_all() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Together[int, int](PATIENCE).share(1, lambda _: [])


def test_patience_ends_and_what_was_given_up_is_not_done() -> None:
    with Behind(patience=0.01) as behind:
        given_up = behind.pool.submit(behind.together.share, 1, behind.gate.doubled)
        with pytest.raises(TimeoutError):
            given_up.result(PATIENCE)
    assert behind.gate.company == [[0]]
    assert behind.together.share(5, behind.gate.doubled) == 10

"""Each web process keeps to a core of its own."""

import os
from contextlib import suppress

import psutil
import pytest

from storefront.local.shop import LocalShop
from storefront.web.pinning import choice
from tests.conftest import eventually


@pytest.mark.parametrize(
    ("siblings", "others", "older", "core"),
    [
        ([], [], 0, 4), ([], [], 1, 5), ([], [], 2, 4),  # at once
        ([4], [], 1, 5), ([5], [], 1, 4), ([4, 5], [], 2, 4), ([4, 4, 5], [], 3, 5), ([9], [], 0, 4),
        ([], [4], 0, 5), ([], [4], 1, 4), ([5], [4], 1, 4), ([4], [4], 1, 5), ([4], [5, 5], 1, 5),
    ],
)  # fmt: skip
def test_the_core_that_fewest_have_is_taken(siblings: list[int], others: list[int], older: int, core: int) -> None:
    assert choice([4, 5], siblings, others, older) == core


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is the only one")
def test_web_processes_take_different_cores_and_so_does_one_that_follows(real_shop: LocalShop) -> None:
    server = psutil.Process(real_shop.processes["web"].pid)

    def kept() -> dict[int, set[int]]:
        with suppress(ProcessLookupError):
            return {child.pid: os.sched_getaffinity(child.pid) for child in server.children()}
        return {}

    def apart() -> bool:
        first, second = [*kept().values(), set(), set()][:2]
        return len(first) == len(second) == 1 and first != second

    eventually(apart)
    killed = min(kept())
    psutil.Process(killed).kill()
    eventually(lambda: killed not in kept() and apart())

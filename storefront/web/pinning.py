"""Keeps each web process on one core.

Python lets one thread of a process run at a time. Threads that hand that over across cores wait for each other to wake;
on one core they don't, and a process answers up to half as much again. It could use no second core anyway.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def pin() -> None:
    """Keep the threads that this process starts from now on to one core, where the system can do that.

    Processes of one server take different cores, also one that takes the place of another.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores, others = sorted(os.sched_getaffinity(0)), _siblings()
    taken = [one for pid in others for one in _pinned_to(pid, len(cores))]
    core = choice(cores, taken, sum(pid < os.getpid() for pid in others))
    os.sched_setaffinity(0, {core})
    log.info("this web process keeps to core %d", core)


def choice(cores: Sequence[int], taken: Iterable[int], older: int) -> int:
    """The core that fewest others have ``taken``; among equals, those that start at once each get their own.

    ``older`` is how many of them started before this one.
    """
    crowds = Counter(taken)
    fewest = min(crowds[core] for core in cores)
    free = [core for core in cores if crowds[core] == fewest]
    return free[older % len(free)]


def _siblings() -> list[int]:
    """The other processes that the same server started."""
    parent = os.getppid()
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return []
    return [pid for pid in map(int, children) if pid != os.getpid()]


def _pinned_to(pid: int, cores: int) -> set[int]:
    """The core that a process is kept to, if it is."""
    with suppress(OSError):  # it ended meanwhile
        allowed = os.sched_getaffinity(pid)
        return allowed if len(allowed) == 1 < cores else set()
    return set()

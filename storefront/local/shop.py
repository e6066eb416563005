"""A whole shop on this machine: what `make run` supervises, and what tests, benchmarks and the demo start."""

import errno
import os
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from storefront.local import embedded, settings
from storefront.local.embedded import LOOPBACK
from storefront.local.faults import CannotStart
from storefront.local.folder import DataFolder
from storefront.local.guard import Guard
from storefront.local.output import Output
from storefront.local.process import Process
from storefront.local.services import NAMES, Services, as_seen_from_here
from storefront.local.supervisor import start_all, stop_all

LOOPBACKS = (LOOPBACK, "localhost", "::1")
MAX_PORT = 65_535


class LocalShop:
    """A shop with its data under ``var``; as a context manager it runs inside the block.

    ``env`` holds the STOREFRONT_ variables to use; those of this process's own environment are left aside. Where they
    name no Redis or Kafka, embedded ones are started. ``only`` names the services to start, for less than a whole shop;
    ``workers`` is how many order workers there are, and how many sweeps.
    Nothing restarts what crashes unless a Supervisor does: a test may kill and start ``processes`` as it likes.
    """

    def __init__(
        self,
        var: Path,
        port: int | None = None,
        web_processes: int = 1,
        env: Mapping[str, str] | None = None,
        *,
        host: str = LOOPBACK,
        workers: int = 1,
        only: Collection[str] = NAMES,
        output: Output | None = None,
    ) -> None:
        self.var = var.absolute()
        self.host = host
        self.port = port or embedded.free_port()
        self.processes: dict[str, Process] = {}
        self.redis_url = ""  # these two are known once the shop is prepared
        self.kafka = ""
        self._web_processes = web_processes
        self._workers = workers
        self._services: Services  # known once the shop is prepared
        self._given = settings.of_shop(env or {})
        self._settings = self._given
        self._only = only
        self._output = output or Output()
        self._held = ExitStack()

    @property
    def url(self) -> str:
        """The shop's address as seen from this machine, without a slash at its end."""
        host = as_seen_from_here(self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """The environment of the shop's processes, whole: for whatever else is to run against this shop."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(settings.PREFIX)}
        return kept | {"PYTHONUNBUFFERED": "1"} | self._settings

    @property
    def sales_open_to_anyone(self) -> bool:
        """Whether a sale can be created without an account."""
        return self._settings.get(settings.SALES_OPEN_TO) == "anyone"

    def prepare(self) -> None:
        """Take the data folder, check what is given, settle ports and settings, make ``processes`` but start none.

        Raises CannotStart, having let go of everything.
        """
        try:
            if "web" in self._only:
                check_port(self.host, self.port)
            real_redis, real_kafka = settings.real_redis(self._given), settings.real_kafka(self._given)
            folder = DataFolder(self.var)
            self._held.callback(folder.close)
            guard = Guard(keep=[folder.lock])
            self._held.callback(guard.close)
            self._held.callback(self._output.close)
            self._services = Services(folder, guard, self._output)
            self._make_processes(self._services, folder, real_redis, real_kafka)
        except BaseException:
            self.release()
            raise

    def start(self) -> None:
        """Prepare, then start each process when the one before is ready.

        Raises CannotStart with nothing left running.
        """
        self.prepare()
        try:
            start_all(list(self.processes.values()))
        except BaseException:
            self.release()
            raise

    def stop(self) -> None:
        """Stop every process in reverse order and let go of the data folder. The data stays; it may start again."""
        stop_all(list(self.processes.values()))
        self.release()

    def companion(self, name: str, argv: list[str]) -> Process:
        """A program, not started yet, that ends with this shop, however that ends. Prints ``ready`` once it is."""
        return self._services.companion(name, argv)

    def release(self) -> None:
        """Let go of the data folder, with everything stopped."""
        self._held.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_processes(
        self, services: Services, folder: DataFolder, real_redis: str | None, real_kafka: str | None
    ) -> None:
        made: dict[str, Process] = {}
        own: dict[str, str] = {settings.PIN: "1"} | (settings.for_loopback() if self.host in LOOPBACKS else {})
        if settings.value_of(self._given, settings.SECRET) is None:
            own[settings.SECRET] = folder.secret()
        if settings.value_of(self._given, settings.PICTURES) is None:
            own[settings.PICTURES] = str(folder.subfolder("pictures"))
        if real_redis is None:
            port = embedded.free_port()
            own |= settings.for_embedded_redis(port)
            made["redis"] = services.redis(port)
        if real_kafka is None:
            port = embedded.free_port()
            own[settings.KAFKA] = f"{LOOPBACK}:{port}"
            made["broker"] = services.broker(port)
        self.redis_url = real_redis or own[settings.REDIS_URL]
        self.kafka = real_kafka or own[settings.KAFKA]
        self._settings = own | self._given
        folder.keep_settings(self._settings)
        env = self.env
        for kind in ("orders", "expiry"):
            made |= services.workers(kind, self._workers, env)
        made["web"] = services.web(self.host, self.port, self._web_processes, env)
        self.processes = {name: process for name, process in made.items() if name.partition("-")[0] in self._only}


def check_port(host: str, port: int) -> None:
    """Raise CannotStart if the shop couldn't listen there."""
    fault = embedded.refusal(host, port)
    if fault is None:
        return
    match fault.errno:
        case errno.EADDRINUSE:
            other = f"make run PORT={port + 1 if port < MAX_PORT else 8000}"
            reason = f"Port {port} on {host} is in use by another program. Stop it, or choose another: {other}"
        case errno.EACCES:
            reason = f"This user may not listen on port {port}. Choose one above 1023: make run PORT=8000"
        case _:
            reason = f"The shop can't listen on {host}, port {port} ({fault.strerror}). Check HOST and PORT."
    raise CannotStart(reason) from fault

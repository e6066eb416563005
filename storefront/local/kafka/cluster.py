"""A cluster of real brokers on loopback, which tests may kill and start as they like."""

import secrets
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from storefront.local.embedded import LOOPBACK, PROBE_MS, broker_answers, free_port
from storefront.local.faults import CannotStart
from storefront.local.guard import Guard
from storefront.local.kafka.fetch import fetch
from storefront.local.kafka.settings import Node, Secured, java, properties
from storefront.local.output import Output
from storefront.local.process import START, Process

GRACE = 3.0  # seconds to stop when asked to; nothing is lost by the SIGKILL that follows
ELECTION = 20.0  # seconds that a partition may be without a leader
POLL = 0.1

Found = TypeVar("Found")


class KafkaCluster:
    """One or three Apache Kafka brokers on loopback, as real processes.

    ``servers`` is what STOREFRONT_KAFKA takes, or ``secured_servers`` where they are ``secured``. ``processes`` are the
    brokers by name, ``kafka-1`` and so on: each keeps its ports and its data under ``folder``, however it is stopped
    and started again. A folder that was used before, by as many brokers, goes on where it was. Nothing restarts what
    crashes. Stopped for good, it doesn't start again.
    """

    def __init__(
        self,
        folder: Path,
        brokers: int = 1,
        *,
        secured: Secured | None = None,
        guard: Guard | None = None,
        output: Output | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self._secured = secured
        self._nodes = [
            Node(number + 1, free_port(), free_port(), free_port() if secured else 0) for number in range(brokers)
        ]
        self._own_guard = guard is None
        self._guard = guard or Guard()
        self._own_output = output is None
        self._output = output or Output()
        self.servers = ",".join(node.server for node in self._nodes)
        self.secured_servers = ",".join(f"{LOOPBACK}:{node.secured_port}" for node in self._nodes)
        self.processes: dict[str, Process] = {node.name: self._process(node) for node in self._nodes}

    def start(self) -> None:
        """Fetch Kafka where that is to do, start every broker, and return when a record could be appended.

        Raises CannotStart with nothing left running.
        """
        try:
            fetch()
            self._prepare()
            for process in self.processes.values():
                process.start()
            for process in self.processes.values():
                process.wait_ready()
            self._wait(lambda: all(self._known_to(node) == len(self._nodes) for node in self._nodes), START)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every broker. The data stays."""
        with ThreadPoolExecutor(
            len(self.processes)
        ) as pool:  # at once: the last of three alone would wait for the others
            list(pool.map(lambda process: process.stop(GRACE), self.processes.values()))
        if self._own_guard:
            self._guard.close()
        if self._own_output:
            self._output.close()

    def leader(self, topic: str, partition: int) -> str:
        """The name in ``processes`` of the broker that leads a partition now, as far as the cluster has noticed.

        Waits while nobody does. Raises CannotStart if that lasts.
        """
        names = {node.number: node.name for node in self._nodes}

        def look() -> str | None:
            described = self._ask(self.servers, lambda admin: admin.describe_topics([topic])) or []
            leaders = {one["partition_index"]: one["leader_id"] for known in described for one in known["partitions"]}
            return names.get(leaders.get(partition, -1))

        return self._wait(look, ELECTION)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _process(self, node: Node) -> Process:
        return Process(
            node.name,
            java("kafka.Kafka", str(self._settings(node))),
            lambda _: broker_answers(node.server) and self._known_to(node) > 0,
            cwd=self.folder,
            sink=self._output.sink(node.name, self.folder / "log" / f"{node.name}.log"),
            guard=self._guard,
        )

    def _settings(self, node: Node) -> Path:
        return self.folder / f"{node.name}.properties"

    def _data(self, node: Node) -> Path:
        return self.folder / node.name

    def _prepare(self) -> None:
        """Write the settings, and format the data folders that aren't."""
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        identity = self.folder / "cluster-id"
        if not identity.exists():
            identity.write_text(
                urlsafe_b64encode(uuid.UUID(bytes=secrets.token_bytes(16), version=4).bytes).decode()[:22]
            )
        formatting = []
        for node in self._nodes:
            self._settings(node).write_text(properties(node, self._nodes, self._data(node), self._secured))
            if not (self._data(node) / "meta.properties").exists():
                # joined by "=", for an id may begin with "-"
                command = ["format", f"--cluster-id={identity.read_text()}", "--config", str(self._settings(node))]
                if user := self._secured:
                    command += ["--add-scram", f"SCRAM-SHA-512=[name={user.username},password={user.password}]"]
                formatting.append(
                    subprocess.Popen(
                        java("kafka.tools.StorageTool", *command, "--ignore-formatted"),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                    )
                )
        said = [(process.communicate()[0], process.returncode) for process in formatting]
        for text, status in said:
            if status:
                raise CannotStart(f"Kafka could not format its data folder: {text.strip().splitlines()[-1]}")

    def _known_to(self, node: Node) -> int:
        """How many brokers ``node`` knows to take records, itself among them; 0 if it doesn't or can't be asked."""
        cluster = self._ask(node.server, lambda admin: admin.describe_cluster())
        numbers = {broker["broker_id"] for broker in cluster["brokers"]} if cluster else set()
        return len(numbers) if node.number in numbers else 0

    @staticmethod
    def _ask(servers: str, question: Callable[[KafkaAdminClient], Any]) -> Any:
        """What the brokers say; None if they don't answer."""
        try:
            admin = KafkaAdminClient(
                bootstrap_servers=servers, bootstrap_timeout_ms=PROBE_MS, request_timeout_ms=PROBE_MS
            )
            try:
                return question(admin)
            finally:
                admin.close()
        except (KafkaError, OSError):
            return None

    @staticmethod
    def _wait(look: Callable[[], Found | None], timeout: float) -> Found:
        deadline = time.monotonic() + timeout
        while not (found := look()):
            if time.monotonic() > deadline:
                raise CannotStart(f"The brokers did not come together within {timeout:g} seconds; their logs say why.")
            time.sleep(POLL)
        return found

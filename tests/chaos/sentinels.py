"""A Redis with two replicas and three Sentinels that promote one of them, as real processes on loopback."""

from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis

from storefront.local import embedded
from storefront.local.embedded import LOOPBACK
from storefront.local.guard import Guard
from storefront.local.process import Process

SERVICE = "shop"
DOWN_AFTER_MS = 1000
REPLICAS, SENTINELS = 2, 3


class ReplicatedRedis:
    """Its ``processes`` are "redis-1" to "redis-3", the first of which begins as the primary, and "sentinel-1" to 3."""

    def __init__(self, folder: Path) -> None:
        self.processes: dict[str, Process] = {}
        self._guard = Guard()
        self._ports = {f"redis-{number}": embedded.free_port() for number in range(1, REPLICAS + 2)}
        self._sentinels = {f"sentinel-{number}": embedded.free_port() for number in range(1, SENTINELS + 1)}
        for name, port in self._ports.items():
            self._add(folder, name, port, self._argv(folder / name, name, port))
        for name, port in self._sentinels.items():
            argv = [embedded.redis_argv(folder / name, port)[0], str(folder / name / "sentinel.conf"), "--sentinel"]
            self._add(folder, name, port, argv)
            (folder / name / "sentinel.conf").write_text(self._sentinel_conf(folder / name, port))

    @property
    def url(self) -> str:
        """For STOREFRONT_REDIS_URL."""
        return f"redis+sentinel://{','.join(f'{LOOPBACK}:{port}' for port in self._sentinels.values())}/{SERVICE}/0"

    def primary(self) -> str:
        """The name of the primary, as the first Sentinel that answers knows it. Raises LookupError if none does."""
        by_port = {port: name for name, port in self._ports.items()}
        for name, port in self._sentinels.items():
            if self.processes[name].running:
                with Redis(LOOPBACK, port, socket_timeout=1, decode_responses=True) as sentinel:
                    _, at = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
                return by_port[int(at)]
        raise LookupError("no Sentinel runs")

    def replicas_in_step(self) -> int:
        """How many replicas are connected to the primary."""
        with Redis(LOOPBACK, self._ports[self.primary()], socket_timeout=1) as redis:
            return int(redis.info("replication")["connected_slaves"])

    def __enter__(self) -> Self:
        for process in self.processes.values():
            process.start()
            process.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self.processes.values()):
            process.kill()
        self._guard.close()

    def _add(self, folder: Path, name: str, port: int, argv: list[str]) -> None:
        (folder / name).mkdir(parents=True)
        url = f"redis://{LOOPBACK}:{port}/0"
        self.processes[name] = Process(name, argv, lambda _: embedded.redis_answers(url), guard=self._guard)

    def _argv(self, folder: Path, name: str, port: int) -> list[str]:
        argv = embedded.redis_argv(folder, port)
        if name != "redis-1":
            argv += ["--replicaof", LOOPBACK, str(self._ports["redis-1"])]
        return [*argv, "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"]

    def _sentinel_conf(self, folder: Path, port: int) -> str:
        return "\n".join(
            [
                f"bind {LOOPBACK}",
                f"port {port}",
                f"dir {folder}",
                f"sentinel monitor {SERVICE} {LOOPBACK} {self._ports['redis-1']} {SENTINELS // 2 + 1}",
                f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
                f"sentinel failover-timeout {SERVICE} 4000",
                f"sentinel parallel-syncs {SERVICE} {REPLICAS}",
                "",
            ]
        )

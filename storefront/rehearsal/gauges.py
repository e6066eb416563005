"""Looks at the shadow while it is asked: everybody's CPU, the order workers' lag, the ledger's time."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from storefront.domain.errors import LedgerDown
from storefront.domain.records import Probed
from storefront.gateways.ledger import ORDERS
from storefront.rehearsal import machine
from storefront.rehearsal.figures import BROKER, CROWD, REDIS, SWEEP, WEB, Gauged
from storefront.rehearsal.figures import ORDERS as WORKER
from storefront.rehearsal.shadow import Shadow
from storefront.services.measuring import LEDGER_PATIENCE

EVERY = 0.5
"""Seconds between two looks."""

GROUPS = {"web": WEB, "orders": WORKER, "expiry": SWEEP}


class Gauges:
    """As a context manager it looks inside the block; ``read`` then tells. ``crowd`` are the load's processes.

    Made ahead of the block, so that it begins at once: what is asked over a network was asked before.

    Redis's and the broker's CPU is what they use for everybody, the live shop too.
    """

    def __init__(self, shadow: Shadow, crowd: Sequence[int]) -> None:
        self._shadow = shadow
        self._crowd = list(crowd)
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look_on, name="rehearsal-gauges", daemon=True)
        self._lags: list[int] = []
        self._appends: list[float] = []
        self._busiest: dict[str, float] = {}
        self._servers = servers(shadow)
        self._applied, self._redis = self._positions(), self._redis_cpu()

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._idle, self._cpu = machine.idle(), self._each()
        self._looked, self._seen = self._began, self._cpu
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._began
        idle, cpu = machine.idle(), self._each()
        self._over.set()
        self._watch.join()
        applied, redis = self._positions(), self._redis_cpu()
        used = {
            group: [after - self._cpu.get(group, {}).get(pid, 0.0) for pid, after in pids.items()]
            for group, pids in cpu.items()
        }
        if REDIS not in used and redis is not None and self._redis is not None:
            used[REDIS] = [redis - self._redis]
            self._busiest[REDIS] = used[REDIS][0] / seconds
        spare, whole = idle[0] - self._idle[0], idle[1] - self._idle[1]
        self.read = Gauged(
            seconds=seconds,
            cpu={group: sum(each) for group, each in used.items()},
            busiest=self._busiest,
            idle=spare / max(0.01, whole),
            others=max(0.0, whole - spare - sum(map(sum, used.values()))),
            lags=self._lags,
            appends=sorted(self._appends),
            applied=applied - self._applied,
        )

    def _each(self) -> dict[str, dict[int, float]]:
        """CPU seconds of each process of each group."""
        pids: dict[str, list[int]] = {CROWD: [*self._crowd, os.getpid()]}
        for name, process in self._shadow.local.processes.items():
            pids.setdefault(GROUPS[name.partition("-")[0]], []).extend(machine.tree(process.pid or 0))
        pids |= {group: [pid] for group, pid in self._servers.items()}
        return {group: {pid: machine.cpu_of(pid) for pid in each} for group, each in pids.items()}

    def _note_busiest(self) -> None:
        now, seen = time.monotonic(), self._each()
        for group, pids in seen.items():
            before = self._seen.get(group, {})
            shares = [(used - before[pid]) / (now - self._looked) for pid, used in pids.items() if pid in before]
            self._busiest[group] = max(self._busiest.get(group, 0.0), *shares, 0.0)
        self._looked, self._seen = now, seen

    def _redis_cpu(self) -> float | None:
        """What Redis tells of its main thread, else of itself; None if it doesn't."""
        with suppress(RedisError):
            told: Mapping[str, float] = self._shadow.inside.memory.redis.info("cpu")
            for names in (("used_cpu_user_main_thread", "used_cpu_sys_main_thread"), ("used_cpu_user", "used_cpu_sys")):
                if all(name in told for name in names):
                    return sum(float(told[name]) for name in names)
        return None

    def _positions(self) -> int:
        shop = self._shadow.inside
        return sum(one.offset for one in shop.positions.all_at(shop.ledger.partitions))

    def _look_on(self) -> None:
        shop = self._shadow.inside
        while not self._over.wait(EVERY):
            self._note_busiest()
            with suppress(RedisError, LedgerDown):
                if ends := shop.ends.look(LEDGER_PATIENCE):
                    self._lags.append(max(0, sum(ends.values()) - self._positions()))
                began = time.monotonic()
                shop.ledger.append(Probed(at=int(time.time() * 1000)), to=(ORDERS, 0))
                self._appends.append((time.monotonic() - began) * 1000)


def servers(shadow: Shadow) -> dict[str, int]:
    """The processes of the shop's Redis and broker, where they run on this machine and can be seen."""
    pool = shadow.inside.memory.redis.connection_pool.connection_kwargs
    found = {REDIS: machine.listener(str(pool.get("host", "")), int(pool.get("port", 0)))}
    host, _, port = shadow.inside.config.kafka.split(",")[0].rpartition(":")
    found[BROKER] = machine.listener(host.strip("[]"), int(port))
    return {name: pid for name, pid in found.items() if pid}

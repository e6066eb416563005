"""What is done to a running shop: each fault strikes, holds for a while, and is mended as a supervisor would."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rq import Worker

from storefront.local.process import Process
from storefront.stores.connection import connect
from tests.chaos.venue import Kind, Venue, within
from tests.conftest import append_only_file

OUTAGE = 2.0
"""Seconds that what was killed stays away."""

TORN = 11
"""Bytes that are missing of the last command that a cut file holds."""

STOPPED = 12.0
"""Seconds that a process stands still: longer than every timeout of the shop, the clients' and the leases included."""

CUT = ("ledger cut:orders", "ledger cut:accounts")
"""What killing an embedded broker may cause. It loses its last second, which is mended from Redis."""

Act = Callable[[Venue], None]


@dataclass(frozen=True)
class Fault:
    """``strike`` begins it, ``mend`` ends its cause ``lasts`` seconds later.

    ``excused`` are anomalies that it may cause.
    """

    name: str
    strike: Act
    mend: Act = lambda _: None
    lasts: float = OUTAGE
    excused: tuple[str, ...] = ()


def killed(kind: str, *, only: int | None = None, excused: tuple[str, ...] = ()) -> Fault:
    """SIGKILL for every process of a kind, or the first ``only`` of them."""

    def chosen(venue: Venue) -> Sequence[Process]:
        return venue.roles(kind)[:only]

    def strike(venue: Venue) -> None:
        for process in chosen(venue):
            process.kill()

    def mend(venue: Venue) -> None:
        start(chosen(venue))

    return Fault(f"{_count(kind, only)} killed", strike, mend, excused=excused)


def stopped(kind: str, *, only: int | None = None) -> Fault:
    """SIGSTOP for every process of a kind, or the first ``only`` of them, for longer than every timeout."""
    groups: list[int] = []

    def strike(venue: Venue) -> None:
        groups[:] = [process.pid for process in venue.roles(kind)[:only] if process.pid]
        for group in groups:
            os.killpg(group, signal.SIGSTOP)

    def mend(_: Venue) -> None:
        for group in groups:
            os.killpg(group, signal.SIGCONT)

    return Fault(f"{_count(kind, only)} stopped", strike, mend, lasts=STOPPED)


def _count(kind: str, only: int | None) -> str:
    name = {"orders": "order worker", "expiry": "sweep"}.get(kind, kind)
    return f"one {name}" if only == 1 else name


def start(processes: Sequence[Process]) -> None:
    """Start what was killed."""
    for process in processes:
        process.start()
    for process in processes:
        process.wait_ready()


# Web and RQ: processes within processes


def _kill_web_process(venue: Venue) -> None:
    main = psutil.Process(venue.processes["web"].pid)
    main.children()[0].kill()  # granian starts another


def _kill_rq_workers(venue: Venue) -> None:
    with connect(venue.inside.config.rq_url) as redis:
        pids = [worker.pid for worker in Worker.all(connection=redis)]
    mine = {child.pid for sweep in venue.roles("expiry") for child in psutil.Process(sweep.pid).children()}
    for pid in mine.intersection(pids):
        os.kill(pid, signal.SIGKILL)


WEB_PROCESS = Fault("one web process killed", _kill_web_process)
RQ_WORKERS = Fault("RQ workers killed", _kill_rq_workers)


# Redis, and its data


def _redis_folder(venue: Venue) -> Path:
    return venue.local.var / "redis"


def _cut_last_second(venue: Venue) -> None:
    log = append_only_file(venue.local)
    size = log.stat().st_size
    time.sleep(1)  # the second that is to be lost
    venue.processes["redis"].kill()
    os.truncate(log, size - TORN)  # in the middle of a command, as a power failure would leave it


def _kill_and_empty(venue: Venue) -> None:
    venue.processes["redis"].kill()
    for file in [path for path in _redis_folder(venue).rglob("*") if path.is_file()]:
        file.unlink()


def _flush(venue: Venue) -> None:
    venue.inside.memory.redis.flushall()


def _start_redis(venue: Venue) -> None:
    start([venue.processes["redis"]])


def _kill_after_always(venue: Venue) -> None:
    venue.inside.memory.redis.config_set("appendfsync", "always")
    time.sleep(1)  # a second of selling under this setting
    venue.processes["redis"].kill()


REDIS_CUT = Fault("redis killed, the last second of its file cut off", _cut_last_second, _start_redis)
REDIS_ALWAYS = Fault("redis killed, appendfsync always", _kill_after_always, _start_redis)
REDIS_FLUSHED = Fault("redis flushed while it runs", _flush, lasts=0)
REDIS_EMPTIED = Fault("redis killed and its files removed", _kill_and_empty, _start_redis)

LEDGER_ALONE = Fault("at last: redis flushed, the ledger alone tells the same", _flush, lasts=0)


def disk_full(policy: str) -> Fault:
    """Redis's disk has no room left. Under "always" Redis gives up; a supervisor starts it when there is room."""

    def strike(venue: Venue) -> None:
        venue.inside.memory.redis.config_set("appendfsync", policy)
        filler = _redis_folder(venue) / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                return  # full, as wanted

    def mend(venue: Venue) -> None:
        (_redis_folder(venue) / "filler").unlink()
        start([venue.processes["redis"]])

    return Fault(f"redis's disk full, appendfsync {policy}", strike, mend, lasts=8.0)


# A replicated Redis


def _kill_primary(struck: list[str]) -> Act:
    def strike(venue: Venue) -> None:
        assert venue.redis is not None
        struck[:] = [venue.redis.primary()]
        venue.processes[struck[0]].kill()

    return strike


def primary_killed() -> Fault:
    """Sentinel promotes a replica; the old primary comes back as one."""
    struck: list[str] = []

    def mend(venue: Venue) -> None:
        start([venue.processes[name] for name in struck])
        in_step(venue)

    return Fault("redis's primary killed, a replica promoted", _kill_primary(struck), mend, lasts=6.0)


def stale_replica_promoted() -> Fault:
    """The replicas stand still for two seconds of selling, the primary dies, and one of them takes over as it is."""
    struck: list[str] = []
    kill = _kill_primary(struck)

    def strike(venue: Venue) -> None:
        assert venue.redis is not None
        replicas = [p for name, p in venue.redis.processes.items() if name != venue.redis.primary() and "redis" in name]
        for replica in replicas:
            os.killpg(replica.pid or 0, signal.SIGSTOP)
        time.sleep(2)  # what is sold now, the replicas won't know
        kill(venue)
        for replica in replicas:
            os.killpg(replica.pid or 0, signal.SIGCONT)

    def mend(venue: Venue) -> None:
        start([venue.processes[name] for name in struck])
        in_step(venue)

    return Fault("redis's primary killed, a stale replica promoted", strike, mend, lasts=6.0)


def primary_stopped() -> Fault:
    """Another is promoted meanwhile; then the old primary goes on, not knowing."""
    struck: list[str] = []

    def strike(venue: Venue) -> None:
        assert venue.redis is not None
        struck[:] = [venue.redis.primary()]
        os.killpg(venue.processes[struck[0]].pid or 0, signal.SIGSTOP)

    def mend(venue: Venue) -> None:
        os.killpg(venue.processes[struck[0]].pid or 0, signal.SIGCONT)
        in_step(venue)

    return Fault("redis's primary stopped, a replica promoted, both go on", strike, mend, lasts=STOPPED)


def in_step(venue: Venue) -> None:
    """Wait until every replica follows the primary again, so that the next fault finds a whole group."""
    redis = venue.redis
    assert redis is not None
    assert within(60, lambda: redis.replicas_in_step() == 2), "the replicas never came back"


# Apache Kafka


def leader(verb: str) -> Fault:
    """SIGKILL or SIGSTOP for the broker that leads the busiest partition."""
    struck: list[Process] = []

    def strike(venue: Venue) -> None:
        assert venue.kafka is not None
        struck[:] = [venue.kafka.processes[venue.kafka.leader(*venue.busiest_partition())]]
        if verb == "killed":
            struck[0].kill()
        else:
            os.killpg(struck[0].pid or 0, signal.SIGSTOP)

    def mend(_: Venue) -> None:
        if verb == "killed":
            start(struck)
        else:
            os.killpg(struck[0].pid or 0, signal.SIGCONT)

    return Fault(f"kafka's leader {verb}", strike, mend, lasts=STOPPED)


def all_of(kind: Kind) -> list[Fault]:
    """The faults that are tried on one kind of venue, one at a time."""
    if kind.small_disk:
        return [disk_full("everysec"), disk_full("always")]
    if kind.sentinels:
        return [primary_killed(), stale_replica_promoted(), primary_stopped()]
    if kind.brokers:
        everything = [leader("killed"), leader("stopped"), killed("kafka"), REDIS_CUT]
        return everything if kind.brokers > 1 else [killed("kafka"), stopped("kafka"), REDIS_CUT, REDIS_EMPTIED]
    return [
        WEB_PROCESS,
        killed("web"),
        stopped("web"),
        killed("orders", only=1),
        killed("orders"),
        stopped("orders", only=1),
        stopped("orders"),
        killed("expiry", only=1),
        killed("expiry"),
        stopped("expiry"),
        RQ_WORKERS,
        killed("redis"),
        stopped("redis"),
        REDIS_CUT,
        REDIS_ALWAYS,
        REDIS_FLUSHED,
        REDIS_EMPTIED,
        killed("broker", excused=CUT),
        stopped("broker"),
    ]


def at_random(kind: Kind, count: int, seed: int) -> list[Fault]:
    """So many of them, drawn with a seed."""
    return random.Random(seed).choices(all_of(kind), k=count)

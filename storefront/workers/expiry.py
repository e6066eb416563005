"""The timers: `rq cron` puts one sweep into a queue every second, a SimpleWorker runs it. Others fetch or send.

Not a job per order: ten thousand scheduled jobs run half a minute late, one sweep of ten thousand deadlines takes a
fraction of a second. Two of these beside each other are merely wasteful.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing.context import ForkProcess

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.cron import CronScheduler

from storefront import config
from storefront.domain.errors import LedgerDown
from storefront.services import settling
from storefront.shop import Shop
from storefront.stores.connection import connect
from storefront.workers import pictures, webhooks

log = logging.getLogger(__name__)

QUEUE = "expiry"
EVERY = 1
"""Seconds between two sweeps."""

RESTART = 1.0
"""Seconds before a part that ended is started again."""


@cache
def _shop() -> Shop:
    return Shop(config.from_environment())


def sweep() -> int:
    """The job: one sweep. Returns how many records were written; a ledger that is down is left to the next sweep."""
    try:
        return settling.sweep(_shop())
    except LedgerDown as fault:
        log.warning("the sweep waits for the ledger: %s", fault.__cause__)
        return 0


def _connect() -> Redis:
    return connect(config.from_environment().rq_url, socket_connect_timeout=2, socket_keepalive=True)


def tick() -> None:
    """Enqueue what is due again and again, until Redis drops or SIGTERM. A job that waited too long is dropped."""
    _begin_part()
    scheduler = CronScheduler(connection=_connect(), logging_level=logging.WARNING)
    scheduler.register(sweep, QUEUE, interval=EVERY, ttl=2 * EVERY, result_ttl=0, job_timeout=30, failure_ttl=3600)
    scheduler.register(
        pictures.fetch_due, pictures.QUEUE, interval=pictures.EVERY, ttl=2 * pictures.EVERY, result_ttl=0,
        job_timeout=pictures.TIMEOUT, failure_ttl=3600,
    )  # fmt: skip
    scheduler.register(
        webhooks.deliver_due, webhooks.QUEUE, interval=webhooks.EVERY, ttl=2 * webhooks.EVERY, result_ttl=0,
        job_timeout=webhooks.TIMEOUT, failure_ttl=3600,
    )  # fmt: skip
    with _redis_away():
        scheduler.start()  # type: ignore[no-untyped-call]


def work(queue: str) -> None:
    """Run the jobs of one queue in this process until SIGTERM."""
    _begin_part()
    connection = _connect()
    worker = SimpleWorker([Queue(queue, connection=connection)], connection=connection)
    worker.max_connection_wait_time = 2.0
    with _redis_away():
        worker.work(logging_level="WARNING")


@contextmanager
def _redis_away() -> Iterator[None]:
    """End with one sentence when Redis drops; the parent starts this part again."""
    try:
        yield
    except RedisError as fault:
        sys.exit(f"Redis does not answer (STOREFRONT_RQ_URL): {fault}")


def _begin_part() -> None:
    """End with the parent, even if it is killed; Ctrl-C in a terminal is the parent's to answer."""
    logging.getLogger("rq").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_follow, args=[parent], daemon=True).start()


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


def run(stop: threading.Event) -> None:
    """Keep the timer and the workers alive until ``stop`` is set; whichever ends is started again."""
    # nothing is open yet that a fork could share, and importing everything twice more takes seconds
    context = multiprocessing.get_context("fork")
    parts: dict[str, Callable[[], None]] = {
        "tick": tick,
        "work": partial(work, QUEUE),
        "pictures": partial(work, pictures.QUEUE),
        # two, so that one receiver who takes all the time there is doesn't keep the others waiting
        "webhooks-1": partial(work, webhooks.QUEUE),
        "webhooks-2": partial(work, webhooks.QUEUE),
    }
    running: dict[str, ForkProcess] = {}
    while not stop.is_set():
        for name, target in parts.items():
            process = running.get(name)
            if process is None or not process.is_alive():
                if process is not None:
                    log.warning("the expiry %s ended with status %s; starting it again", name, process.exitcode)
                running[name] = context.Process(target=target, name=f"expiry-{name}", daemon=True)
                running[name].start()
        stop.wait(RESTART)
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.join(timeout=5)
        if process.is_alive():
            process.kill()

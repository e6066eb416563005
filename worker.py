"""The shop's workers: `python worker.py orders` applies the ledger, `python worker.py expiry` runs the sweep.

Both read their settings from the environment (docs/operations.md), wait for Redis and the broker where those are not
there yet, and end on SIGTERM or Ctrl-C.
"""

import logging
import signal
import sys
import threading

from redis.exceptions import RedisError

from storefront import config, logs
from storefront.domain.errors import LedgerDown
from storefront.gateways.topics import OtherPartitions
from storefront.shop import Shop
from storefront.workers import expiry
from storefront.workers.orders import OrderWorker

USAGE = "usage: worker.py orders | expiry"


log = logging.getLogger("storefront.worker")


def orders(settings: config.Config, stop: threading.Event, /) -> None:
    """Apply the ledger until told to stop."""
    shop = Shop(settings)
    while not stop.is_set():
        try:
            shop.memory.ping()
            shop.ledger.ensure_topics()
        except RedisError as fault:
            log.warning("Redis does not answer (STOREFRONT_REDIS_URL): %s; trying again", fault)
        except LedgerDown as fault:
            why = f"{shop.config.kafka} (STOREFRONT_KAFKA): {fault.__cause__}"
            log.warning("the ledger's topics can't be had from Kafka at %s; trying again", why)
        else:
            logs.announcements.info("ready: applying the ledger")
            OrderWorker(shop).run(stop)
        stop.wait(2)
    shop.close()


def sweeps(_: config.Config, stop: threading.Event, /) -> None:
    """Run the sweep until told to stop."""
    logs.announcements.info("ready: sweeping every second")
    expiry.run(stop)


def main() -> int:
    """Run the worker that the command line names. Returns the exit status."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    match sys.argv[1:]:
        case ["orders"]:
            work = orders
        case ["expiry"]:
            work = sweeps
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    try:
        settings = config.from_environment()
        logs.configure(settings.log)
        work(settings, stop)
    except (config.BadConfig, OtherPartitions) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

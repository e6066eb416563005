"""The shop's workers: `python worker.py orders` applies the ledger, `python worker.py expiry` runs the sweep.

Both read their settings from the environment (docs/operations.md), wait for Redis and the broker where those are not
there yet, and end on SIGTERM or Ctrl-C.
"""

import logging
import signal
import sys
import threading

from redis.exceptions import RedisError

from storefront import config
from storefront.domain.errors import LedgerDown
from storefront.gateways.topics import OtherPartitions
from storefront.shop import Shop
from storefront.workers import expiry
from storefront.workers.orders import OrderWorker

USAGE = "usage: worker.py orders | expiry"


def orders(stop: threading.Event) -> None:
    """Apply the ledger until told to stop."""
    shop = Shop(config.from_environment())
    while not stop.is_set():
        try:
            shop.memory.ping()
            shop.ledger.ensure_topics()
        except RedisError as fault:
            print(f"Redis does not answer (STOREFRONT_REDIS_URL): {fault}; trying again", flush=True)
        except LedgerDown as fault:
            why = f"{shop.config.kafka} (STOREFRONT_KAFKA): {fault.__cause__}"
            print(f"the ledger's topics can't be had from Kafka at {why}; trying again", flush=True)
        else:
            print("ready: applying the ledger", flush=True)
            OrderWorker(shop).run(stop)
        stop.wait(2)
    shop.close()


def sweeps(stop: threading.Event) -> None:
    """Run the sweep until told to stop."""
    config.from_environment()
    print("ready: sweeping every second", flush=True)
    expiry.run(stop)


def main() -> int:
    """Run the worker that the command line names. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it, we say in a sentence of our own
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
        work(stop)
    except (config.BadConfig, OtherPartitions) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m storefront.local`: the whole shop under one supervisor, as `make run` starts it.

Reads PORT, HOST, VAR, DEMO and WEB_PROCESSES from the environment, and hands the STOREFRONT_ settings on.
"""

import argparse
import logging
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from storefront.local import seed
from storefront.local.embedded import LOOPBACK
from storefront.local.faults import CannotStart
from storefront.local.output import Output
from storefront.local.services import NAMES
from storefront.local.settings import without_password
from storefront.local.shop import MAX_PORT, LocalShop
from storefront.local.supervisor import Supervisor


def number(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number from 1 to ``most`` in the environment. Raises CannotStart if it is anything else."""
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise CannotStart(f"{name} is {text!r}, but must be a number from 1 to {most}.")
    return int(text)


def banner(shop: LocalShop, web_processes: int) -> list[str]:
    """What runs where, in a few lines."""
    var = os.path.relpath(shop.var) if shop.var.is_relative_to(Path.cwd()) else str(shop.var)
    redis, broker = "as STOREFRONT_REDIS_URL says", "as STOREFRONT_KAFKA says"
    if "redis" in shop.processes:
        redis = f"embedded, data in {var}/redis"
    if "broker" in shop.processes:
        broker = f"embedded, data in {var}/broker; for local use only, see docs/operations.md"
    sales = "only merchants may create them"
    if shop.sales_open_to_anyone:
        sales = "anyone may create them: this run listens on loopback only"
    rows = {
        "Redis": f"{without_password(shop.redis_url)}   {redis}",
        "Broker": f"{shop.kafka}   {broker}",
        "Web": f"{web_processes} processes",
        "Workers": "worker.py orders, worker.py expiry",
        "Sales": sales,
        "Logs": f"{var}/log",
    }
    return [f"Flash sale shop   {shop.url}   (Ctrl-C stops everything)"] + [f"  {k:15} {v}" for k, v in rows.items()]


def run(environment: Mapping[str, str]) -> None:
    """Run the shop until a signal ends it. Raises CannotStart with nothing left running."""
    web_processes = number(environment, "WEB_PROCESSES", 2, 64)
    var = Path(environment.get("VAR") or "var").absolute()
    output = Output(sys.stdout, NAMES)
    shop = LocalShop(
        var,
        number(environment, "PORT", 8000, MAX_PORT),
        web_processes,
        environment,
        host=environment.get("HOST") or LOOPBACK,
        output=output,
    )

    def when_ready() -> None:
        if environment.get("DEMO") == "0":
            demo = []
        elif shop.sales_open_to_anyone:
            demo = [seed.seed(shop.url, datetime.now().astimezone())]
        else:
            demo = ["No demo sales: only merchants may create sales here (STOREFRONT_SALES_OPEN_TO)."]
        for line in banner(shop, web_processes) + demo:
            output.say(line)

    output.say("Starting the shop …")
    shop.prepare()
    try:
        Supervisor(list(shop.processes.values()), output.say).run(when_ready)
    finally:
        shop.release()
    output.say("Everything is stopped. The data stays in " + str(var))


def main() -> int:
    """Run; a fault is one sentence on stderr and exit code 1."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the probes' failed attempts say it already
    try:
        run(os.environ)
    except CannotStart as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser("python -m storefront.local", description=__doc__.split("\n\n", 1)[1]).parse_args()
    sys.exit(main())

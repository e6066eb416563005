"""`python -m storefront.local.kafka`: one real broker or three on loopback, until Ctrl-C, as `make kafka` starts them.

Reads BROKERS and VAR from the environment.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from storefront.local.faults import CannotStart
from storefront.local.folder import DataFolder
from storefront.local.guard import Guard
from storefront.local.kafka.cluster import KafkaCluster
from storefront.local.output import Output
from storefront.local.process import Process
from storefront.local.supervisor import STOP_SIGNALS


def run(environment: Mapping[str, str]) -> None:
    """Run the brokers until a signal ends it. Raises CannotStart with nothing left running."""
    brokers = environment.get("BROKERS") or "1"
    if brokers not in ("1", "3"):
        raise CannotStart(f"BROKERS is {brokers!r}, but must be 1 or 3: two brokers are no safer than one.")
    stop = threading.Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    with closing(DataFolder((Path(environment.get("VAR") or "var") / "kafka").absolute())) as folder:
        output = Output(sys.stdout, [f"kafka-{number + 1}" for number in range(int(brokers))])
        guard = Guard(keep=[folder.lock])
        try:
            output.say(f"Starting Apache Kafka, {brokers} broker{'s' if brokers != '1' else ''} …")
            _serve(
                KafkaCluster(folder.subfolder(f"of-{brokers}"), int(brokers), guard=guard, output=output), output, stop
            )
        finally:
            guard.close()
            output.close()


def _serve(cluster: KafkaCluster, output: Output, stop: threading.Event) -> None:
    def say_how_it_ended(process: Process) -> None:
        if not stop.is_set():
            output.say(
                f"{process.name} stopped ({process.ending}). Ctrl-C, and make kafka again, brings it back, "
                "at another port: start the shops with the new line."
            )

    with cluster:
        for process in cluster.processes.values():
            process.on_exit = say_how_it_ended
        more = f" STOREFRONT_REPLICATION={len(cluster.processes)}" if len(cluster.processes) > 1 else ""
        output.say("Ready (Ctrl-C stops it). In another terminal:")
        output.say(f"  STOREFRONT_KAFKA={cluster.servers}{more} make run")
        stop.wait()
    output.say("Kafka is stopped. The data stays.")


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
    sys.exit(main())

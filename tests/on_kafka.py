"""`python -m tests.on_kafka BROKERS PATHS…`: the tests in PATHS, on so many real brokers instead of embedded ones."""

import logging
import os
import sys
import tempfile
from pathlib import Path

import pytest

from storefront.local.faults import CannotStart
from storefront.local.kafka import KafkaCluster


def main() -> int:
    """Start the brokers, run the tests, stop the brokers. Returns pytest's exit status."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the probes' failed attempts while the brokers start
    brokers, *arguments = sys.argv[1:]
    try:
        with tempfile.TemporaryDirectory() as folder, KafkaCluster(Path(folder), int(brokers)) as cluster:
            os.environ["STOREFRONT_KAFKA"] = cluster.servers
            logging.getLogger("kafka").setLevel(logging.NOTSET)
            return pytest.main(arguments)
    except CannotStart as fault:
        print(fault, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

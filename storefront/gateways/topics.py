"""The ledger's topics: created so that they keep every record for ever, and looked at where they exist already.

A rehearsal's topics are deleted when it is over; the shop's own never are.
"""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from storefront.gateways.access import OPEN, Access

log = logging.getLogger(__name__)

TIMEOUT_MS = 5000
POLL = 0.05
"""Seconds between two looks at whether a topic is gone."""

SAFE = 3
"""Copies of a record with which no single broker's end loses it: fewer, on so many brokers, are worth a warning."""

FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""The ledger is the shop's memory. Kafka's own default forgets it after a week."""


def settings(replication: int) -> dict[str, str]:
    """How a topic of the ledger is kept: for ever, and what is acknowledged on all copies but one."""
    return FOR_EVER | {
        "min.insync.replicas": str(max(1, replication - 1)),
        "unclean.leader.election.enable": "false",
    }


class OtherPartitions(Exception):
    """A topic exists with another number of partitions than the settings say. The message tells what to do."""


def ensure(servers: list[str], topics: Mapping[str, int], replication: int, access: Access = OPEN) -> list[str]:
    """Create the topics that don't exist, given by name with their numbers of partitions.

    Returns what is dangerous about those that exist: a sentence each that says what to do. Raises KafkaError, and
    OtherPartitions.
    """
    with _connected(servers, access) as admin:
        return [
            warning
            for name, partitions in topics.items()
            if not _created(admin, NewTopic(name, partitions, replication, topic_configs=settings(replication)))
            for warning in _dangers(admin, name, partitions)
        ]


def names(servers: list[str], access: Access = OPEN) -> set[str]:
    """The names of all topics. Raises KafkaError."""
    with _connected(servers, access) as admin:
        return set(admin.list_topics())


def delete(servers: list[str], doomed: Collection[str], access: Access = OPEN) -> None:
    """Delete topics, and wait until they are gone. Raises KafkaError if the broker refuses, or takes too long."""
    if not doomed:
        return
    with _connected(servers, access) as admin:
        admin.delete_topics(list(doomed))
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while left := set(doomed).intersection(admin.list_topics()):
            if time.monotonic() > deadline:
                raise KafkaTimeoutError(f"the broker still has {', '.join(sorted(left))}")
            time.sleep(POLL)


@contextmanager
def _connected(servers: list[str], access: Access) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(
        bootstrap_servers=servers, bootstrap_timeout_ms=TIMEOUT_MS, request_timeout_ms=TIMEOUT_MS, **access.options()
    )
    try:
        yield admin
    finally:
        admin.close()


def _created(admin: KafkaAdminClient, topic: NewTopic) -> bool:
    try:
        admin.create_topics([topic])
    except TopicAlreadyExistsError:
        return False
    return True


def _dangers(admin: KafkaAdminClient, name: str, partitions: int) -> list[str]:
    """Sentences on a topic that may lose records. None about a setting that the broker doesn't tell."""
    there = len(admin.describe_topics([name])[0]["partitions"])
    if there != partitions:
        raise OtherPartitions(
            f"The topic {name} has {there} partitions and STOREFRONT_PARTITIONS is {partitions}: set it to {there}, "
            "for every process of the shop. A sale's records must stay in one partition."
        )
    found: list[str] = []
    held = _configuration(admin, name)
    wrong = {setting: held[setting] for setting, value in FOR_EVER.items() if held.get(setting, value) != value}
    if wrong:
        said = ", ".join(f"{setting}={value}" for setting, value in wrong.items())
        wanted = ",".join(f"{setting}={FOR_EVER[setting]}" for setting in wrong)
        found.append(
            f"the topic {name} forgets records ({said}), and they are the shop's memory: "
            f"run kafka-configs.sh --alter --topic {name} --add-config {wanted}"
        )
    brokers, copies = _spread(admin, name)
    if copies < SAFE <= brokers:
        found.append(
            f"the topic {name} has a partition with {copies} of {SAFE} copies, so one broker's end can lose orders: "
            "give it more replicas with kafka-reassign-partitions.sh, and then min.insync.replicas=2"
        )
    elif copies >= SAFE and int(held.get("min.insync.replicas", copies)) < copies - 1:
        found.append(
            f"the topic {name} acknowledges records that stand on {held['min.insync.replicas']} of {copies} brokers: "
            f"run kafka-configs.sh --alter --topic {name} --add-config min.insync.replicas={copies - 1}"
        )
    return found


def _configuration(admin: KafkaAdminClient, name: str) -> dict[str, str]:
    """A topic's settings in force; empty where the broker can't tell them."""
    try:
        told: dict[str, Any] = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name)], config_filter="all"
        )
    except KafkaError as fault:
        log.debug("the broker doesn't tell the settings of %s: %s", name, fault)
        return {}
    return {setting: str(held["value"]) for setting, held in told.get("topic", {}).get(name, {}).items()}


def _spread(admin: KafkaAdminClient, name: str) -> tuple[int, int]:
    """How many brokers there are, and on how many of them the least copied partition of a topic stands."""
    partitions = admin.describe_topics([name])[0]["partitions"]
    try:
        brokers = len(admin.describe_cluster()["brokers"])
    except KeyError:  # the client trips over the embedded broker's older answer
        brokers = 1
    return brokers, min((len(one["replica_nodes"]) for one in partitions), default=SAFE)

"""What one broker of a local cluster is told: its server.properties, and the command that runs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storefront.local.embedded import LOOPBACK
from storefront.local.kafka.fetch import HERE, jars

# Quick to start and small, since three must fit on two cores; a local run is never long enough for the better compiler.
JVM = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true")


@dataclass(frozen=True)
class Secured:
    """A second listener, for clients that come over TLS and as somebody (SASL_SSL, SCRAM-SHA-512).

    ``keystore`` is a file with the brokers' certificate and key, in PEM.
    """

    username: str
    password: str
    keystore: Path


@dataclass(frozen=True)
class Node:
    """One broker, which is a controller too. ``secured_port`` is 0 where there is no secured listener."""

    number: int
    port: int
    controller_port: int
    secured_port: int = 0

    @property
    def name(self) -> str:
        """Its name among the processes."""
        return f"kafka-{self.number}"

    @property
    def server(self) -> str:
        """Where clients reach it."""
        return f"{LOOPBACK}:{self.port}"


def java(*words: str) -> list[str]:
    """A command that runs one of the broker's programs."""
    return ["java", *JVM, f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", "-cp", f"{jars()}/*", *words]


def properties(node: Node, nodes: Sequence[Node], data: Path, secured: Secured | None = None) -> str:
    """The text of server.properties for ``node``, one of ``nodes``.

    Nothing is flushed to disk at once: what a process killed with SIGKILL has written the system still writes out. Only
    a machine that dies loses it, and on several machines the other replicas have it.
    """
    voters = ",".join(f"{one.number}@{LOOPBACK}:{one.controller_port}" for one in nodes)
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"PLAINTEXT://{node.server},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "log.dirs": data,
        # what is acknowledged stands on two brokers of three
        "default.replication.factor": len(nodes),
        "min.insync.replicas": max(1, len(nodes) - 1),
        "unclean.leader.election.enable": "false",
        "auto.create.topics.enable": "false",
        # a broker that died is noticed within seconds: on loopback a late heartbeat means nothing else
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,
        "controller.quorum.election.timeout.ms": 1000,
        "controller.quorum.fetch.timeout.ms": 2000,
        "controller.quorum.request.timeout.ms": 1000,
        "replica.lag.time.max.ms": 3000,
        # as little as will do
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    }
    if secured:
        listener = "listener.name.secured"
        settings |= {
            "listeners": f"{settings['listeners']},SECURED://{LOOPBACK}:{node.secured_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL",
            f"{listener}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            f"{listener}.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            f"{listener}.ssl.keystore.type": "PEM",
            f"{listener}.ssl.keystore.location": secured.keystore,
        }
    return "".join(f"{name}={value}\n" for name, value in settings.items())

"""Real Apache Kafka on this machine: fetched from Maven Central, one broker or three, as processes of our own."""

from storefront.local.kafka.cluster import KafkaCluster
from storefront.local.kafka.fetch import available

__all__ = ["KafkaCluster", "available"]

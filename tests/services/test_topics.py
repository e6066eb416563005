"""The ledger's topics as the order worker finds them."""

import pytest

from storefront.config import Config
from storefront.gateways import topics
from storefront.gateways.ledger import ORDERS
from storefront.shop import Shop


def test_a_topic_with_another_number_of_partitions_is_refused_with_what_to_do(config: Config, shop: Shop) -> None:
    name, servers = config.topic_prefix + ORDERS, config.kafka.split(",")
    with pytest.raises(topics.OtherPartitions, match=f"set it to {config.partitions}"):
        topics.ensure(servers, {name: config.partitions + 1}, 1)
    assert topics.ensure(servers, {name: config.partitions}, config.replication) == []

"""Real Apache Kafka under a real sale: a broker is killed, and nothing that was answered yes is lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import requests
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.producer.sender import Sender

from storefront.domain.account import Account, Profile
from storefront.domain.errors import LedgerDown, Overloaded, PurchaseLost, Recovering
from storefront.domain.sale import Sale, Terms, Units
from storefront.gateways import topics
from storefront.gateways.ledger import Ledger
from storefront.local.kafka import KafkaCluster, available
from storefront.local.kafka.settings import Secured
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying, selling
from storefront.shop import Shop
from storefront.stores import keys
from tests import certificates
from tests.conftest import SETTINGS, config_of, eventually, unique

# one cluster at a time, since three brokers are enough for two cores; starting them takes long on a busy machine
pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.timeout(300)]

PASSWORD = "correct horse"
SHOPPERS, UNITS = 4, 100_000
BEFORE, DURING = 20, 40  # purchases to be told yes before the fault, and from then on


@pytest.fixture(scope="module", params=[1, 3], ids=["one broker", "three brokers"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """As many real brokers, all running; a test that kills one starts it again."""
    if missing := available():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaCluster(folder, request.param, secured=Secured("shop", PASSWORD, certificates.make(folder))) as brokers:
        yield brokers


@contextmanager
def shop_on(cluster: KafkaCluster, var: Path) -> Iterator[Shop]:
    """A shop on those brokers, without web processes: the test plays their part. It leaves no sending thread behind."""
    before = senders()
    env = SETTINGS | {
        "STOREFRONT_KAFKA": cluster.servers,
        "STOREFRONT_TOPIC_PREFIX": "shop-",
        "STOREFRONT_REPLICATION": str(len(cluster.processes)),
        "STOREFRONT_PARTITIONS": "1",
    }
    with LocalShop(var, env=env, only=("redis", "orders", "expiry")) as running:
        shop = Shop(config_of(running))
        eventually(shop.is_open)
        yield shop
        shop.close()
        eventually(lambda: senders() <= before)


def senders() -> set[threading.Thread]:
    """The threads of the producers in this process."""
    return {thread for thread in threading.enumerate() if isinstance(thread, Sender)}


class Sales:
    """Shoppers who buy, one purchase after another, until told to stop; ``yes`` are the orders they were promised."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(SHOPPERS)
        now = shop.memory.now_ms() // 1000
        terms = Terms(unique("sale"), UNITS, "x", now - 60, now + 3600, price=100, limit=UNITS)
        self.sale: Sale = selling.open_sale(shop, None, terms).sale
        self.yes: list[tuple[Account, str]] = []
        self._shopping = [self._pool.submit(self._shop_on, shopper_of(shop)) for _ in range(SHOPPERS)]

    def _shop_on(self, shopper: Account) -> None:
        while not self._stop.is_set():
            with suppress(LedgerDown, Recovering, Overloaded, PurchaseLost):  # and again: what was told yes counts
                self.yes.append((shopper, buying.buy(self._shop, shopper, self.sale.product).order))
            self._stop.wait(0.03)

    def wait_for(self, purchases: int) -> None:
        """Return once so many more were told yes."""
        goal = len(self.yes) + purchases
        eventually(lambda: len(self.yes) >= goal, timeout=60)

    def end(self) -> None:
        """Have them stop, and whatever went wrong with them come to light."""
        self._stop.set()
        for one in self._shopping:
            one.result(30)
        self._pool.shutdown()


def shopper_of(shop: Shop) -> Account:
    return accounts.register(shop, Profile(unique("shopper"), 20, "x", "http://example.com/a.jpg"), "secret123")


def expect_everything(shop: Shop, sales: Sales) -> None:
    def settled() -> Units | None:
        sale = shop.sales.get(sales.sale.id) if shop.is_open() else None
        return sale.units if sale and sale.units.reserved == 0 else None

    units = eventually(settled, timeout=60)
    assert units.left + units.unpaid == units.total == UNITS
    assert units.unpaid >= len(sales.yes)  # an answer may have been lost; its order stands all the same
    for shopper, order in sales.yes:
        found = shop.orders.get(order)
        assert found is not None
        assert (found.shopper, found.state) == (shopper.id, "pending")


def test_selling_goes_on_when_a_broker_is_killed_and_nothing_is_lost(cluster: KafkaCluster, tmp_path: Path) -> None:
    with shop_on(cluster, tmp_path / "shop") as shop:
        sales = Sales(shop)
        sales.wait_for(BEFORE)
        leader = cluster.leader("shop-orders", 0)
        cluster.processes[leader].kill()
        if len(cluster.processes) > 1:
            sales.wait_for(DURING)  # without it
        cluster.processes[leader].start()
        cluster.processes[leader].wait_ready()
        sales.wait_for(DURING)
        sales.end()
        expect_everything(shop, sales)
        assert shop.memory.hash(keys.ANOMALIES) == {}

        # and the ledger alone tells the same story
        shop.memory.redis.flushall()
        expect_everything(shop, sales)
        assert shop.memory.hash(keys.ANOMALIES) == {}


def test_the_ledgers_topics_keep_what_is_acknowledged_for_ever(cluster: KafkaCluster) -> None:
    brokers = len(cluster.processes)
    ledger = Ledger(cluster.servers, "kept-", partitions=2, replication=brokers, send_timeout=2)
    ledger.ensure_topics()
    with admin_of(cluster) as admin:
        for topic in ("kept-orders", "kept-accounts"):
            held = described(admin, topic)
            assert {name: held[name] for name in topics.FOR_EVER} == topics.FOR_EVER
            assert held["min.insync.replicas"] == {1: "1", 3: "2"}[brokers]
            assert held["unclean.leader.election.enable"] == "false"
    assert topics.ensure(cluster.servers.split(","), {"kept-orders": 2, "kept-accounts": 1}, brokers) == []


def test_a_topic_that_forgets_is_warned_of_with_what_to_do(cluster: KafkaCluster) -> None:
    brokers = len(cluster.processes)
    with admin_of(cluster) as admin:
        settings = topics.settings(brokers) | {"cleanup.policy": "compact", "retention.ms": "604800000"}
        admin.create_topics([NewTopic("forgets", 1, brokers, topic_configs=settings)])
        described(admin, "forgets")
    (warning,) = topics.ensure(cluster.servers.split(","), {"forgets": 1}, brokers)
    assert "(cleanup.policy=compact, retention.ms=604800000)" in warning
    assert warning.endswith("--alter --topic forgets --add-config cleanup.policy=delete,retention.ms=-1")


def test_a_single_copy_is_warned_of_where_there_could_be_three(cluster: KafkaCluster) -> None:
    servers = cluster.servers.split(",")
    topics.ensure(servers, {"alone": 1}, 1)
    if len(cluster.processes) == 1:
        assert topics.ensure(servers, {"alone": 1}, 1) == []
    else:
        (warning,) = eventually(lambda: topics.ensure(servers, {"alone": 1}, 1))
        assert "1 of 3 copies" in warning


def test_a_whole_shop_comes_over_tls_and_with_a_password(cluster: KafkaCluster, tmp_path: Path) -> None:
    if len(cluster.processes) > 1:
        pytest.skip("one broker tells it all")
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    env = SETTINGS | {
        "STOREFRONT_KAFKA": cluster.secured_servers,
        "STOREFRONT_KAFKA_SECURITY": "SASL_SSL",
        "STOREFRONT_KAFKA_USERNAME": "shop",
        "STOREFRONT_KAFKA_PASSWORD_FILE": str(password),
        "STOREFRONT_KAFKA_CAFILE": str(cluster.folder / "certificate.pem"),
        "STOREFRONT_TOPIC_PREFIX": "secured-",
        "STOREFRONT_PARTITIONS": "1",
    }
    with LocalShop(tmp_path / "shop", env=env) as running:
        shop = Shop(config_of(running))
        eventually(shop.is_open)
        now = shop.memory.now_ms() // 1000
        terms = Terms(unique("sale"), 1, "x", now - 60, now + 3600, price=100)
        sale = selling.open_sale(shop, None, terms).sale
        order = buying.buy(shop, shopper_of(shop), sale.product).order
        eventually(lambda: (found := shop.orders.get(order)) and found.state == "pending")
        ready = requests.get(f"{running.url}/readyz", timeout=10).json()
        assert ready["checks"]["ledger"]["ok"], ready
        shop.close()
        password.write_text("wrong")
        stranger = Shop(config_of(running))
        with pytest.raises(LedgerDown):
            stranger.ledger.ensure_topics()
        stranger.close()


@contextmanager
def admin_of(cluster: KafkaCluster) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=cluster.servers)) as admin:
        yield admin


def described(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    """A topic's settings, once the broker that is asked has heard of it."""

    def look() -> dict[str, str]:
        told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return {name: held["value"] for name, held in told["topic"][topic].items()}

    found: dict[str, str] = eventually(look)
    return found

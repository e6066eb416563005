"""Real Apache Kafka under a real sale: a broker is killed, and nothing that was answered yes is lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from storefront.domain.account import Account, Profile
from storefront.domain.errors import LedgerDown, Overloaded, PurchaseLost, Recovering
from storefront.domain.sale import Sale, Terms, Units
from storefront.local.kafka import KafkaCluster, available
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying, selling
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import SETTINGS, config_of, eventually, unique

pytestmark = pytest.mark.xdist_group("kafka")  # one cluster at a time: three brokers are enough for two cores

SHOPPERS, UNITS = 8, 100_000
BEFORE, DURING = 40, 80  # purchases to be told yes before the fault, and from then on


@pytest.fixture(params=[1, 3], ids=["one broker", "three brokers"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KafkaCluster]:
    """As many real brokers."""
    with running_brokers(tmp_path / "kafka", request.param) as brokers:
        yield brokers


@contextmanager
def running_brokers(folder: Path, count: int) -> Iterator[KafkaCluster]:
    if missing := available():
        pytest.skip(missing)
    with KafkaCluster(folder, count) as brokers:
        yield brokers


@contextmanager
def shop_on(cluster: KafkaCluster, var: Path) -> Iterator[Shop]:
    """A shop on those brokers, without web processes: the test plays their part."""
    env = SETTINGS | {
        "STOREFRONT_KAFKA": cluster.servers,
        "STOREFRONT_REPLICATION": str(len(cluster.processes)),
        "STOREFRONT_PARTITIONS": "1",
    }
    with LocalShop(var, env=env, only=("redis", "orders", "expiry")) as running:
        shop = Shop(config_of(running))
        eventually(shop.is_open)
        yield shop
        shop.close()


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
            try:
                self.yes.append((shopper, buying.buy(self._shop, shopper, self.sale.product).order))
            except (LedgerDown, Recovering, Overloaded, PurchaseLost):
                self._stop.wait(0.05)

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
        leader = cluster.leader("orders", 0)
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

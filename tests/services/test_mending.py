"""A ledger that was cut is mended: afterwards Redis and a replay agree, whatever came between, and whoever was slow."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from storefront.domain import records
from storefront.domain.account import Account, Profile
from storefront.domain.errors import Refused
from storefront.domain.ids import new_order_id
from storefront.domain.records import Record
from storefront.domain.replay import Replay
from storefront.domain.sale import Sale, Terms
from storefront.gateways.ledger import ORDERS, Line
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying, selling
from storefront.services.applying import GoBack, Partition, apply
from storefront.shop import Shop
from storefront.stores import keys
from storefront.workers.orders import OrderWorker
from tests.conftest import SETTINGS, config_of, eventually, unique


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of its own whose order worker the test plays."""
    with LocalShop(tmp_path_factory.mktemp("cut"), env=SETTINGS, only=("redis", "broker")) as running:
        opened = Shop(config_of(running))
        opened.ledger.ensure_topics()
        yield opened
        opened.close()


@contextmanager
def worker(shop: Shop) -> Iterator[None]:
    """An order worker, from when it has opened the shop."""
    stop = threading.Event()
    thread = threading.Thread(target=OrderWorker(shop).run, args=[stop])
    thread.start()
    try:
        eventually(shop.is_open)
        yield
    finally:
        stop.set()
        thread.join()


def somebody(shop: Shop) -> Account:
    return accounts.register(shop, Profile(unique("shopper"), 20, "x", "http://example.com/a.jpg"), "secret123")


@contextmanager
def mending_worker(shop: Shop) -> Iterator[None]:
    """An order worker, from when it has mended the ledger and opened the shop again."""
    with worker(shop):
        eventually(lambda: "ledger cut:orders" in shop.memory.hash(keys.ANOMALIES))
        eventually(shop.is_open)
        yield


@pytest.fixture
def sale(shop: Shop) -> Sale:
    """A sale of one unit."""
    now = shop.memory.now_ms() // 1000
    with worker(shop):
        return selling.open_sale(shop, None, Terms(unique("sale"), 1, "x", now - 60, now + 3600, price=100)).sale


class Cut:
    """Records that Redis has applied and that the ledger lost: they never stand in it."""

    def __init__(self, shop: Shop, sale: Sale) -> None:
        self.shop = shop
        self.partition = next(
            name for name in shop.ledger.partitions if name[0] == ORDERS and sale.id in shop.sales.of_partition(name[1])
        )
        (self.position,) = shop.positions.all_at([self.partition])

    def reader(self) -> Partition:
        """A worker's belief from before."""
        return Partition(*self.partition, self.position)

    def lines(self, *lost: Record) -> list[Line]:
        return [Line(*self.partition, self.position.offset + n, record) for n, record in enumerate(lost)]


def request(shop: Shop, sale: Sale, epoch: str) -> records.Requested:
    now = shop.memory.now_ms()
    return records.Requested(
        at=now,
        sale=sale.id,
        order=new_order_id(sale.id),
        shopper="a",
        shopper_name="A",
        epoch=epoch,
        pay_by=now + 60_000,
    )


def states(shop: Shop, sale: Sale) -> dict[str, str]:
    return {order: fields["state"] for order, fields in shop.orders.all_of({sale.id})[sale.id]}


def replayed(cut: Cut, sale: Sale) -> dict[str, str]:
    told, offset = Replay(), 0
    with closing(cut.shop.ledger.reader()) as reader:
        reader.assign([cut.partition])
        reader.seek(cut.partition, 0)
        end = reader.end(cut.partition)
        while offset < end:
            for _, lines in reader.poll(1.0):
                for line in lines:
                    if line.record is not None:
                        told.apply(line.record)
                offset = lines[-1].offset + 1
    return {order: str(known.state) for order, known in told.sales[sale.id].orders.items()}


def expired(lost: records.Requested) -> Record:
    return records.Expired(at=lost.at, sale=lost.sale, order=lost.order)


def released(lost: records.Requested) -> Record:
    return records.Released(at=lost.at, sale=lost.sale, order=lost.order, epoch=lost.epoch)


def paid(lost: records.Requested) -> Record:
    return records.Paid(at=lost.at, sale=lost.sale, order=lost.order, charge="charge")


@pytest.mark.parametrize("late", [expired, released, paid])
def test_what_comes_between_a_cut_and_its_mending_means_the_same_in_a_replay(
    shop: Shop, sale: Sale, late: Callable[[records.Requested], Record]
) -> None:
    cut = Cut(shop, sale)
    lost = request(shop, sale, cut.position.epoch)
    apply(shop, cut.reader(), cut.lines(records.Probed(at=1), lost))
    assert states(shop, sale) == {lost.order: "pending"}

    shop.ledger.append(late(lost))
    with mending_worker(shop):
        try:
            buying.buy(shop, somebody(shop), sale.product)
        except Refused:
            assert states(shop, sale)[lost.order] in ("pending", "paid")
        eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.reserved == 0)
        before = states(shop, sale)
        assert replayed(cut, sale) == before

        shop.memory.redis.flushall()
        eventually(lambda: shop.memory.field(keys.sale(sale.id), "signed"))
        eventually(shop.is_open)
        assert states(shop, sale) == before
        assert shop.memory.anomalies() == {}


def test_what_a_replay_cannot_place_in_front_of_a_mending_is_no_anomaly(shop: Shop, sale: Sale) -> None:
    cut = Cut(shop, sale)
    first, second = request(shop, sale, cut.position.epoch), request(shop, sale, cut.position.epoch)
    shop.ledger.append(first)
    with worker(shop):
        eventually(lambda: states(shop, sale) == {first.order: "pending"})
    kept = Cut(shop, sale)
    apply(shop, kept.reader(), kept.lines(expired(first)))  # which frees the unit, and the ledger loses
    shop.ledger.append(second)
    with mending_worker(shop):
        before = states(shop, sale)
        shop.memory.redis.flushall()
        eventually(lambda: shop.memory.field(keys.sale(sale.id), "signed"))
        eventually(shop.is_open)
        assert states(shop, sale) == before
        assert shop.memory.anomalies() == {}


def test_a_worker_that_still_holds_what_the_ledger_lost_is_turned_away(shop: Shop, sale: Sale) -> None:
    cut = Cut(shop, sale)
    lost = [request(shop, sale, cut.position.epoch), records.Probed(at=1), *(records.Probed(at=n) for n in range(9))]
    slow = cut.reader()
    apply(shop, cut.reader(), cut.lines(*lost[:2]))
    with mending_worker(shop):
        before = states(shop, sale)
        with pytest.raises(GoBack):
            apply(shop, slow, cut.lines(*lost[2:], expired(lost[0])))  # type: ignore[arg-type]
        assert states(shop, sale) == before == {lost[0].order: "pending"}  # type: ignore[attr-defined]


def test_a_mending_that_comes_late_is_void(shop: Shop, sale: Sale) -> None:
    cut = Cut(shop, sale)
    lost = request(shop, sale, cut.position.epoch)
    apply(shop, cut.reader(), cut.lines(lost))
    with mending_worker(shop):
        before = states(shop, sale)
        ghost = records.Mending(at=1, epoch="mending:late", number=1)
        shop.ledger.append(ghost, to=cut.partition)
        receipt = shop.ledger.append(records.Signed(at=1, epoch="late", succeeds=ghost.epoch), to=cut.partition)
        shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, 10)
        assert shop.is_open()
        assert states(shop, sale) == before == {lost.order: "pending"}


def test_what_was_promised_outlives_a_new_epoch_though_the_ledger_lost_its_request_unread(
    shop: Shop, sale: Sale
) -> None:
    order = new_order_id(sale.id)
    reservation = shop.orders.reserve(sale.id, order, "a", "A", doubt_ms=600_000, pay_ms=600_000)
    assert shop.orders.confirmed(order, reservation.epoch)
    shop.memory.redis.set(keys.BIRTH, "another")  # as when another partition is mended, or Redis restarts
    with mending_worker(shop):
        assert states(shop, sale) == {order: "pending"}
        assert replayed(Cut(shop, sale), sale) == {order: "pending"}

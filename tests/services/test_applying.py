"""Applying the ledger: a row of records is applied in its order or not at all, whatever fails in the middle of it."""

from collections.abc import Iterator

import pytest
from redis.exceptions import ResponseError

from storefront.domain.ids import new_order_id, new_sale_id
from storefront.domain.records import Cancelled, Opened, Record, Requested
from storefront.gateways.ledger import ORDERS, Line
from storefront.local.shop import LocalShop
from storefront.services.applying import Partition, apply
from storefront.shop import Shop
from storefront.stores import orders
from storefront.stores.scripts import place
from tests.conftest import SETTINGS, config_of

PARTITION = (ORDERS, 0)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A Redis that nobody else uses; the test plays the order worker."""
    with LocalShop(tmp_path_factory.mktemp("redis"), env=SETTINGS, only=("redis",)) as running:
        shop = Shop(config_of(running))
        yield shop
        shop.close()


class Story:
    """A sale's records, at the end of a ledger that only this test writes."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        (position,) = shop.positions.all_at([PARTITION])
        self.partition = Partition(*PARTITION, position)
        self.epoch = position.epoch
        self.sale = new_sale_id("phone")
        self.orders = [new_order_id(self.sale) for _ in range(3)]
        self._signed = position.signed

    def lines(self, *records: Record) -> list[Line]:
        first = self.partition.position.offset
        return [Line(*PARTITION, first + number, record) for number, record in enumerate(records)]

    def opened(self) -> Record:
        return Opened(
            at=1000, sale=self.sale, merchant="", merchant_name="", product=self.sale, num=2, producter="x", begins=0,
            ends=9, price=100, currency="CNY", limit=1, description="", image="",
        )  # fmt: skip

    def requested(self, number: int) -> Requested:
        return Requested(
            at=2000, sale=self.sale, order=self.orders[number], shopper=f"shopper {number}", shopper_name="",
            epoch=self._signed, pay_by=3000,
        )  # fmt: skip

    def cancelled(self, number: int) -> Record:
        return Cancelled(at=2500, sale=self.sale, order=self.orders[number])

    def state(self, number: int) -> str | None:
        order = self.shop.orders.get(self.orders[number])
        return order.state if order else None


def test_a_script_that_redis_forgot_leaves_no_record_out(alone: Shop) -> None:
    story = Story(alone)
    apply(alone, story.partition, story.lines(story.opened(), story.requested(0)))
    alone.memory.redis.script_flush()
    apply(alone, story.partition, story.lines(story.requested(1)))  # Redis knows this one script again
    apply(alone, story.partition, story.lines(story.cancelled(0), story.requested(2)))
    assert [story.state(number) for number in range(3)] == ["cancelled", "pending", "pending"]


def test_a_record_that_redis_refused_is_not_passed_over_by_those_behind_it(alone: Shop) -> None:
    story = Story(alone)
    apply(alone, story.partition, story.lines(story.opened(), story.requested(0), story.requested(1)))
    row = first, second = story.lines(story.cancelled(0), story.requested(2))
    alone.memory.redis.config_set("maxmemory", 1)  # no room for a moment, as on a full disk
    try:
        with pytest.raises(ResponseError):
            apply(alone, story.partition, row)
    finally:
        alone.memory.redis.config_set("maxmemory", 0)
    where = place(second.offset, first.offset)
    call = orders.effect(story.requested(2), story.epoch, story.epoch, where)
    assert alone.memory.scripts.run(*call) == "gap", "there was room again when its turn came"
    apply(alone, story.partition, row)
    assert [story.state(number) for number in range(3)] == ["cancelled", "pending", "pending"]

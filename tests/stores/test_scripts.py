"""Rows of scripts: all of them run, in order, or none behind the first that can't."""

from collections.abc import Iterator

import pytest

from storefront.domain.records import Opened, OrderRecord, Paid, Requested
from storefront.local.shop import LocalShop
from storefront.stores import keys, orders, sales
from storefront.stores.memory import Memory
from storefront.stores.scripts import ROW, Call, source

SALE, ORDER, OTHER = "tagtag00000001", "tagtag00000000000001", "tagtag00000000000002"
OPENED = Opened(
    at=0, sale=SALE, merchant="", merchant_name="", product="lamp", num=ROW * 3, producter="", begins=0, ends=2**33,
    price=100, currency="CNY", limit=1, description="", image="",
)  # fmt: skip
AN_EPOCH = "signed"


@pytest.fixture
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A Redis in which one sale is open."""
    with LocalShop(tmp_path_factory.mktemp("scripts"), only=("redis",)) as running:
        memory = Memory(running.redis_url)
        assert memory.scripts.run_many([sales.opened(OPENED, epoch_of(memory), AN_EPOCH, 0)]) == ["opened"]
        yield memory
        memory.redis.close()


def epoch_of(memory: Memory) -> str:
    return str(memory.scripts.run("begin", [keys.position("orders", 0), keys.BIRTH], ["birth"])[0])


def effect(memory: Memory, record: OrderRecord, offset: int) -> Call:
    return orders.effect(record, epoch_of(memory), AN_EPOCH, offset)


def requested(order: str) -> Requested:
    return Requested(at=0, sale=SALE, order=order, shopper=order, shopper_name="", epoch=AN_EPOCH, pay_by=1)


def test_a_redis_that_knows_only_the_later_scripts_of_a_row_runs_the_earlier_ones_too(memory: Memory) -> None:
    memory.scripts.run_many([effect(memory, requested(ORDER), 1)])
    row = [
        effect(memory, Paid(at=0, sale=SALE, order=ORDER, charge="money"), 2),
        effect(memory, requested(OTHER), 3),
    ]
    memory.redis.script_flush()
    memory.redis.script_load(source("apply_requested"))
    assert memory.scripts.run_many(row) == ["paid", "placed"]
    assert memory.field(keys.order(ORDER), "state") == "paid"


def test_a_long_row_is_answered_in_order(memory: Memory) -> None:
    ids = [f"tagtag{number:014}" for number in range(ROW * 2 + 1)]
    row = [effect(memory, requested(order), offset) for offset, order in enumerate(ids, 1)]
    assert memory.scripts.run_many(row[: ROW + 1]) == ["placed"] * (ROW + 1)
    assert memory.scripts.run_many(row) == ["already"] * (ROW + 1) + ["placed"] * ROW
    assert memory.field(keys.sale(SALE), "pending") == str(len(ids))

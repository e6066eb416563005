"""The sweep answers whatever is due in several sales in one row, each order by what became of it."""

from collections.abc import Iterable

import pytest

from storefront.domain.records import Expired, OrderRecord, Paid, Record, Refunded
from storefront.services.applying import apply
from storefront.services.settling import sweep_sales
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import charged

from .story import Story


class Written:
    """A ledger that only keeps what is appended."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append_all(self, records: Iterable[Record]) -> None:
        self.records += records

    def by_order(self) -> dict[str, tuple[type[Record], str]]:
        return {record.order: (type(record), record.sale) for record in self.records if isinstance(record, OrderRecord)}


@pytest.fixture
def ledger(alone: Shop, monkeypatch: pytest.MonkeyPatch) -> Written:
    """What the sweep of ``alone`` appends."""
    written = Written()
    monkeypatch.setattr(alone, "ledger", written)
    return written


def test_each_order_of_a_row_is_answered_by_what_became_of_it(alone: Shop, ledger: Written) -> None:
    first = Story(alone)
    unrecorded, unpaid = first.orders[:2]
    apply(alone, first.partition, first.lines(first.opened(), first.requested(0), first.requested(1)))
    charged(alone, unrecorded, 100, "CNY")
    second = Story(alone)
    late, cancelled = second.orders[:2]
    money = charged(alone, late, 100, "CNY").id
    expired = Expired(at=3000, sale=second.sale, order=late)
    paid = Paid(at=3001, sale=second.sale, order=late, charge=money)
    requests = [second.requested(0), second.requested(1)]
    apply(alone, second.partition, second.lines(second.opened(), *requests, expired, paid, second.cancelled(1)))
    alone.memory.redis.zadd(keys.agenda(second.sale), {cancelled: 0}, xx=True)

    assert sweep_sales(alone, [first.sale, second.sale]) == 3
    assert ledger.by_order() == {
        unrecorded: (Paid, first.sale),
        unpaid: (Expired, first.sale),
        late: (Refunded, second.sale),
    }
    assert [bool(found) for found in alone.payments.verify([unrecorded, late]).values()] == [True, False]
    assert alone.memory.redis.zrange(keys.agenda(second.sale), 0, -1) == [late], "the cancelled one is done with"


def test_a_sweep_that_died_before_it_wrote_is_made_good(alone: Shop, ledger: Written) -> None:
    story = Story(alone)
    apply(alone, story.partition, story.lines(story.opened(), story.requested(0), story.requested(1)))
    assert len(alone.orders.due([story.sale], 1)) == 1  # and here it dies
    sweep_sales(alone, [story.sale])
    alone.memory.redis.zadd(keys.agenda(story.sale), dict.fromkeys(story.orders[:2], 0), xx=True)  # a while later
    sweep_sales(alone, [story.sale])
    assert set(ledger.by_order()) == set(story.orders[:2])

"""The sweep answers whatever is due in several sales in one row, each order by what became of it."""

from collections.abc import Iterable

import pytest

from storefront.domain.records import Expired, OrderRecord, Paid, Record, Refunded
from storefront.gateways.payments import Charge
from storefront.gateways.sandbox import REFUNDS, Sandbox
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


class Away(Sandbox):
    """A provider that can't be asked about ``of``, nor give its money back."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.memory.redis, "secret")
        self.of: set[str] = set()

    def settle(self, orders: list[str]) -> dict[str, list[Charge]]:
        return {order: found for order, found in super().settle(orders).items() if order not in self.of}

    def refund(self, charges: list[str]) -> set[str]:
        return super().refund([one for one in charges if one.removeprefix(self.PREFIX) not in self.of])


def test_what_the_provider_could_not_be_asked_about_is_looked_at_again_later(
    alone: Shop, ledger: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Away(alone)
    monkeypatch.setattr(alone, "payments", provider)
    story = Story(alone)
    asked, unclear = story.orders[:2]
    apply(alone, story.partition, story.lines(story.opened(), story.requested(0), story.requested(1)))
    other = Story(alone)
    late, cheap = other.orders[:2]
    money = charged(alone, late, 100).id
    charged(alone, cheap, 99)
    ended = [
        Expired(at=3000, sale=other.sale, order=late), Paid(at=3001, sale=other.sale, order=late, charge=money)
    ]  # fmt: skip
    apply(alone, other.partition, other.lines(other.opened(), other.requested(0), other.requested(1), *ended))

    def sweep() -> dict[str, type[Record]]:
        ledger.records.clear()
        for one in (story, other):
            alone.memory.redis.zadd(keys.agenda(one.sale), dict.fromkeys(one.orders, 0), xx=True)
        sweep_sales(alone, [story.sale, other.sale])
        return {order: kind for order, (kind, _) in ledger.by_order().items()}

    provider.of = {unclear, late, cheap}
    assert sweep() == {asked: Expired}
    provider.of = {cheap}  # its money is wrong, and can't go back yet
    assert sweep() == {asked: Expired, unclear: Expired, late: Refunded}
    provider.of = set()
    assert sweep()[cheap] is Expired
    assert alone.memory.redis.smismember(REFUNDS, [late, cheap]) == [1, 1]

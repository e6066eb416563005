"""Who waits is offered what comes back, in order. That it stays so whatever dies is in `test_recovery.py`."""

from collections.abc import Callable

import pytest

from storefront.domain.account import Account
from storefront.domain.errors import AllHeld, LimitReached, Recovering, SoldOut, UnitsLeft
from storefront.domain.order import Order
from storefront.domain.sale import Phase, Sale
from storefront.services import auditing, buying, paying, waiting
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import eventually


def order_of(shop: Shop, sale: Sale, shopper: Account) -> Order:
    """The shopper's order, once the worker has placed it."""

    def look() -> Order | None:
        return next((one for one in shop.orders.of_buyer(sale.id, shopper.id) if one.state == "pending"), None)

    found: Order | None = eventually(look)
    assert found is not None
    return found


def waiters(shop: Shop, sale: Sale) -> list[str]:
    return [one.shopper for one in shop.waitlist.all(sale.id)]


def now_of(shop: Shop, sale: Sale) -> Sale:
    found = shop.sales.get(sale.id)
    assert found is not None
    assert found.adds_up
    return found


def test_what_comes_back_is_offered_in_the_order_of_joining_and_to_nobody_else(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, (buyer, first, second, passer_by) = a_sale(), [somebody() for _ in range(4)]
    bought = buying.buy(shop, buyer, sale.product).order
    assert [waiting.join(shop, one, sale.id).place for one in (first, second, first)] == [1, 2, 1]
    paying.cancel(shop, buyer, bought)
    offered = order_of(shop, sale, first)
    assert offered.pay_by - offered.at == shop.config.offer_window * 1000
    assert waiters(shop, sale) == [second.id]
    with pytest.raises(AllHeld):
        buying.buy(shop, passer_by, sale.product)
    paying.cancel(shop, first, offered.id)
    paying.pay(shop, second, order_of(shop, sale, second).id)
    assert waiters(shop, sale) == []
    now = now_of(shop, sale)
    assert (now.units.paid, now.phase(shop.memory.now_ms() / 1000)) == (1, Phase.SOLD_OUT)
    assert auditing.audit(shop, sale.id).adds_up


def test_who_left_is_passed_over_and_the_unit_is_for_sale_again(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, (buyer, waiter, passer_by) = a_sale(), [somebody() for _ in range(3)]
    bought = buying.buy(shop, buyer, sale.product).order
    waiting.join(shop, waiter, sale.id)
    assert waiting.leave(shop, waiter, sale.id).place is None
    assert waiting.leave(shop, waiter, sale.id).place is None
    paying.cancel(shop, buyer, bought)
    assert buying.buy(shop, passer_by, sale.product).order


def test_only_where_nothing_is_left_but_may_return_can_one_wait(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, (buyer, waiter) = a_sale(), [somebody() for _ in range(2)]
    with pytest.raises(UnitsLeft):
        waiting.join(shop, waiter, sale.id)
    bought = buying.buy(shop, buyer, sale.product).order
    with pytest.raises(LimitReached):
        waiting.join(shop, buyer, sale.id)
    paying.pay(shop, buyer, bought)
    with pytest.raises(SoldOut):
        waiting.join(shop, waiter, sale.id)


def test_nobody_is_told_that_they_wait_while_the_sale_is_put_in_order(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    """A ledger that is mended forgets what was read before its mending: the model's safeguard "open"."""
    sale, (buyer, waiter) = a_sale(), [somebody() for _ in range(2)]
    buying.buy(shop, buyer, sale.product)
    waiting.join(shop, waiter, sale.id)
    signed = shop.memory.field(keys.sale(sale.id), "signed")
    shop.memory.redis.hset(keys.sale(sale.id), "signed", "mending:of a test")
    try:
        with pytest.raises(Recovering):
            waiting.join(shop, waiter, sale.id)
    finally:
        shop.memory.redis.hset(keys.sale(sale.id), "signed", signed or "")
    assert waiting.join(shop, waiter, sale.id).place == 1

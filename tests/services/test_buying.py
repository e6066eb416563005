"""Buying at the same time: what purchases share on their way, and what stays each one's own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from storefront.domain.account import Account, Login, Seniority
from storefront.domain.errors import AllHeld, InvalidToken, LedgerDown, NoSuchAccount, Recovering, Refused
from storefront.domain.ids import new_order_id
from storefront.domain.records import Released
from storefront.domain.sale import Sale
from storefront.services import buying
from storefront.services.tokens import Claims
from storefront.shop import Shop
from tests.company import held_up
from tests.conftest import eventually
from tests.crowds import registered


def outcome(shop: Shop, shopper: Account, product: str) -> buying.Purchase | Refused:
    try:
        return buying.buy(shop, shopper, product)
    except Refused as refusal:
        return refusal


def test_sixty_four_at_once_share_their_way_and_are_counted_exactly(shop: Shop, a_sale: Callable[..., Sale]) -> None:
    sale, shoppers = a_sale(num=40), registered(shop, 64)
    with ThreadPoolExecutor(64) as pool:
        with held_up(shop, pool) as companies:
            asking = [pool.submit(outcome, shop, shopper, sale.product) for shopper in shoppers]
            eventually(lambda: companies.waiting() == 40)
        told = [one.result(60) for one in asking]
    bought = [one for one in told if isinstance(one, buying.Purchase)]
    assert [type(one) for one in told if isinstance(one, Refused)] == [AllHeld] * 24
    assert len({one.order for one in bought}) == 40
    found = eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid == 40 and now)
    assert (found.units.left, found.units.reserved, found.units.total) == (0, 0, 40)
    assert [len(company) for company in companies.seen] == [40]


def test_a_reservation_that_is_gone_is_refused_and_those_beside_it_stand(
    shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale, shoppers = a_sale(num=3), registered(shop, 3)
    with ThreadPoolExecutor(4) as pool:
        with held_up(shop, pool) as companies:
            asking = [pool.submit(outcome, shop, shopper, sale.product) for shopper in shoppers]
            eventually(lambda: companies.waiting() == 3)
            (gone,) = shop.orders.held(sale.id, shoppers[1].id)
            (made,) = shop.orders.requests_of([gone])
            release = Released(at=made.at, sale=sale.id, order=gone, epoch=made.epoch)
            receipt = shop.ledger.append(release)
            shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, 10)
        told = [one.result(60) for one in asking]
    assert [type(one) for one in told] == [buying.Purchase, Recovering, buying.Purchase]
    assert [len(company) for company in companies.seen] == [3]
    found = eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid == 2 and now)
    assert (found.units.left, found.units.reserved) == (1, 0)


def test_a_unit_for_an_account_that_is_gone_comes_back(shop: Shop, a_sale: Callable[..., Sale]) -> None:
    sale, nobody = a_sale(num=1), Claims("0" * 16, "nobody at all", float("inf"), Seniority(), Login())
    with pytest.raises(InvalidToken):
        buying.buy(shop, nobody, sale.product)
    with pytest.raises(InvalidToken):
        buying.buy(shop, nobody, "no such product")
    other = a_sale(num=1)
    with pytest.raises(NoSuchAccount):
        shop.orders.reserve(
            other.id, new_order_id(other.id), nobody.id, nobody.name, doubt_ms=1, pay_ms=1000, login=Login()
        )
    found = eventually(lambda: (now := shop.sales.get(other.id)) and now.units.left == 1 and now)
    assert found.adds_up


def test_whoever_waits_too_long_for_others_is_told_that_it_is_not_certain(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    with ThreadPoolExecutor(1) as pool, held_up(shop, pool, patience=0.01):
        assert isinstance(outcome(shop, shopper, sale.product), LedgerDown)


def test_a_purchase_is_from_the_newest_sale_though_the_last_one_was_not(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    shopper, first = somebody(), a_sale(ends=2)
    bought = buying.buy(shop, shopper, first.product, "my key")
    eventually(lambda: shop.memory.now_ms() >= first.terms.ends * 1000)
    second = a_sale(product=first.product)
    again = buying.buy(shop, shopper, first.product, "my key")
    sales = [order.sale for order in shop.orders.some([bought.order, again.order])]
    assert sales == [first.id, second.id]

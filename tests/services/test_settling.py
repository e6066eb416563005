"""What the shop does by itself: nothing is lost, nothing leaks, late money goes back."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.errors import Expired, LedgerDown, NameTaken, PurchaseLost
from storefront.domain.ids import new_account_id, new_order_id
from storefront.domain.order import Order
from storefront.domain.records import Paid, Released, Requested
from storefront.domain.sale import Sale, Units
from storefront.gateways.ledger import Ledger
from storefront.services import auditing, buying, changing, passwords, paying
from storefront.services.changing import Said
from storefront.shop import Shop
from tests.conftest import charged, eventually, unique


@pytest.fixture
def hurried(config: Config) -> Shop:
    """The shop with a payment window of one second, and reservations doubted after three.

    A real broker's client needs a tenth of a second for its first record.
    """
    return Shop(replace(config, payment_window=1, send_timeout=1.0))


def units_of(shop: Shop, sale: Sale) -> Units:
    found = shop.sales.get(sale.id)
    assert found is not None
    assert found.units.total == sale.terms.num
    return found.units


def order_in(shop: Shop, order_id: str, state: str) -> Order:
    def look() -> Order | None:
        order = shop.orders.get(order_id)
        return order if order and order.state == state else None

    found: Order | None = eventually(look)
    assert found is not None
    return found


def test_a_unit_whose_buyer_died_after_reserving_comes_back(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    order = new_order_id(sale.id)
    shop.orders.reserve(sale.id, order, shopper.id, shopper.name, doubt_ms=100, pay_ms=60_000)
    assert units_of(shop, sale) == Units(left=0, reserved=1, unpaid=0, paid=0)
    eventually(lambda: units_of(shop, sale).left == 1)
    order_in(shop, order, "released")
    assert buying.buy(shop, shopper, sale.product).order != order


def test_a_request_that_arrives_after_its_release_is_ignored(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    order = new_order_id(sale.id)
    made = shop.orders.reserve(sale.id, order, shopper.id, shopper.name, doubt_ms=100, pay_ms=60_000)
    order_in(shop, order, "released")
    late = Requested(
        at=made.at, sale=sale.id, order=order, shopper=shopper.id, shopper_name=shopper.name,
        epoch=made.epoch, pay_by=made.pay_by,
    )  # fmt: skip
    receipt = shop.ledger.append(late)
    shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, 10)
    order_in(shop, order, "released")
    assert units_of(shop, sale).left == 1
    assert not shop.orders.confirmed(order, made.epoch)


def test_a_request_of_an_epoch_that_is_over_is_refused(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    order = new_order_id(sale.id)
    now = shop.memory.now_ms()
    receipt = shop.ledger.append(
        Requested(
            at=now,
            sale=sale.id,
            order=order,
            shopper=shopper.id,
            shopper_name=shopper.name,
            epoch="over",
            pay_by=now + 60_000,
        )
    )
    shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, 10)
    assert units_of(shop, sale).left == 1
    assert not shop.orders.confirmed(order, "over")


@pytest.mark.parametrize("kind", ["a request", "a release"])
def test_what_comes_late_from_an_epoch_that_is_over_leaves_the_purchase_that_was_tried_again_alone(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], kind: str
) -> None:
    sale, shopper = a_sale(), somebody()
    order = new_order_id(sale.id)
    again = shop.orders.reserve(sale.id, order, shopper.id, shopper.name, doubt_ms=60_000, pay_ms=60_000)
    request = Requested(
        at=again.at, sale=sale.id, order=order, shopper=shopper.id, shopper_name=shopper.name,
        epoch=again.epoch, pay_by=again.pay_by,
    )  # fmt: skip
    late = (
        replace(request, epoch="over", id="late")
        if kind == "a request"
        else Released(at=again.at, sale=sale.id, order=order, epoch="over")
    )
    shop.ledger.append_all([late, request])
    order_in(shop, order, "pending")
    assert units_of(shop, sale) == Units(left=0, reserved=0, unpaid=1, paid=0)


def test_money_that_came_too_late_is_refunded(
    shop: Shop, hurried: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    purchase = buying.buy(hurried, shopper, sale.product)
    order_in(shop, purchase.order, "expired")
    charge = charged(shop, purchase.order, 1000, "CNY")
    shop.ledger.append(Paid(at=shop.memory.now_ms(), sale=sale.id, order=purchase.order, charge=charge.id))
    eventually(lambda: order_in(shop, purchase.order, "expired").refund == "done")
    assert shop.payments.verify([purchase.order]) == {purchase.order: []}
    assert units_of(shop, sale).left == 1


def test_a_second_charge_for_a_paid_order_goes_back_and_the_first_stays(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    order = buying.buy(shop, shopper, sale.product).order
    first = paying.pay(shop, shopper, order).order.charge
    for charge in ("second", "third", first, "second"):  # in any order, and again
        shop.ledger.append(Paid(at=shop.memory.now_ms(), sale=sale.id, order=order, charge=charge))
    found = eventually(lambda: (one := shop.orders.get(order)) and "third=done" in one.returns and one)
    assert (found.state, found.charge, found.refund, found.returns) == ("paid", first, "done", "second=done third=done")
    changing.cancel(shop, None, sale.id, Said("all money goes back"))
    eventually(lambda: (one := shop.orders.get(order)) and f"{first}=done" in one.returns)
    assert order_in(shop, order, "cancelled").refund == "done"
    assert not auditing.audit(shop, sale.id).findings[0].differences


def test_a_charge_whose_record_was_never_written_pays_the_order(
    shop: Shop, hurried: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    purchase = buying.buy(hurried, shopper, sale.product)
    charge = charged(shop, purchase.order, 1000, "CNY")  # and here the web process dies
    assert order_in(shop, purchase.order, "paid").charge == charge.id
    assert units_of(shop, sale).paid == 1


def test_paying_after_the_deadline_charges_nothing(
    shop: Shop, hurried: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    shopper = somebody()
    purchase = buying.buy(hurried, shopper, a_sale().product)
    eventually(lambda: shop.memory.now_ms() > purchase.pay_by)
    with pytest.raises(Expired):
        paying.pay(shop, shopper, purchase.order)
    assert shop.payments.verify([purchase.order]) == {purchase.order: []}


def test_a_ledger_that_is_down_costs_a_unit_for_a_moment_only(
    shop: Shop, hurried: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(num=2), somebody()
    hurried.ledger = Ledger("127.0.0.1:9", "", 4, 1, 0.1)
    with pytest.raises(LedgerDown):
        buying.buy(hurried, shopper, sale.product, "my key")
    assert units_of(shop, sale).left == 1  # the stock was taken first
    with pytest.raises(LedgerDown):
        buying.buy(hurried, somebody(), sale.product)
    assert units_of(shop, sale).left == 1  # known to be down: refused before taking any
    eventually(lambda: units_of(shop, sale).left == 2)
    with pytest.raises(PurchaseLost):
        buying.buy(shop, shopper, sale.product, "my key")
    assert buying.buy(shop, shopper, sale.product, "my next key").order


def test_a_repeat_with_the_same_key_completes_what_a_fault_cut_short(
    shop: Shop, config: Config, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    cut_off = Shop(replace(config, send_timeout=2.0))
    cut_off.ledger = Ledger("127.0.0.1:9", "", 4, 1, 0.1)
    with pytest.raises(LedgerDown):
        buying.buy(cut_off, shopper, sale.product, "my key")
    purchase = buying.buy(shop, shopper, sale.product, "my key")
    order_in(shop, purchase.order, "pending")


def test_a_name_whose_registration_never_got_through_is_free_again(
    shop: Shop, somebody: Callable[..., Account]
) -> None:
    lost = somebody()
    name = unique("claimed")
    account = replace(lost, id=new_account_id(), profile=replace(lost.profile, name=name))
    shop.accounts.claim(account, 100)

    def registered() -> Account | None:
        try:
            return somebody(name)
        except NameTaken:
            return None

    assert eventually(registered)
    assert not shop.accounts.confirmed(account, "whichever")


def test_a_thousand_unpaid_orders_expire_together(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    shopper, sale = somebody(), a_sale(num=1000, limit=1000)
    orders = [new_order_id(sale.id) for _ in range(1000)]
    records = []
    for order in orders:
        made = shop.orders.reserve(sale.id, order, shopper.id, shopper.name, doubt_ms=60_000, pay_ms=1000)
        records.append(
            Requested(
                at=made.at,
                sale=sale.id,
                order=order,
                shopper=shopper.id,
                shopper_name=shopper.name,
                epoch=made.epoch,
                pay_by=made.pay_by,
            )
        )
    shop.ledger.append_all(records)
    eventually(lambda: units_of(shop, sale).expired == 1000, timeout=40)
    assert units_of(shop, sale).left == 1000


def test_unknown_and_known_names_cost_the_same() -> None:
    stored = passwords.hashed("secret123", 8)

    def cost(hashed: str | None) -> float:
        begin = time.process_time()
        for _ in range(5):
            passwords.matches("wrong", hashed, 8)
        return time.process_time() - begin

    cost(None)
    assert 0.3 < cost(None) / cost(stored) < 3  # one of them would be thousands of times cheaper if it hashed nothing


def test_a_promised_reservation_is_requested_again_rather_than_released(
    shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, shopper = a_sale(), somebody()
    order = new_order_id(sale.id)
    made = shop.orders.reserve(sale.id, order, shopper.id, shopper.name, doubt_ms=300, pay_ms=60_000)
    assert shop.orders.confirmed(order, made.epoch)  # and the broker loses the request that it acknowledged
    assert order_in(shop, order, "pending").pay_by == made.pay_by
    assert units_of(shop, sale).unpaid == 1

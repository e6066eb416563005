"""Paying for an order, or cancelling it. The ledger's order decides; money that came too late is refunded."""

import logging
from dataclasses import dataclass

from storefront.domain import records
from storefront.domain.account import Account
from storefront.domain.errors import (
    AlreadyPaid,
    Cancelled,
    Expired,
    LedgerDown,
    NoSuchOrder,
    Overloaded,
    PaymentDown,
    Recovering,
    SaleCancelled,
)
from storefront.domain.order import LOST, PLACING, Order, OrderState
from storefront.gateways.payments import Bill, ProviderDown
from storefront.services.buying import order_of, placed_order_of
from storefront.services.receiving import judge
from storefront.shop import Shop

log = logging.getLogger(__name__)

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""

FREE = "free"
"""The charge of an order that costs nothing."""


@dataclass(frozen=True)
class Payment:
    """A payment that was begun: the order, which is paid, or else the provider's page on which it is to be paid."""

    order: Order
    page: str = ""


@dataclass(frozen=True)
class Ways:
    """The way to an order's page, and the one back from the provider's: addresses."""

    page: str = ""
    back: str = ""


def pay(shop: Shop, shopper: Account, order_id: str, ways: Ways = Ways(), *, repeatable: bool = False) -> Payment:
    """Pay an order, or begin to.

    Raises NoSuchOrder, AlreadyPaid, Expired, Cancelled, SaleCancelled, PaymentDown, Recovering, Overloaded.

    The payment is known by its order: whoever repeats this charges once, and hears the same answer again if they asked
    for it to be ``repeatable``. If this process dies between the charge and its record, the sweep finds the charge
    before it lets the order expire. What costs nothing is paid at once; no provider hears of it.
    """
    order = placed_order_of(shop, shopper, order_id)
    if repeatable and order.state is OrderState.PAID:
        return Payment(order)
    _require_unpaid(order)
    now = shop.memory.now_ms()
    if now >= order.pay_by:
        raise Expired
    sale = shop.sales.get(order.sale)
    if sale and sale.called_off:  # the money would merely have to be returned
        raise SaleCancelled
    charge = FREE
    if order.amount:
        bill = Bill(order.id, order.product, order.amount, order.currency, order.pay_by, ways.page, ways.back)
        try:
            started = shop.payments.start(bill)
        except ProviderDown as fault:
            log.warning("no payment was begun for order %s: %s", order.id, fault)
            raise PaymentDown from fault
        if started.charge is None:
            return Payment(order, started.page)
        charge = started.charge.id
    order = _recorded(shop, shopper, records.Paid(at=now, sale=order.sale, order=order.id, charge=charge))
    if order.state is not OrderState.PAID:
        _require_unpaid(order)
        raise Overloaded  # recorded, but not applied: the ledger may have been cut meanwhile
    return Payment(order)


def returned(shop: Shop, shopper: Account, order_id: str) -> Order:
    """The shopper comes back from the provider's page: the order, once it was seen what they did there.

    Raises NoSuchOrder, Recovering. If the provider doesn't answer, its webhook or the sweep will tell.
    """
    order = order_of(shop, shopper, order_id)
    if order.amount and order.state not in PLACING:
        charges = shop.payments.verify([order_id]).get(order_id, [])
        for record in judge(shop, charges).records:
            _recorded(shop, shopper, record)
        if charges:  # recorded now, or by a webhook that came first
            order = order_of(shop, shopper, order_id)
    return order


def cancel(shop: Shop, shopper: Account, order_id: str) -> Order:
    """Cancel an unpaid order; its unit is for sale again. Raises as ``pay``. Cancelling twice is cancelling once."""
    order = order_of(shop, shopper, order_id)
    if order.state is not OrderState.CANCELLED:
        _require_unpaid(order)
        order = _recorded(shop, shopper, records.Cancelled(at=shop.memory.now_ms(), sale=order.sale, order=order.id))
    if order.state is not OrderState.CANCELLED:
        _require_unpaid(order)
        raise Overloaded
    return order


def _require_unpaid(order: Order) -> None:
    if order.state is OrderState.PAID:
        raise AlreadyPaid
    if order.state is OrderState.CANCELLED:
        raise Cancelled
    if order.state is OrderState.EXPIRED:
        raise Expired
    if order.state in LOST:
        raise NoSuchOrder


def _recorded(shop: Shop, shopper: Account, record: records.OrderRecord) -> Order:
    try:
        receipt = shop.ledger.append(record)
    except LedgerDown as fault:
        raise Recovering from fault
    shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, APPLY_TIMEOUT)
    return order_of(shop, shopper, record.order)

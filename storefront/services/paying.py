"""Paying for an order, or cancelling it. The ledger's order decides; money that came too late is refunded."""

from storefront.domain import records
from storefront.domain.account import Account
from storefront.domain.errors import (
    AlreadyPaid,
    Cancelled,
    Expired,
    LedgerDown,
    NoSuchOrder,
    Overloaded,
    Recovering,
    SaleCancelled,
)
from storefront.domain.order import LOST, Order, OrderState
from storefront.services.buying import order_of, placed_order_of
from storefront.shop import Shop

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""

FREE = "free"
"""The charge of an order that costs nothing."""


def pay(shop: Shop, shopper: Account, order_id: str, *, repeatable: bool = False) -> Order:
    """Pay an order. Raises NoSuchOrder, AlreadyPaid, Expired, Cancelled, SaleCancelled, Recovering, Overloaded.

    The charge is known by its order: whoever repeats this charges once, and hears the same answer again if they asked
    for it to be ``repeatable``. If this process dies between the charge and its record, the sweep finds the charge
    before it lets the order expire.
    """
    order = placed_order_of(shop, shopper, order_id)
    if repeatable and order.state is OrderState.PAID:
        return order
    _require_unpaid(order)
    now = shop.memory.now_ms()
    if now >= order.pay_by:
        raise Expired
    sale = shop.sales.get(order.sale)
    if sale and sale.called_off:  # the money would merely have to be returned
        raise SaleCancelled
    charge = shop.payments.charge(order.id, order.amount, order.currency).id if order.amount else FREE
    order = _recorded(shop, shopper, records.Paid(at=now, sale=order.sale, order=order.id, charge=charge))
    if order.state is not OrderState.PAID:
        _require_unpaid(order)
        raise Overloaded  # recorded, but not applied: the ledger may have been cut meanwhile
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

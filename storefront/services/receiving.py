"""Money that the provider tells of: it is recorded if it is what the order costs, and goes back if it isn't.

A webhook is a reason to ask the provider, never a proof by itself. It may come twice, late, or before another that was
sent earlier: what counts is what the provider says when it is asked, and in which order the ledger has it.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from storefront.domain.errors import BadSignature, LedgerDown, PaymentDown, Recovering
from storefront.domain.order import Order, OrderState, read_returns
from storefront.domain.records import Paid
from storefront.gateways.payments import Charge, ProviderDown
from storefront.shop import Shop

log = logging.getLogger(__name__)

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply what a webhook told."""


class Judged(NamedTuple):
    """What is to be recorded of charges, and the orders of those that should have gone back, and couldn't yet."""

    records: list[Paid]
    open: set[str]


def judge(shop: Shop, charges: Iterable[Charge]) -> Judged:
    """Tell money that is to be recorded from money that is known. What is no order's price goes back at once."""
    charges = list(charges)
    orders = {order.id: order for order in shop.orders.some(sorted({charge.order for charge in charges}))}
    wrong = {charge.id: charge for charge in charges if not _is_price(charge, orders.get(charge.order))}
    for charge in wrong.values():
        log.warning(
            "charge %s for order %s goes back: %s %s is not what the order costs",
            charge.id, charge.order, charge.amount, charge.currency,
        )  # fmt: skip
    returned = shop.payments.refund(list(wrong))
    now = shop.memory.now_ms() if charges else 0
    return Judged(
        [
            Paid(at=now, sale=orders[charge.order].sale, order=charge.order, charge=charge.id)
            for charge in charges
            if charge.id not in wrong and not _is_known(charge.id, orders[charge.order])
        ],
        {charge.order for charge in wrong.values() if charge.id not in returned},
    )


def _is_price(charge: Charge, order: Order | None) -> bool:
    return order is not None and (charge.amount, charge.currency) == (order.amount, order.currency)


def _is_known(charge: str, order: Order) -> bool:
    paid = order.state is OrderState.PAID and order.charge == charge
    return paid or charge in read_returns(order.returns)


def receive(shop: Shop, headers: Mapping[str, str], body: bytes) -> None:
    """Take in a webhook of the provider. Raises BadSignature, PaymentDown, Recovering or Overloaded; it is sent again.

    Money for an order that isn't known stays where it is: others may take money by the same account at the provider.
    """
    try:
        notice = shop.payments.read(headers, body, shop.memory.now_ms() // 1000)
    except ValueError as fault:
        log.warning("a webhook was refused: %s", fault)
        raise BadSignature from fault
    if notice is None or shop.notices.is_known(notice.id):
        return
    try:
        charges = shop.payments.look(notice.payment)
    except ProviderDown as fault:
        log.warning("the payment provider was not to be asked about %s: %s", notice.payment, fault)
        raise PaymentDown from fault
    known = {order.id for order in shop.orders.some(sorted({charge.order for charge in charges}))}
    for charge in charges:
        if charge.order not in known:
            shop.require_open()
            log.warning("charge %s is for order %s, which is not known here", charge.id, charge.order)
    judged = judge(shop, [charge for charge in charges if charge.order in known])
    _record(shop, judged.records)
    if judged.open:
        raise PaymentDown
    shop.notices.keep(notice.id)


def _record(shop: Shop, paid: list[Paid]) -> None:
    """Record charges, and see that they count.

    What comes into a ledger between a cut and its mending counts for nothing, and nobody else would ask the provider
    about an order that was paid before.
    """
    if not paid:
        return
    try:
        last = shop.ledger.append_all(paid)[-1]
    except LedgerDown as fault:
        raise Recovering from fault
    shop.positions.wait(last.topic, last.partition, last.offset, APPLY_TIMEOUT)
    orders = {order.id: order for order in shop.orders.some([record.order for record in paid])}
    if any(record.order not in orders or not _is_known(record.charge, orders[record.order]) for record in paid):
        raise Recovering

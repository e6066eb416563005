"""Mending a ledger that was cut: an embedded broker that was killed, an unclean election, a wiped disk.

Redis's state stands. What it knows is appended again, so that a later replay of the ledger ends in the same state;
until that is applied, the sales are closed.
"""

import logging
from collections.abc import Iterable
from dataclasses import asdict

from storefront.domain import records
from storefront.domain.order import OrderState
from storefront.domain.sale import Sale
from storefront.gateways.ledger import ACCOUNTS
from storefront.services.accounts import registration
from storefront.services.applying import Partition
from storefront.shop import Shop
from storefront.stores import keys

log = logging.getLogger(__name__)

HOLDING = frozenset({OrderState.RESERVED, OrderState.RELEASING, OrderState.PENDING, OrderState.PAID})


def restore(shop: Shop, partition: Partition, start: int) -> None:
    """Append what Redis knows of a partition that was cut, and have it read again from ``start``.

    May be run again after a fault, and by two workers at once: records bring orders forward, never back.
    Raises LedgerDown.
    """
    log.error(
        "%s %d: the ledger was cut before line %d; writing again what Redis knows, reading again from line %d",
        partition.topic,
        partition.number,
        partition.position.offset,
        start,
    )
    shop.memory.anomaly(f"ledger cut:{partition.topic}")
    epoch, now = partition.position.epoch, shop.memory.now_ms()
    if partition.topic == ACCOUNTS:
        shop.memory.scripts.run("set_back", [keys.ACCOUNTS], [epoch, "position", start])
        shop.ledger.append(records.Signed(at=now, epoch=epoch, succeeds=None), to=partition.name)
        shop.ledger.append_all(_accounts_again(shop, epoch, now))
    else:
        sales = [sale for sale_id in shop.sales.of_partition(partition.number) if (sale := shop.sales.get(sale_id))]
        for sale in sales:
            shop.memory.scripts.run("set_back", [keys.sale(sale.id)], [epoch, "position", start])
        shop.ledger.append_all(_sales_again(sales, now))
        shop.ledger.append_all(_orders_again(shop, sales))
        shop.ledger.append(records.Signed(at=now, epoch=epoch, succeeds=None), to=partition.name)
    shop.positions.set_back(partition.name, epoch, start)


def _sales_again(sales: Iterable[Sale], now: int) -> list[records.Record]:
    return [
        records.Opened(
            at=now, sale=sale.id, merchant=sale.merchant, merchant_name=sale.merchant_name, **asdict(sale.terms)
        )
        for sale in sorted(sales, key=lambda sale: sale.terms.ends)
    ]


def _orders_again(shop: Shop, sales: Iterable[Sale]) -> list[records.Record]:
    """Orders that gave their units back stand in front, so that a replay has units for those that hold them.

    A reservation becomes an order: its shopper may have been told yes by a record that is lost.
    """
    freed: list[records.Record] = []
    holding: list[records.Record] = []
    for sale, orders in shop.orders.all_of({sale.id for sale in sales}).items():
        for order, fields in orders:
            state = OrderState(fields["state"])
            if state in HOLDING and state is not OrderState.PAID:
                state = OrderState.PENDING
            again = records.Restored(
                at=int(fields.get("at", 0)),
                sale=sale,
                order=order,
                state=state,
                shopper=fields.get("shopper", ""),
                shopper_name=fields.get("shopper_name", ""),
                pay_by=int(fields.get("pay_by", 0)),
                charge=fields.get("charge", ""),
                refund=fields.get("refund", ""),
            )
            (holding if state in HOLDING else freed).append(again)
    return freed + holding


def _accounts_again(shop: Shop, epoch: str, now: int) -> list[records.Record]:
    again: list[records.Record] = []
    for account, why, name in shop.accounts.gone():
        kind = records.Withdrawn if why == "withdrawn" else records.AccountDeleted
        again.append(kind(at=now, account=account, name=name))
    for known in shop.accounts.all():
        again.append(registration(known, now, epoch))
        role = records.MerchantGranted if known.merchant else records.MerchantRevoked
        again.append(role(at=now, account=known.id, name=known.name))
    return again

"""The sweep: what the shop does by itself, every second or so. It may run twice, at once or again, without harm.

It writes records about what is due; applying them is the order worker's part.
"""

import logging

from storefront.domain.ids import new_order_id
from storefront.domain.records import Expired, Paid, Record, Refunded, Released, Requested, Withdrawn
from storefront.shop import Shop

log = logging.getLogger(__name__)

BATCH = 500


def sweep(shop: Shop) -> int:
    """Look once at everything that is due. Returns how many records were written. Raises LedgerDown."""
    written = sum(sweep_sale(shop, sale) for sale in shop.sales.unsettled())
    return written + withdraw_doubtful_claims(shop)


def sweep_sale(shop: Shop, sale: str) -> int:
    """Release doubtful reservations, expire unpaid orders, refund late money, and offer what came back, of one sale."""
    written = 0
    while due := shop.orders.due(sale, BATCH):
        now = shop.memory.now_ms()
        taken = shop.payments.charged([order for order, task, _ in due if task in ("expire", "check")])
        records: list[Record] = []
        for order, task, epoch in due:
            match task:
                case "release":
                    records.append(Released(at=now, sale=sale, order=order, epoch=epoch))
                case "request":
                    records += shop.orders.request_of(order)
                case "refund":
                    charge = shop.orders.charge_of(order)
                    shop.payments.refund(charge)
                    records.append(Refunded(at=now, sale=sale, order=order, charge=charge))
                case _ if order in taken:  # whoever charged died before recording it
                    records.append(Paid(at=now, sale=sale, order=order, charge=taken[order]))
                case "expire":
                    records.append(Expired(at=now, sale=sale, order=order))
                case _:
                    shop.orders.settle(sale, order)
        shop.ledger.append_all(records)
        written += len(records)
        if len(due) < BATCH:
            break
    written += offer_units(shop, sale)
    shop.sales.settle_if_idle(sale)
    return written


def offer_units(shop: Shop, sale: str) -> int:
    """Offer the units of one sale that came back to those who wait, in order. Returns how many."""
    offers: list[Requested] = []
    while len(offers) < BATCH and (
        offer := shop.waitlist.offer(
            sale, new_order_id(sale), doubt_ms=shop.config.doubt_ms, pay_ms=shop.config.offer_window * 1000
        )
    ):
        offers.append(offer)
    shop.ledger.append_all(offers)
    return len(offers)


def withdraw_doubtful_claims(shop: Shop) -> int:
    """Give back names whose registration never got through."""
    now = shop.memory.now_ms()
    doubtful = shop.accounts.doubtful(BATCH)
    shop.ledger.append_all([Withdrawn(at=now, account=account, name=name) for name, account in doubtful])
    return len(doubtful)

"""The sweep: what the shop does by itself, every second or so. It may run twice, at once or again, without harm.

It writes records about what is due; applying them is the order worker's part.
"""

import logging
from collections import defaultdict

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
        records = _answers(shop, sale, due)
        shop.ledger.append_all(records)
        written += len(records)
        if len(due) < BATCH:
            break
    written += offer_units(shop, sale)
    shop.sales.settle_if_idle(sale)
    return written


def _answers(shop: Shop, sale: str, due: list[tuple[str, str, str]]) -> list[Record]:
    """The records that what is ``due`` in one sale calls for. Late money goes back; what needs no record is settled.

    Redis and the provider are asked about the whole row at once: a round trip for each order is too slow for thousands.
    """
    now = shop.memory.now_ms()
    orders: defaultdict[str, list[str]] = defaultdict(list)
    for order, task, _ in due:
        orders[task].append(order)
    unpaid, freed = orders["expire"], orders["check"]
    taken = shop.payments.charged(unpaid + freed)  # whoever charged died before recording it
    owed = shop.orders.charges_of(orders["refund"])
    for charge in owed.values():
        shop.payments.refund(charge)
    shop.orders.settle(sale, [order for order in freed if order not in taken])
    return [
        *[Released(at=now, sale=sale, order=order, epoch=epoch) for order, task, epoch in due if task == "release"],
        *shop.orders.requests_of(orders["request"]),
        *[Refunded(at=now, sale=sale, order=order, charge=charge) for order, charge in owed.items()],
        *[Paid(at=now, sale=sale, order=order, charge=charge) for order, charge in taken.items()],
        *[Expired(at=now, sale=sale, order=order) for order in unpaid if order not in taken],
    ]


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

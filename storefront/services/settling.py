"""The sweep: what the shop does by itself, every second or so. It may run twice, at once or again, without harm.

It writes records about what is due; applying them is the order worker's part.
"""

import logging
from collections import Counter, defaultdict
from itertools import chain

from storefront.domain import trace
from storefront.domain.records import Expired, Record, Refunded, Released, Requested, Revoked, Withdrawn
from storefront.logs import trail
from storefront.services import receiving
from storefront.shop import Shop
from storefront.stores.census import pieces
from storefront.stores.orders import Due

log = logging.getLogger(__name__)

BATCH = 500
"""What is looked at of one sale at a time."""

SALES = 20
"""Sales that are looked at together. An idle one costs a fraction of a round trip, and a full row is soon written."""


OFFERED_AT_ONCE = 100
"""Units of one sale that are offered in one round trip: a millisecond or two of Redis."""

MOST_OFFERS = 5000
"""After so many the sweep ends, and the next one goes on: what else is due mustn't wait for long."""


def sweep(shop: Shop) -> int:
    """Look once at everything that is due. Returns how many records were written. Raises LedgerDown.

    To the logs each sweep is a request of its own.
    """
    trace.follow(f"sweep-{trace.new_id()}")
    try:
        written = sum(sweep_sales(shop, sales) for sales in pieces(shop.sales.unsettled(), SALES))
        written += withdraw_doubtful_claims(shop)
        if written:
            trail.info("swept", extra={"records": written})
        return written
    finally:
        trace.follow("")


def sweep_sales(shop: Shop, sales: list[str]) -> int:
    """Release doubtful reservations, expire unpaid orders, revoke what was called off, refund, and offer, of these."""
    written, busy = 0, sales
    while due := shop.orders.due(busy, BATCH):
        records = _answers(shop, due)
        shop.ledger.append_all(records)
        written += len(records)
        busy = [sale for sale, found in Counter(one.sale for one in due).items() if found == BATCH]
    written += record_entries(shop, sales) + offer_units(shop, sales)
    shop.sales.settle_idle(sales)
    return written


def _answers(shop: Shop, due: list[Due]) -> list[Record]:
    """The records that what is ``due`` calls for. Late money goes back; what needs no record is settled.

    Redis and the provider are asked about the whole row at once: a round trip for each order is too slow for thousands.
    What the provider couldn't be asked about now is looked at again later. Before an order expires, its payment ends.
    """
    now = shop.memory.now_ms()
    tasks: defaultdict[str, list[Due]] = defaultdict(list)
    for one in due:
        tasks[one.task].append(one)
    unpaid, freed, owed = tasks["expire"], tasks["check"], tasks["refund"]
    found = shop.payments.settle([one.order for one in unpaid + freed])
    paid, unclear = receiving.judge(shop, chain.from_iterable(found.values()))
    without_money = found.keys() - unclear - {record.order for record in paid}
    owing = shop.orders.owed([one.order for one in owed])
    returned = shop.payments.refund(list(chain.from_iterable(owing.values())))
    shop.orders.settle([one for one in freed if one.order in without_money])
    return [
        *[Released(at=now, sale=one.sale, order=one.order, epoch=one.epoch) for one in tasks["release"]],
        *shop.orders.requests_of([one.order for one in tasks["request"]]),
        *[
            Refunded(at=now, sale=one.sale, order=one.order, charge=charge)
            for one in owed
            for charge in owing[one.order]
            if charge in returned
        ],
        *paid,  # whoever charged died before recording it, or nobody told
        *[Revoked(at=now, sale=one.sale, order=one.order) for one in tasks["revoke"]],
        *[Expired(at=now, sale=one.sale, order=one.order) for one in unpaid if one.order in without_money],
    ]


def record_entries(shop: Shop, sales: list[str]) -> int:
    """Record who entered a draw of these sales, where whoever was to do so died. Returns how many."""
    draws = [sale for sale in sales if (terms := shop.sales.terms_of(sale)) and terms.draw]
    entries = shop.waitlist.doubtful(draws, BATCH) if draws else []
    shop.ledger.append_all(entries)
    return len(entries)


def offer_units(shop: Shop, sales: list[str]) -> int:
    """Offer units of these sales to those who wait: what came back, or what a draw hands out. Returns how many.

    Most sales have none, which costs a look at each; where there was one there may be thousands.
    """
    offers: list[Requested] = []
    after: dict[str, str] = {}
    offering, most = sales, 1
    while offering and len(offers) < MOST_OFFERS:
        made = shop.waitlist.offer(
            offering,
            after,
            most,
            doubt_ms=shop.config.doubt_ms,
            pay_ms=shop.config.offer_window * 1000,
            drawn_pay_ms=shop.config.payment_window * 1000,
        )
        if made:
            shop.ledger.append_all(made)
            offers += made
        offering, most = sorted({one.sale for one in made}), OFFERED_AT_ONCE
    return len(offers)


def withdraw_doubtful_claims(shop: Shop) -> int:
    """Give back names whose registration never got through."""
    now = shop.memory.now_ms()
    doubtful = shop.accounts.doubtful(BATCH)
    shop.ledger.append_all([Withdrawn(at=now, account=account, name=name) for name, account in doubtful])
    return len(doubtful)

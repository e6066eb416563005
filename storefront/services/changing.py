"""A merchant changes a running sale: pause, resume, restock, extend, cancel.

Each change is a record, so that it outlives everything that the sale outlives, and stands in the sale's history. Units
that are taken out of a sale are reserved first, as for a purchase: what is free when the record is applied can't be
known otherwise, and a replay of the ledger must come to the same.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from storefront.domain.account import Account
from storefront.domain.errors import Ended, LedgerDown, NotLater, Overloaded, Recovering, SaleCancelled, TooManyUnits
from storefront.domain.ids import new_order_id, repeatable_order_id
from storefront.domain.records import CalledOff, Change, Extended, Paused, Restocked, Resumed, Withdrew
from storefront.domain.sale import MOST_UNITS, Sale
from storefront.services import overseeing
from storefront.shop import Shop

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""


class Said(NamedTuple):
    """What goes along with a change: the merchant's reason, and a key that makes a repeat harmless."""

    why: str = ""
    key: str = ""


Making = Callable[..., Change]
"""Makes the record from what all changes say."""


def pause(shop: Shop, merchant: Account | None, sale_id: str, said: Said) -> Sale:
    """Have nobody reserve a unit for the time being; what is reserved, ordered or waited for stands.

    Pausing a paused sale changes nothing. Raises NoSaleOfThisId,
    InvalidToken or NotYourSale (see ``overseeing.sale_of``), SaleCancelled, Ended, Recovering, Overloaded.
    """
    return _changed(shop, merchant, sale_id, said, Paused, is_needed=lambda sale: not sale.paused)


def resume(shop: Shop, merchant: Account | None, sale_id: str, said: Said) -> Sale:
    """End a pause. Raises as ``pause``."""
    return _changed(shop, merchant, sale_id, said, Resumed, is_needed=lambda sale: sale.paused)


def restock(shop: Shop, merchant: Account | None, sale_id: str, units: int, said: Said) -> Sale:
    """Have a sale have so many units more, or less where ``units`` is negative.

    Raises as ``pause``, TooManyUnits for more than a sale may have, TooFewFree where fewer are free than are to be
    taken out, and ChangeLost where units were taken out under this key before, and given back because no record of it
    came.
    """

    def fits(sale: Sale) -> bool:
        if sale.terms.num + units > MOST_UNITS:
            raise TooManyUnits(most=MOST_UNITS)
        return True

    if units >= 0:
        return _changed(shop, merchant, sale_id, said, partial(Restocked, units=units), is_needed=fits)
    return _changed(shop, merchant, sale_id, said, partial(Withdrew, units=-units), withdraws=-units)


def extend(shop: Shop, merchant: Account | None, sale_id: str, ends: int, said: Said) -> Sale:
    """Have a sale go on until ``ends`` (Unix seconds). Raises as ``pause``, and NotLater."""

    def is_needed(sale: Sale) -> bool:
        if ends < sale.terms.ends:
            raise NotLater
        return ends > sale.terms.ends

    return _changed(shop, merchant, sale_id, said, partial(Extended, ends=ends), is_needed=is_needed)


def cancel(shop: Shop, merchant: Account | None, sale_id: str, said: Said) -> Sale:
    """End a sale for good. The sweep then cancels its orders, and returns the money of those that are paid.

    Raises as ``pause``; a sale that has ended can be cancelled too, to return all its money. Cancelling twice is
    cancelling once.
    """
    try:
        return _changed(shop, merchant, sale_id, said, CalledOff, also_ended=True)
    except SaleCancelled:
        return overseeing.sale_of(shop, merchant, sale_id)


def _changed(
    shop: Shop,
    merchant: Account | None,
    sale_id: str,
    said: Said,
    making: Making,
    *,
    is_needed: Callable[[Sale], bool] = lambda _sale: True,
    withdraws: int = 0,
    also_ended: bool = False,
) -> Sale:
    """The sale, once the change that ``making`` makes is in force."""
    sale = overseeing.sale_of(shop, merchant, sale_id)
    shop.require_open()
    by, by_name = (merchant.id, merchant.name) if merchant else ("", "")
    change = repeatable_order_id(sale_id, by, said.key) if said.key else new_order_id(sale_id)
    if shop.changes.are_made(sale_id, change):
        return sale
    now = shop.memory.now_ms()
    if sale.called_off:
        raise SaleCancelled
    if now >= sale.terms.ends * 1000 and not also_ended:
        raise Ended
    if not is_needed(sale):
        return sale
    epoch = shop.changes.epoch_of(sale_id)
    if withdraws:
        shop.changes.withdraw(sale_id, change, withdraws, doubt_ms=shop.config.doubt_ms)
    try:
        receipt = shop.ledger.append(
            making(at=now, sale=sale_id, change=change, epoch=epoch, by=by, by_name=by_name, why=said.why)
        )
    except LedgerDown as fault:
        raise Recovering from fault
    shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, APPLY_TIMEOUT)
    sale = overseeing.sale_of(shop, merchant, sale_id)
    if shop.changes.are_made(sale_id, change):
        return sale
    if sale.called_off:
        raise SaleCancelled
    raise Overloaded if shop.is_open() else Recovering

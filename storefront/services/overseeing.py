"""A merchant looks after their sales: where units and money are, the orders, how they came in, who was banned.

An operator may do so with everybody's. Nothing here changes anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from storefront.domain.account import Account
from storefront.domain.ban import Ban
from storefront.domain.errors import InvalidToken, Malformed, NoSaleOfThisId, NotYourSale
from storefront.domain.ids import is_order_id
from storefront.domain.order import Order
from storefront.domain.records import CalledOff
from storefront.domain.sale import Sale
from storefront.domain.text import folded
from storefront.services import banning
from storefront.services.buying import STATES
from storefront.shop import Shop

PAGE = 20

LOOK = 1000
"""Orders looked through for one page of those that are searched for."""

PIECE = 500
"""Orders that an export holds at a time."""

NEWEST_BANS = 200
"""Bans at a sale that are told of."""

NOBODY = ""
"""The merchant of a sale that was opened without an account."""


def may_oversee(shop: Shop, account: Account | None, sale: Sale) -> bool:
    """Whether this caller may see what only the sale's merchant may.

    A sale that nobody's account opened has no merchant. Where anyone may open sales, anyone may look after those;
    elsewhere nobody may. An operator always may.
    """
    if account is not None and account.operator:
        return True
    if sale.merchant == NOBODY:
        return shop.config.sales_open_to == "anyone"
    return account is not None and account.id == sale.merchant


def sale_of(shop: Shop, account: Account | None, sale_id: str) -> Sale:
    """One sale, for its merchant. Raises NoSaleOfThisId, InvalidToken for nobody, NotYourSale, Recovering."""
    sale = shop.sales.get(sale_id)
    if sale is None:
        shop.require_open()
        raise NoSaleOfThisId
    if not may_oversee(shop, account, sale):
        raise NotYourSale if account else InvalidToken
    return sale


def why_called_off(shop: Shop, sale: Sale) -> str:
    """The reason that shoppers of a sale are given whose merchant cancelled it; empty if none is known."""
    return next((line.why for line in shop.changes.history(sale.id) if line.kind == CalledOff.__name__), "")


def sales_of(
    shop: Shop, account: Account | None, cursor: int = 0, *, everybodys: bool = False
) -> tuple[list[Sale], int | None]:
    """A page of the sales that this caller looks after, the last to begin in front, and the next page's cursor.

    ``everybodys`` are for operators, who see them beside their own. Raises InvalidToken for nobody, where there are
    none for anyone; NotAnOperator.
    """
    if everybodys:
        banning.require_operator(account)
        ids = shop.sales.newest(cursor, PAGE + 1)
        return shop.sales.some(ids[:PAGE]), cursor + PAGE if len(ids) > PAGE else None
    anyone = shop.config.sales_open_to == "anyone"
    if account is None and not anyone:
        raise InvalidToken
    merchants = ([account.id] if account else []) + ([NOBODY] if anyone else [])
    ids = shop.sales.of_merchants(merchants, cursor, PAGE + 1)
    return shop.sales.some(ids[:PAGE]), cursor + PAGE if len(ids) > PAGE else None


def banned_at(shop: Shop, sale: Sale) -> list[Ban]:
    """Who was banned for buying of this sale too often, the newest in front, of the last NEWEST_BANS."""
    return shop.bans.of_sale(sale.id, NEWEST_BANS)


# Orders


def orders_of(
    shop: Shop, sale: Sale, state: str = "", wanted: str = "", after: str = ""
) -> tuple[list[Order], str | None]:
    """A page of a sale's orders, the newest in front, and the next page's cursor, None behind the last.

    ``state`` narrows them to one of STATES; ``wanted`` is an order's id, a shopper's name, or how that begins. The
    shopper of exactly this name comes first, whatever else is to be looked through. A cursor is the order behind which
    its page begins, so that orders made meanwhile move nothing. A page may be short, even empty, with more behind it.
    Raises Malformed for a cursor that isn't of this sale.
    """
    if is_order_id(wanted):
        return _narrowed(shop.orders.some([wanted]), sale, state), None
    look = LOOK if state or wanted else PAGE
    ids = shop.orders.of_sale(sale.id, look + 1, after)
    if ids is None:
        raise Malformed
    named = _of_shopper(shop, sale, wanted) if wanted else []
    told = {order.id for order in named}
    beginning = folded(wanted)
    found = [
        order
        for order in _narrowed(shop.orders.some([one for one in ids[:look] if one not in told]), sale, state)
        if folded(order.shopper_name).startswith(beginning)
    ]
    first = [] if after else _narrowed(named, sale, state)
    if len(found) > PAGE:
        return first + found[:PAGE], found[PAGE - 1].id
    return first + found, ids[look - 1] if len(ids) > look else None


def _narrowed(orders: list[Order], sale: Sale, state: str) -> list[Order]:
    return [order for order in orders if order.sale == sale.id and (not state or order.state in STATES[state])]


def _of_shopper(shop: Shop, sale: Sale, name: str) -> list[Order]:
    """The orders of this sale that are among the newest of the shopper of this name."""
    account = shop.accounts.get(name)
    ids = shop.orders.of_shopper(account.id, LOOK) if account else None
    return _narrowed(shop.orders.some(ids or []), sale, "")


def all_orders(shop: Shop, sale: Sale) -> Iterator[list[Order]]:
    """Every order that was placed in a sale until now, the newest in front, in pieces. Redis is asked as it goes on."""
    after = ""
    while ids := shop.orders.of_sale(sale.id, PIECE, after):
        yield shop.orders.some(ids)
        after = ids[-1]


# How they came in

MINUTE, HOUR, DAY = 60, 3600, 86_400
WIDTHS = (1, 5, 10, 30, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY)
"""Seconds that a bucket may be wide."""

BEGINNING = 300
"""Seconds of a sale that can be seen by themselves, since most that is bought is bought then."""


@dataclass(frozen=True)
class Bucket:
    """What happened from ``start`` to ``end`` (Unix seconds), and how many were ``paid`` by then since the beginning.

    What was paid and given back since isn't among these.
    """

    start: float
    end: float
    orders: int
    paid: int

    @property
    def rate(self) -> float:
        """Orders per second. Of what began a moment ago nothing is said yet: a second is the least it counts for."""
        return self.orders / max(1, self.end - self.start)


@dataclass(frozen=True)
class Series:
    """How a sale went, in buckets of ``width`` seconds; ``is_longer`` if it goes on for longer than its BEGINNING."""

    width: int
    buckets: list[Bucket]
    is_longer: bool


def series_of(shop: Shop, sale: Sale, now: float, most: int, *, beginning: bool = False) -> Series:
    """How orders and payments of a sale came in until ``now`` (Unix seconds), in about ``most`` buckets at most.

    It ends with the sale's window, or with what was ordered or paid later; if it was called off, with the last of
    these; or ``beginning``, a few minutes after its begin.
    """
    begins = sale.terms.begins
    ends = begins if sale.called_off else sale.terms.ends
    until = min(now, max(ends, shop.orders.last_of_sale(sale.id) / 1000 + 1))
    is_longer = until - begins > BEGINNING
    if beginning:
        until = min(until, begins + BEGINNING)
    if until <= begins:
        return Series(WIDTHS[0], [], is_longer)
    width = next((width for width in WIDTHS if until - begins <= width * most), int((until - begins) / most) + 1)
    marks = [float(mark) for mark in range(begins, int(until) + 1, width)]
    marks += [until] if until > marks[-1] else []
    orders, paid = shop.orders.counted(sale.id, [int(mark * 1000) for mark in marks])
    buckets = [
        Bucket(start, end, upto - before, paid_by)
        for (start, end), (before, upto), paid_by in zip(pairwise(marks), pairwise(orders), paid[1:], strict=True)
    ]
    return Series(width, buckets, is_longer)

"""Buying: one purchase in a straight line, and looking at one's orders."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

from storefront.domain.account import Account
from storefront.domain.errors import (
    Ended,
    InvalidToken,
    LedgerDown,
    LimitReached,
    Malformed,
    NoSuchAccount,
    NoSuchOrder,
    NoSuchSale,
    NotStarted,
    Overloaded,
    ProofRefused,
    PurchaseLost,
    Recovering,
)
from storefront.domain.ids import is_order_id, new_order_id, repeatable_order_id
from storefront.domain.order import ENDED, PLACING, UNPAID, Order, OrderState
from storefront.domain.records import Requested
from storefront.services import accounts, proving
from storefront.services.tokens import Claims
from storefront.shop import Shop
from storefront.stores.orders import Reservation

PAGE = 20

LOOK = 200
"""Orders looked through for one page of those in some state."""

STATES = {"unpaid": UNPAID, "paid": frozenset({OrderState.PAID}), "ended": ENDED}
"""What a shopper's orders can be narrowed to."""


@dataclass(frozen=True)
class Purchase:
    """A purchase that was told yes. Times in Unix ms."""

    order: str
    at: int
    pay_by: int


def buy(
    shop: Shop, shopper: Account | Claims, product: str, key: str = "", proof: str = "", *, suspected: bool = False
) -> Purchase:
    """Take one unit of a product's sale for ``shopper``, and say yes only once that stands for good.

    Of somebody who is known by a token's claims alone the account is looked for on the way. ``key`` makes a repeat
    harmless: the same shopper's same key on the same sale is the same purchase. ``proof`` is of work, or a ticket,
    where the sale asks for one; some do of those who are ``suspected`` alone.

    The stock is taken first, so whatever fails behind it can undersell for a moment, never oversell; the sweep gives
    the unit back. Raises the refusal that applies: NoSuchSale, Recovering, NotStarted, Ended, AccountTooNew,
    ProofRequired, ProofInvalid, LimitReached, AllHeld, SoldOut, LedgerDown, PurchaseLost, InvalidToken; or
    Entering where the sale draws, which isn't a no: ``waiting.enter`` is what is to be done then.
    """
    proven = partial(_proven, shop, shopper, proof, suspected=suspected)
    try:
        reservation = _reserved(shop, shopper, product, key, proven)
    except NoSuchAccount as fault:
        shop.require_open()
        raise InvalidToken from fault
    order = reservation.order
    purchase = Purchase(order, reservation.at, reservation.pay_by)
    if reservation.repeated:
        earlier = shop.orders.get(order)
        if earlier is None or earlier.state not in PLACING:
            if shop.orders.confirmed(order, reservation.epoch):
                return purchase
            raise PurchaseLost
    request = Requested(
        at=reservation.at,
        sale=reservation.sale,
        order=order,
        shopper=shopper.id,
        shopper_name=shopper.name,
        epoch=reservation.epoch,
        pay_by=reservation.pay_by,
    )
    try:
        stands = shop.requests.share(request, partial(_stand, shop))
    except TimeoutError as fault:
        raise LedgerDown from fault
    if not stands:
        raise Recovering
    return purchase


def _reserved(
    shop: Shop,
    shopper: Account | Claims,
    product: str,
    key: str,
    proven: Callable[[str, str], AbstractContextManager[None]],
) -> Reservation:
    """A unit of the product's newest sale, or what this shopper's same ``key`` got of it before.

    The sale is that of the last purchase of the product, without a look for a newer one: there can only be one if this
    one ended, or is known no more. Only then, or if an earlier purchase is told of, is looked.
    """

    def of(sale: str) -> Reservation:
        order = repeatable_order_id(sale, shopper.id, key) if key else new_order_id(sale)
        shop.ledger.require()
        with proven(sale, order if key else ""):
            return shop.orders.reserve(
                sale, order, shopper.id, shopper.name, since=shopper.seniority,
                login=shopper.login if isinstance(shopper, Claims) else None, doubt_ms=shop.config.doubt_ms,
                pay_ms=shop.config.payment_window * 1000,
            )  # fmt: skip

    if last := shop.sales.last_id_of(product):
        with suppress(NoSuchSale, Ended, Recovering, ProofRefused):
            reservation = of(last)
            if not reservation.repeated:
                return reservation
    sale = shop.sales.id_of(product)
    if sale is None:
        shop.require_open()
        if isinstance(shopper, Claims) and not accounts.of(shop, shopper):
            raise NoSuchAccount(name=shopper.name)
        raise NoSuchSale
    try:
        return of(sale)
    except ProofRefused:
        terms = shop.sales.terms_of(sale)
        if terms and shop.memory.now_ms() < terms.begins * 1000:
            raise NotStarted from None  # there is nothing yet for which a proof would be good
        raise


def _proven(
    shop: Shop, shopper: Account | Claims, proof: str, sale: str, repeated: str, *, suspected: bool
) -> AbstractContextManager[None]:
    """A block in which a purchase is tried that has the proof it needs. Raises ProofRefused or LimitReached.

    Who holds all they may, or repeats an order, ``repeated``, or an entry to a draw, whose answer was lost, has none
    left and is told as ever.
    """
    terms = shop.sales.terms_of(sale)
    if terms is None or not proving.is_needed(terms, suspected=suspected):
        return nullcontext()
    try:
        return proving.spending(shop, proving.for_sale(sale, shopper.id), proof)
    except ProofRefused:
        if repeated and shop.orders.get(repeated):
            return nullcontext()
        if terms.draw and shop.waitlist.standing(sale, shopper.id, shopper.name).entered:
            return nullcontext()
        held = shop.orders.held(sale, shopper.id)
        if len(held) >= terms.limit:
            raise LimitReached(order=held[-1], orders=held) from None
        raise


def _stand(shop: Shop, requests: list[Requested]) -> list[bool | Exception]:
    """Have requests stand in the ledger, and tell of each whether its shopper may be told yes. Raises LedgerDown.

    Those who waited while others found the ledger down needn't find it out once more.
    """
    shop.ledger.require()
    shop.ledger.append_all(requests)
    return shop.orders.all_confirmed(requests)


def order_of(shop: Shop, shopper: Account, order_id: str) -> Order:
    """The shopper's order. Raises NoSuchOrder, also for somebody else's."""
    order = shop.orders.get(order_id) if is_order_id(order_id) else None
    if order is None:
        shop.require_open()
    if order is None or order.shopper != shopper.id:
        raise NoSuchOrder
    return order


def placed_order_of(shop: Shop, shopper: Account, order_id: str, timeout: float = 3.0) -> Order:
    """The shopper's order, once the worker has placed it.

    Raises NoSuchOrder, or Overloaded after ``timeout`` seconds, or at once where too many wait already.
    """
    order = order_of(shop, shopper, order_id)
    if order.state not in PLACING:
        return order
    deadline = time.monotonic() + timeout
    with shop.positions.turn_to_wait():
        while (order := order_of(shop, shopper, order_id)).state in PLACING:
            if time.monotonic() >= deadline:
                raise Overloaded
            time.sleep(0.01)
    return order


def orders_of(shop: Shop, shopper: Account, state: str = "", after: str = "") -> tuple[list[Order], str | None]:
    """A page of the shopper's orders, the newest in front, and the next page's cursor, None behind the last.

    ``state`` narrows them to one of STATES. A cursor is the order behind which its page begins, so that orders made
    meanwhile move nothing. A page may be short, even empty, with more behind it. Raises Malformed for a cursor that
    isn't the shopper's.
    """
    look = LOOK if state else PAGE
    ids = shop.orders.of_shopper(shopper.id, look + 1, after)
    if ids is None:
        raise Malformed
    found = [order for order in shop.orders.some(ids[:look]) if not state or order.state in STATES[state]]
    if len(found) > PAGE:
        return found[:PAGE], found[PAGE - 1].id
    return found, ids[look - 1] if len(ids) > look else None

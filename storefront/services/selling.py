"""Selling: opening a sale, and looking at sales."""

from dataclasses import asdict, dataclass, replace

from redis.exceptions import RedisError

from storefront.domain.account import Account
from storefront.domain.draw import new_seed
from storefront.domain.errors import (
    LedgerDown,
    NoSaleOfThisId,
    NoSuchSale,
    NotAMerchant,
    Overloaded,
    SaleNameTaken,
    SaleNotStored,
)
from storefront.domain.ids import is_sale_id, new_sale_id, repeatable_sale_id
from storefront.domain.order import Order
from storefront.domain.picture import given_in
from storefront.domain.records import Opened
from storefront.domain.sale import OVER, Look, Phase, Sale, Terms
from storefront.domain.text import folded
from storefront.services import pictures
from storefront.services.tokens import Claims
from storefront.shop import Shop

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""

PAGE = 24

LOOKED_BACK = 20
"""Among how many of a shopper's orders, the newest, those of a sale are looked for."""

LOOKED_THROUGH = 5000
"""How many sales a search looks through, those that end last: half a millisecond of Redis, ten of this process."""


@dataclass(frozen=True)
class Opening:
    """A sale that was opened. ``over`` if its window had passed already."""

    sale: Sale
    over: bool


def may_open_sales(shop: Shop, account: Account | None) -> bool:
    """Whether this caller may open sales here."""
    return shop.config.sales_open_to == "anyone" or (account is not None and account.merchant)


def require_free_name(shop: Shop, terms: Terms, sale_id: str = "") -> None:
    """Raise SaleNameTaken if another sale of this product hasn't ended, unless this one is over already."""
    now = shop.memory.now_ms()
    earlier = shop.sales.of_product(terms.product)
    over = terms.ends * 1000 <= now
    if earlier and earlier.id != sale_id and not earlier.called_off and now < earlier.terms.ends * 1000 and not over:
        raise SaleNameTaken


def open_sale(
    shop: Shop, merchant: Account | None, terms: Terms, upload: bytes | None = None, key: str = ""
) -> Opening:
    """Open a sale, with an uploaded picture or without, and wait until it is in force.

    A sale that is over already is kept beside a running one of the same product; it takes the name from nobody.
    ``key`` makes a repeat harmless: the same merchant's same key opens the same product's sale once.
    Raises NotAMerchant, SaleNameTaken, SaleNotStored if it can't be stored for good, and Overloaded if it is stored
    but not yet in force; also NoPicture or PictureNotStored for the picture.
    """
    if not may_open_sales(shop, merchant):
        raise NotAMerchant
    try:
        now = shop.memory.now_ms()
        over = terms.ends * 1000 <= now
        by = merchant.id if merchant else ""
        sale_id = repeatable_sale_id(terms.product, by, key) if key else new_sale_id(terms.product)
        if key and (opened := shop.sales.get(sale_id)):
            return Opening(opened, over)
        require_free_name(shop, terms, sale_id)
        if upload is not None:
            terms = replace(terms, image=pictures.keep(shop, sale_id, upload).image)
        elif picture := given_in(terms.image):
            pictures.assign(shop, sale_id, picture)
        receipt = shop.ledger.append(
            Opened(
                at=now,
                sale=sale_id,
                merchant=by,
                merchant_name=merchant.name if merchant else "",
                seed=new_seed() if terms.draw else "",
                **asdict(terms),
            )
        )
    except (LedgerDown, RedisError) as fault:
        raise SaleNotStored from fault
    shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, APPLY_TIMEOUT)
    sale = shop.sales.get(sale_id)
    if sale is None and shop.sales.of_product(terms.product):  # another sale of the product came first in the ledger
        raise SaleNameTaken
    if sale is None:
        raise Overloaded  # recorded, but not applied: the ledger may have been cut meanwhile
    return Opening(sale, over)


@dataclass(frozen=True)
class Visit:
    """A sale as somebody sees it: as it is now, their own orders of it, and their place on its waitlist (1 in front).

    ``held`` are those that hold units, the newest in front; ``last`` is the newest, if none does and it is among the
    last of all their orders. ``entered`` for one in a draw of which the units aren't handed out yet: no place is final.
    ``shopper`` is whose visit it is, None for anybody.
    """

    shopper: Account | None
    look: Look
    held: list[Order]
    last: Order | None
    place: int | None
    entered: bool


def visit(shop: Shop, product: str, shopper: Account | Claims | None = None) -> Visit:
    """The newest sale of a product, for a shopper or for anybody. Raises NoSuchSale.

    The account of somebody who is known by their claims alone is looked for on the way; without one they are anybody.
    """
    who = (shopper.id, shopper.name) if shopper else ("", "")
    seen = shop.sales.visited(product, *who, LOOKED_BACK)
    if seen is None:
        shop.require_open()
        raise NoSuchSale
    if isinstance(shopper, Claims):
        account = seen.account
        if account is None or account.id != shopper.id or not account.admits(shopper.login):
            return visit(shop, product)
        shopper = account
    look, sale = seen.look, seen.look.sale
    is_drawing, may_return = look.phase is Phase.DRAWING, sale.units.left + sale.units.reserved + sale.units.unpaid
    waits = seen.place is not None and sale.waiting and may_return and look.phase not in OVER and not is_drawing
    orders = shop.orders.some([*reversed(seen.held)] or seen.newest)
    return Visit(
        shopper,
        look,
        held=orders if seen.held else [],
        last=None if seen.held else next((order for order in orders if order.sale == sale.id), None),
        place=seen.place if waits else None,
        entered=is_drawing and seen.entered,
    )


def glance_at(shop: Shop, sale_id: str) -> Look:
    """A sale as it was within the last second, but in the phase that it is in now. Raises NoSaleOfThisId."""
    look = shop.glances.of(sale_id) if is_sale_id(sale_id) else None
    if look is None:
        shop.require_open()
        raise NoSaleOfThisId
    return look


@dataclass(frozen=True)
class Window:
    """A page of the shop's window at ``now`` (Unix seconds), and the cursor of the next page.

    ``found`` is how many a search found in all; ``searched`` among how many, or 0 for among all there are.
    """

    now: float
    live: list[Look]
    upcoming: list[Look]
    ended: list[Look]
    next_cursor: int | None
    found: int = 0
    searched: int = 0


def shop_window(shop: Shop, cursor: int = 0, wanted: str = "") -> Window:
    """A page of the sales: live ones, the newest in front; upcoming, the next in front; ended, the latest in front.

    All sales, or those whose product's name holds every word of ``wanted``, in any order and either case.
    """
    clock = shop.memory.now_ms()
    now = clock // 1000
    running = dict(shop.sales.running(now))
    words = sorted(set(folded(wanted).split()), key=len, reverse=True)
    named = shop.sales.named(words, LOOKED_THROUGH) if words else None
    front = [sale_id for sale_id in (running if named is None else named) if sale_id in running]
    front.sort(key=lambda sale_id: (running[sale_id] > now, abs(running[sale_id] - now)))
    ids = front[cursor : cursor + PAGE + 1]
    skip, room = max(0, cursor - len(front)), PAGE + 1 - len(ids)
    if named is None:
        ids += shop.sales.ended(now, skip, room)
    else:
        ids += [sale_id for sale_id in named if sale_id not in running][skip : skip + room]
    if not ids:
        shop.require_open()  # an empty window may merely not be filled again yet
    looks = shop.sales.look(ids[:PAGE])
    return Window(
        now=clock / 1000,
        live=[look for look in looks if look.phase not in (Phase.UPCOMING, *OVER)],
        upcoming=[look for look in looks if look.phase is Phase.UPCOMING],
        ended=[look for look in looks if look.phase in OVER],
        next_cursor=cursor + PAGE if len(ids) > PAGE else None,
        found=len(named or ()),
        searched=LOOKED_THROUGH if words and shop.sales.count() > LOOKED_THROUGH else 0,
    )

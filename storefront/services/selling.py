"""Selling: opening a sale, and looking at sales."""

from dataclasses import asdict, dataclass, replace

from redis.exceptions import RedisError

from storefront.domain.account import Account
from storefront.domain.errors import LedgerDown, NoSuchSale, NotAMerchant, Overloaded, SaleNameTaken, SaleNotStored
from storefront.domain.ids import new_sale_id
from storefront.domain.records import Opened
from storefront.domain.sale import Sale, Terms
from storefront.services import pictures
from storefront.shop import Shop

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""

PAGE = 24


@dataclass(frozen=True)
class Opening:
    """A sale that was opened. ``over`` if its window had passed already."""

    sale: Sale
    over: bool


def may_open_sales(shop: Shop, account: Account | None) -> bool:
    """Whether this caller may open sales here."""
    return shop.config.sales_open_to == "anyone" or (account is not None and account.merchant)


def open_sale(shop: Shop, merchant: Account | None, terms: Terms, upload: bytes | None = None) -> Opening:
    """Open a sale, with an uploaded picture or without, and wait until it is in force.

    A sale that is over already is kept beside a running one of the same product; it takes the name from nobody.
    Raises NotAMerchant, SaleNameTaken, SaleNotStored if it can't be stored for good, and Overloaded if it is stored
    but not yet in force; also NoPicture or PictureNotStored for the upload.
    """
    if not may_open_sales(shop, merchant):
        raise NotAMerchant
    try:
        now = shop.memory.now_ms()
        earlier = shop.sales.of_product(terms.product)
        over = terms.ends * 1000 <= now
        if earlier and now < earlier.terms.ends * 1000 and not over:
            raise SaleNameTaken
        sale_id = new_sale_id(terms.product)
        if upload is not None:
            terms = replace(terms, image=pictures.keep(shop, sale_id, upload).image)
        receipt = shop.ledger.append(
            Opened(
                at=now,
                sale=sale_id,
                merchant=merchant.id if merchant else "",
                merchant_name=merchant.name if merchant else "",
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


def sale_of(shop: Shop, product: str) -> Sale:
    """The newest sale of a product. Raises NoSuchSale."""
    sale = shop.sales.of_product(product)
    if sale is None:
        shop.require_open()
        raise NoSuchSale
    return sale


@dataclass(frozen=True)
class Window:
    """A page of the shop's window, and the cursor of the next page."""

    live: list[Sale]
    upcoming: list[Sale]
    ended: list[Sale]
    next_cursor: int | None


def shop_window(shop: Shop, cursor: int = 0) -> Window:
    """A page of all sales: live ones, the newest in front; upcoming, the next in front; ended, the latest in front."""
    now = shop.memory.now_ms() // 1000
    running = shop.sales.running(now)
    live = sorted((one for one in running if one[1] <= now), key=lambda one: -one[1])
    upcoming = sorted((one for one in running if one[1] > now), key=lambda one: one[1])
    ids = [sale_id for sale_id, _ in live + upcoming][cursor : cursor + PAGE + 1]
    ids += shop.sales.ended(now, max(0, cursor - len(running)), PAGE + 1 - len(ids))
    sales = shop.sales.some(ids[:PAGE])
    return Window(
        live=[sale for sale in sales if sale.terms.begins <= now < sale.terms.ends],
        upcoming=[sale for sale in sales if now < sale.terms.begins],
        ended=[sale for sale in sales if sale.terms.ends <= now],
        next_cursor=cursor + PAGE if len(ids) > PAGE else None,
    )

"""Selling: opening a sale, and looking at sales."""

from dataclasses import asdict, dataclass

from redis.exceptions import RedisError

from storefront.domain.account import Account
from storefront.domain.errors import LedgerDown, NoSuchSale, NotAMerchant, SaleNameTaken, SaleNotStored
from storefront.domain.ids import new_sale_id
from storefront.domain.records import Opened
from storefront.domain.sale import Phase, Sale, Terms
from storefront.shop import Shop

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""

PAGE = 20


@dataclass(frozen=True)
class Opening:
    """A sale that was opened. ``over`` if its window had passed already."""

    sale: Sale
    over: bool


def may_open_sales(shop: Shop, account: Account | None) -> bool:
    """Whether this caller may open sales here."""
    return shop.config.sales_open_to == "anyone" or (account is not None and account.merchant)


def open_sale(shop: Shop, merchant: Account | None, terms: Terms) -> Opening:
    """Open a sale and wait until it is in force.

    A sale that is over already is kept beside a running one of the same product; it takes the name from nobody.
    Raises NotAMerchant, SaleNameTaken, SaleNotStored if it can't be stored for good, and Overloaded if it is stored
    but not yet in force.
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
    if sale is None:  # another sale of the product came first in the ledger
        raise SaleNameTaken
    return Opening(sale, over)


def sale_of(shop: Shop, product: str) -> Sale:
    """The newest sale of a product. Raises NoSuchSale."""
    sale = shop.sales.of_product(product)
    if sale is None:
        raise NoSuchSale
    return sale


@dataclass(frozen=True)
class Window:
    """The shop's window: live sales, upcoming ones, a page of ended ones, and the cursor of the next page."""

    live: list[Sale]
    upcoming: list[Sale]
    ended: list[Sale]
    next_cursor: int | None


def shop_window(shop: Shop, cursor: int = 0) -> Window:
    """What the home page shows. Behind a cursor stand only further ended sales."""
    now = shop.memory.now_ms() // 1000
    running = [] if cursor else shop.sales.running(now)
    ended = shop.sales.over(now, cursor, PAGE + 1)
    return Window(
        live=[sale for sale in running if sale.phase(now) is not Phase.UPCOMING],
        upcoming=sorted(
            (sale for sale in running if sale.phase(now) is Phase.UPCOMING), key=lambda sale: sale.terms.begins
        ),
        ended=ended[:PAGE],
        next_cursor=cursor + PAGE if len(ended) > PAGE else None,
    )

"""A merchant looks after their sales."""

from storefront.domain.account import Account
from storefront.domain.errors import InvalidToken, NoSaleOfThisId, NotYourSale
from storefront.domain.sale import Sale
from storefront.shop import Shop

PAGE = 20
NOBODY = ""
"""The merchant of a sale that was opened without an account."""


def may_oversee(shop: Shop, account: Account | None, sale: Sale) -> bool:
    """Whether this caller may see what only the sale's merchant may.

    A sale that nobody's account opened has no merchant. Where anyone may open sales, anyone may look after those;
    elsewhere nobody may.
    """
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


def sales_of(shop: Shop, account: Account | None, cursor: int = 0) -> tuple[list[Sale], int | None]:
    """A page of the sales that this caller looks after, the last to begin in front, and the next page's cursor.

    Raises InvalidToken for nobody, where there are none for anyone.
    """
    anyone = shop.config.sales_open_to == "anyone"
    if account is None and not anyone:
        raise InvalidToken
    merchants = ([account.id] if account else []) + ([NOBODY] if anyone else [])
    ids = shop.sales.of_merchants(merchants, cursor, PAGE + 1)
    return shop.sales.some(ids[:PAGE]), cursor + PAGE if len(ids) > PAGE else None

"""Preparing a sale: its picture is kept until it opens, and an earlier sale can be the pattern of a new one."""

import logging
from dataclasses import replace
from zoneinfo import ZoneInfo

from storefront.domain.account import Account
from storefront.domain.errors import PictureNotStored
from storefront.domain.picture import Picture, is_elsewhere, named
from storefront.domain.sale import Sale, Terms
from storefront.domain.zoned import moved_ahead
from storefront.services import imaging, overseeing, pictures
from storefront.shop import Shop

log = logging.getLogger(__name__)


def keep(shop: Shop, owner: str, data: bytes) -> Picture:
    """Keep an uploaded picture for its owner. Raises NoPicture, Overloaded or PictureNotStored."""
    picture, files = imaging.redrawn(data)
    try:
        shop.drafts.keep(owner, picture, files)
    except OSError as fault:
        raise pictures.not_stored(fault) from fault
    return picture


def kept(shop: Shop, owner: str, name: str) -> Picture | None:
    """The picture of this name that is kept for this owner, or None."""
    picture = named(name)
    return picture if picture and shop.drafts.path(owner, picture) else None


def put_up(shop: Shop, owner: str, picture: Picture) -> str:
    """Put a kept picture among those of sales, and return what a sale's ``image`` is then. Raises PictureNotStored."""
    try:
        files = shop.drafts.files(owner, picture)
        if files is None:
            raise PictureNotStored
        shop.pictures.keep(files)
    except OSError as fault:
        raise pictures.not_stored(fault) from fault
    return picture.image


def pattern(shop: Shop, account: Account | None, sale_id: str) -> Sale:
    """The sale that is to be opened once more, for its merchant or an operator. Raises as ``overseeing.sale_of``."""
    found = shop.sales.get(sale_id) if account and account.operator else None
    return found or overseeing.sale_of(shop, account, sale_id)


def once_more(shop: Shop, owner: str, sale: Sale, zone: ZoneInfo) -> tuple[Terms, Picture | None]:
    """The terms of a sale moved to a day ahead by the clocks of ``zone``, and its picture, kept for ``owner``.

    ``image`` is left only where it is an address whose picture the shop doesn't have.
    """
    terms = sale.terms
    begins, ends = moved_ahead(terms.begins, terms.ends, zone, shop.memory.now_ms() / 1000)
    picture = pictures.of_sale(shop, sale.id, terms.image)
    image = "" if picture or not is_elsewhere(terms.image) else terms.image
    if picture:
        picture = _copied(shop, owner, picture)
    return replace(terms, begins=begins, ends=ends, image=image), picture


def _copied(shop: Shop, owner: str, picture: Picture) -> Picture | None:
    try:
        paths = {name: shop.pictures.path(name) for name in map(picture.file, picture.widths)}
        shop.drafts.keep(owner, picture, {name: path.read_bytes() for name, path in paths.items() if path})
    except OSError:
        log.exception("a picture can't be copied (STOREFRONT_PICTURES)")
    return kept(shop, owner, picture.name)

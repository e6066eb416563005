"""The pictures of sales: kept when they are uploaded, fetched in the background where only an address was given."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from storefront.domain.errors import (
    AddressNotAllowed,
    NoPicture,
    NotAPicture,
    NothingFetched,
    PictureNotStored,
    PictureTooHeavy,
    TooManyPixels,
)
from storefront.domain.picture import Picture, given_in, is_elsewhere
from storefront.gateways import elsewhere
from storefront.services import imaging
from storefront.shop import Shop

log = logging.getLogger(__name__)

BUDGET = 20.0
"""Seconds after which one run begins with no further picture."""

FAULTS = {kind.code: kind for kind in (NotAPicture, PictureTooHeavy, TooManyPixels, AddressNotAllowed, NothingFetched)}

Fetch = Callable[[str, int], bytes]


class State(StrEnum):
    """Where a sale's picture stands."""

    NONE = "none"
    STORED = "stored"
    AWAITED = "awaited"
    FAILED = "failed"


@dataclass(frozen=True)
class Standing:
    """Where a sale's picture stands, and ``fault``: why the last try to fetch it came to nothing."""

    state: State
    fault: NoPicture | None = None


def keep(shop: Shop, sale_id: str, data: bytes) -> Picture:
    """Store what was uploaded or fetched as the picture of a sale. Raises NoPicture or PictureNotStored."""
    picture, files = imaging.redrawn(data)
    try:
        shop.pictures.keep(files)
    except OSError as fault:
        raise not_stored(fault) from fault
    assign(shop, sale_id, picture)
    return picture


def assign(shop: Shop, sale_id: str, picture: Picture) -> None:
    """Say that a picture, whose files are there, is the one of a sale. Raises PictureNotStored."""
    try:
        shop.pictures.assign(sale_id, picture)
    except OSError as fault:
        raise not_stored(fault) from fault


def not_stored(fault: OSError) -> PictureNotStored:
    """What to raise where the pictures' folder can't be used."""
    log.error("a picture can't be stored (STOREFRONT_PICTURES)", exc_info=fault)
    return PictureNotStored()


def of_sale(shop: Shop, sale_id: str, image: str) -> Picture | None:
    """The stored picture of a sale whose terms say ``image``, or None."""
    return given_in(image) or shop.pictures.of_sale(sale_id)


def standing(shop: Shop, sale_id: str, image: str) -> Standing:
    """Where the picture of a sale stands whose terms say ``image``."""
    if of_sale(shop, sale_id, image):
        return Standing(State.STORED)
    if not is_elsewhere(image):
        return Standing(State.NONE)
    due, code = shop.awaited.standing(sale_id)
    if due and not code:
        return Standing(State.AWAITED)
    kind = FAULTS.get(code or "", NothingFetched)
    facts = {PictureTooHeavy: imaging.TOO_HEAVY, TooManyPixels: imaging.TOO_MANY}.get(kind, {})
    return Standing(State.AWAITED if due else State.FAILED, kind(**facts))


def fetch_due(shop: Shop, fetch: Fetch = elsewhere.fetch) -> int:
    """Fetch the pictures whose time it is. Returns how many are stored. May run twice, at once or again."""
    until = time.monotonic() + BUDGET
    stored = 0
    while time.monotonic() < until and (taken := shop.awaited.take(shop.memory.now_ms())):
        stored += fetch_for(shop, *taken, fetch)
    return stored


def fetch_for(shop: Shop, sale_id: str, last: bool, fetch: Fetch) -> bool:  # noqa: FBT001 - as it was taken
    """Fetch the picture of one sale; ``last`` if it isn't to be tried again. Returns whether it is stored now."""
    sale = shop.sales.get(sale_id)
    if sale is None or of_sale(shop, sale_id, sale.terms.image):  # it was done before, or Redis was set back
        shop.awaited.done(sale_id)
        return False
    try:
        keep(shop, sale_id, fetch(sale.terms.image, imaging.MOST_BYTES))
    except NoPicture as fault:
        log.warning("no picture for sale %s from %s: %s %s", sale_id, sale.terms.image, fault.code, fault.facts)
        shop.awaited.failed(sale_id, fault.code)
        if last or not isinstance(fault, NothingFetched):
            shop.awaited.done(sale_id)
        return False
    except PictureNotStored:
        return False  # the folder's fault, not the picture's
    shop.awaited.done(sale_id)
    return True

"""A sale: a number of units of one product, offered in one window of time."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a sale stands for a shopper who looks at it."""

    UPCOMING = "upcoming"
    LIVE = "live"
    ALL_HELD = "all_held"
    SOLD_OUT = "sold_out"
    ENDED = "ended"


@dataclass(frozen=True)
class Terms:
    """What a merchant fixes when opening a sale.

    ``begins`` and ``ends`` are Unix seconds, ``ends`` excluded; ``price`` is per unit in minor units of ``currency``
    (ISO 4217), or None where the sale names none; ``limit`` is per shopper; ``image`` is the http(s) URL of a picture,
    or ``picture:…`` for an uploaded one (see ``picture.Picture``).
    """

    product: str
    num: int
    producter: str
    begins: int
    ends: int
    price: int | None = None
    currency: str = "CNY"
    limit: int = 1
    description: str = ""
    image: str = ""


@dataclass(frozen=True)
class Units:
    """Where a sale's units are now, and how many orders gave theirs back so far (``expired``, a flow)."""

    left: int
    reserved: int
    unpaid: int
    paid: int
    expired: int = 0

    @property
    def total(self) -> int:
        """Conservation: this is the sale's ``num`` at every moment."""
        return self.left + self.reserved + self.unpaid + self.paid


@dataclass(frozen=True)
class Refunds:
    """Numbers of a sale's orders whose money came too late: still ``due`` back, or given back (``done``)."""

    due: int = 0
    done: int = 0


@dataclass(frozen=True)
class Sale:
    """A sale as the shop's memory holds it. ``merchant`` is an account id, empty where anyone may open sales."""

    id: str
    terms: Terms
    units: Units
    merchant: str
    merchant_name: str
    refunds: Refunds = Refunds()

    @property
    def adds_up(self) -> bool:
        """Whether every unit is in exactly one place."""
        units = self.units
        return units.total == self.terms.num and min(units.left, units.reserved, units.unpaid, units.paid) >= 0

    def worth(self, units: int) -> int:
        """What so many units cost together, in minor units of the currency; 0 where the sale names no price."""
        return units * (self.terms.price or 0)

    @property
    def product(self) -> str:
        """The product's name, which is also the sale's address."""
        return self.terms.product

    def phase(self, now: float) -> Phase:
        """The phase at ``now`` (Unix seconds)."""
        if now >= self.terms.ends:
            return Phase.ENDED
        if now < self.terms.begins:
            return Phase.UPCOMING
        if self.units.left > 0:
            return Phase.LIVE
        return Phase.ALL_HELD if self.units.reserved + self.units.unpaid else Phase.SOLD_OUT

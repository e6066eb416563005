"""A sale: a number of units of one product, offered in one window of time."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from storefront.domain.account import Seniority


class Phase(StrEnum):
    """Where a sale stands for a shopper who looks at it. Whether it is ``RECOVERING`` only a ``Look`` can tell."""

    UPCOMING = "upcoming"
    LIVE = "live"
    DRAWING = "drawing"
    ALL_HELD = "all_held"
    SOLD_OUT = "sold_out"
    PAUSED = "paused"
    ENDED = "ended"
    CANCELLED = "cancelled"
    RECOVERING = "recovering"


MOST_UNITS = 10_000_000
"""Units that a sale may have."""

OVER = frozenset({Phase.ENDED, Phase.CANCELLED})
"""The sale is over for good."""


class Proof(StrEnum):
    """From whom a sale asks a proof of work: from nobody, from everybody, or from those who ask unusually often."""

    OFF = "off"
    ON = "on"
    SUSPICION = "suspicion"


LONGEST_DRAW = 3600
"""Seconds for which a sale may take entries to a draw."""

BEHIND_A_DRAW = 60
"""Seconds that a sale goes on behind its draw, at least: time to hand out the units."""

PUT_BACK = 10
"""Seconds after a sale's begin from which an account on probation may buy: by then people pressed who were there.

Where units are drawn, it may when the draw is closed.
"""


@dataclass(frozen=True)
class Terms:
    """What a merchant fixes when opening a sale. Of these ``num`` and ``ends`` can be changed later.

    ``begins`` and ``ends`` are Unix seconds, ``ends`` excluded; ``price`` is per unit in minor units of ``currency``
    (ISO 4217), or None where the sale names none; ``limit`` is per shopper; ``image`` is the http(s) URL of a picture,
    or ``picture:…`` for an uploaded one (see ``picture.Picture``); ``proof`` is a ``Proof``; an account must have been
    registered for ``min_account_age`` seconds; ``draw`` is for how many seconds whoever presses enters a draw (see
    ``domain.draw``), 0 where units go to those who press first.
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
    proof: str = Proof.OFF
    min_account_age: int = 0
    draw: int = 0

    @property
    def draw_closes(self) -> int:
        """From when on nobody enters the draw any more, in Unix seconds; without one the sale's begin."""
        return self.begins + self.draw

    def open_from(self, since: Seniority) -> int:
        """From when on an account may buy; 0 for always. In Unix ms."""
        return max(self._old_enough_from(since), self._put_back_until(since))

    def is_put_back(self, since: Seniority) -> bool:
        """Whether what keeps an account from buying until then is its probation."""
        return self._put_back_until(since) > self._old_enough_from(since)

    def _old_enough_from(self, since: Seniority) -> int:
        return since.registered + self.min_account_age * 1000 if since.registered and self.min_account_age else 0

    def _put_back_until(self, since: Seniority) -> int:
        return min(since.probation, (self.begins + max(PUT_BACK, self.draw)) * 1000)


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
    waiting: int = 0
    """Shoppers on the waitlist. What comes back is offered to them, and isn't for sale meanwhile.

    Nobody waits any more for a sale that was called off.
    """
    paused: bool = False
    """Nobody may reserve a unit for the time being."""
    called_off: bool = False
    """Its merchant cancelled it."""
    seed: str = ""
    """What decides its draw, which nobody may know before that is closed; empty where none is held."""
    handed_out: bool = False
    """The units of its draw are handed out: what comes back goes to those who wait, as in any other sale."""

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
        if self.called_off:
            return Phase.CANCELLED
        if now >= self.terms.ends:
            return Phase.ENDED
        if now < self.terms.begins:
            return Phase.UPCOMING
        if self.paused:
            return Phase.PAUSED
        return self._selling_phase(now)

    def _selling_phase(self, now: float) -> Phase:
        """The phase where units go. Those that somebody waits for are drawn, or came back."""
        left, waits = self.units.left > 0, self.waiting > 0
        if now < self.terms.draw_closes or (self.terms.draw and left and waits and not self.handed_out):
            return Phase.DRAWING
        if left:
            return Phase.ALL_HELD if waits else Phase.LIVE
        return Phase.ALL_HELD if self.units.reserved + self.units.unpaid else Phase.SOLD_OUT


@dataclass(frozen=True)
class Look:
    """A sale as it was seen at ``now``, Unix seconds by the shop's clock.

    ``selling`` is false while the shop's memory is made whole after a fault: nothing can be bought, and counts may lag.
    """

    sale: Sale
    now: float
    selling: bool

    @property
    def phase(self) -> Phase:
        """What a shopper is told."""
        phase = self.sale.phase(self.now)
        return phase if self.selling or phase in (Phase.UPCOMING, *OVER) else Phase.RECOVERING

    @property
    def until_turn(self) -> float:
        """Seconds until the sale begins, its draw closes, or it ends, whichever is next; infinite once it is over."""
        terms = self.sale.terms
        turns = [turn - self.now for turn in (terms.begins, terms.draw_closes, terms.ends) if turn > self.now]
        return min(turns, default=math.inf)

    def later(self, seconds: float) -> "Look":
        """The same sale as the clock goes on, as if nobody had bought meanwhile."""
        return replace(self, now=self.now + seconds)

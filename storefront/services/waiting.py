"""The waitlist: shoppers who wait for units that come back, and are offered them in the order in which they joined.

A sale that draws has its buyers wait from the start: whoever presses until the draw is closed enters the waitlist, in
the order of numbers that the draw gives them (``domain.draw``), and is offered a unit by the same sweep.

Joining and leaving are records, so that the order outlives everything that orders outlive. An offer is a purchase that
the sweep makes for whoever is in front (``settling.py``), with a short time to pay: it is reserved, requested and
placed as any other, so it can no more be oversold, leaked or lost. While somebody waits, nobody else may buy.
"""

from dataclasses import dataclass
from functools import partial

from storefront.domain.account import Account
from storefront.domain.draw import Entry
from storefront.domain.errors import (
    AccountTooNew,
    Ended,
    LedgerDown,
    LimitReached,
    NoSaleOfThisId,
    NotStarted,
    Recovering,
    SaleCancelled,
    SalePaused,
    SoldOut,
    UnitsLeft,
)
from storefront.domain.records import Joined, Left
from storefront.domain.sale import Look, Phase, Sale
from storefront.services import proving
from storefront.shop import Shop

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""


@dataclass(frozen=True)
class Waiting:
    """A shopper and a sale's waitlist, as they are now. ``place`` is 1 in front, None for one who doesn't wait.

    ``orders`` are the ids of those with which the shopper holds units, the newest last. For ``stands`` and ``entered``
    see ``stores.waitlist.Standing``.
    """

    seen: Look
    stands: bool
    place: int | None
    entered: bool
    orders: tuple[str, ...]

    @property
    def sale(self) -> Sale:
        """The sale."""
        return self.seen.sale

    @property
    def is_in_draw(self) -> bool:
        """Whether the shopper takes part in a draw of which the units aren't handed out yet: then no place is final."""
        return self.entered and self.seen.sale.phase(self.seen.now) is Phase.DRAWING


def look(shop: Shop, shopper: Account, sale_id: str) -> Waiting:
    """Where the shopper stands. Raises NoSaleOfThisId, or Recovering if it may merely not be found yet."""
    seen = next(iter(shop.sales.look([sale_id])), None)
    if seen is None:
        shop.require_open()
        raise NoSaleOfThisId
    return Waiting(seen, *shop.waitlist.standing(sale_id, shopper.id, shopper.name))


def join(shop: Shop, shopper: Account, sale_id: str, proof: str = "", *, suspected: bool = False) -> Waiting:
    """Wait for a unit. Joining twice is joining once. ``proof`` and ``suspected`` as for ``buying.buy``.

    Who waits will have bought, so an account that is too new to buy can't join either: its place would be worth nothing
    to it, or let it in by a side door.

    Raises NoSaleOfThisId, NotStarted, Ended, SalePaused, SaleCancelled, SoldOut, UnitsLeft where one may just buy,
    LimitReached, AccountTooNew, ProofRequired, ProofInvalid, Recovering, or Overloaded while the worker is behind.
    """
    waiting = _standing(look(shop, shopper, sale_id))
    if waiting.place is not None or waiting.entered:
        return waiting
    now, terms = int(waiting.seen.now * 1000), waiting.sale.terms
    phase = waiting.sale.phase(waiting.seen.now)
    if phase is not Phase.LIVE:  # there one may just buy, but not an account that is too new
        _require_all_held(phase)
    if now < (may_join := terms.open_from(shopper.seniority)):
        raise AccountTooNew(may_join, now, terms.ends * 1000, put_back=terms.is_put_back(shopper.seniority))
    _require_all_held(phase)
    if len(waiting.orders) >= terms.limit:
        raise LimitReached(order=waiting.orders[-1], orders=list(waiting.orders))
    purpose = proving.for_sale(sale_id, shopper.id) if proving.is_needed(terms, suspected=suspected) else None
    with proving.spending(shop, purpose, proof):
        if now < terms.draw_closes * 1000:
            try:
                enter(shop, shop.waitlist.enter(sale_id, shopper.id, shopper.name, shop.config.doubt_ms))
            except LedgerDown as fault:
                raise Recovering from fault
        else:
            _append(shop, Joined(at=now, sale=sale_id, shopper=shopper.id, shopper_name=shopper.name))
    return _standing(look(shop, shopper, sale_id))


def _standing(waiting: Waiting) -> Waiting:
    if not waiting.stands:
        raise Recovering
    return waiting


def enter(shop: Shop, entry: Entry) -> int:
    """Have somebody enter a draw of whom ``buying.buy`` has just told that they do. Twice is once.

    Returns when it closes (Unix ms), and once it is sure that they are in it: noted in Redis, stands in the ledger, and
    neither has lost it. The worker is not waited for. Raises LedgerDown or Recovering: then they may have entered all
    the same.
    """
    if entry.stands:
        return entry.closes
    shop.ledger.require()
    try:
        stands = shop.entries.share(entry, partial(_stand, shop))
    except TimeoutError as fault:
        raise LedgerDown from fault
    if not stands:
        raise Recovering
    return entry.closes


def _stand(shop: Shop, entries: list[Entry]) -> list[bool | Exception]:
    """Have entries stand in the ledger, and tell of each whether its shopper may be told so. Raises LedgerDown."""
    shop.ledger.require()
    shop.ledger.append_all(one.record for one in entries)
    return shop.waitlist.all_entered(entries)


def leave(shop: Shop, shopper: Account, sale_id: str) -> Waiting:
    """Wait no longer. Leaving twice is leaving once. Raises NoSaleOfThisId, Recovering, Overloaded."""
    waiting = look(shop, shopper, sale_id)
    if waiting.place is None and not waiting.entered:
        return waiting
    shop.waitlist.forget_entry(sale_id, shopper.id, shopper.name)
    _append(shop, Left(at=shop.memory.now_ms(), sale=sale_id, shopper=shopper.id))
    return look(shop, shopper, sale_id)


def _require_all_held(phase: Phase) -> None:
    match phase:
        case Phase.UPCOMING:
            raise NotStarted
        case Phase.ENDED:
            raise Ended
        case Phase.CANCELLED:
            raise SaleCancelled
        case Phase.PAUSED:
            raise SalePaused
        case Phase.SOLD_OUT:
            raise SoldOut
        case Phase.LIVE:
            raise UnitsLeft


def _append(shop: Shop, record: Joined | Left) -> None:
    try:
        receipt = shop.ledger.append(record)
    except LedgerDown as fault:
        raise Recovering from fault
    shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, APPLY_TIMEOUT)

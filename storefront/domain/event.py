"""Events: what a merchant is told of the orders of their sales, by webhook."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from storefront.domain.ids import new_record_id
from storefront.domain.order import Order, OrderState, read_returns
from storefront.domain.records import Cancelled, Expired, OrderRecord, Paid, Record, Refunded, Requested, Revoked

ID_LENGTH = 20
"""Characters of an order's id, with which an event's begins."""


class EventType(StrEnum):
    """What happened to an order, as receivers read it; or nothing, to see whether webhooks come through."""

    PLACED = "order.placed"
    PAID = "order.paid"
    EXPIRED = "order.expired"
    CANCELLED = "order.cancelled"
    REFUNDED = "order.refunded"
    TEST = "test"


_TYPES: dict[type[Record], tuple[EventType, str]] = {
    Requested: (EventType.PLACED, "placed"),
    Paid: (EventType.PAID, "paid"),
    Expired: (EventType.EXPIRED, "freed"),
    Cancelled: (EventType.CANCELLED, "freed"),
    Revoked: (EventType.CANCELLED, "revoked"),
    Refunded: (EventType.REFUNDED, "refunded"),
}
"""By the record that leads to it, with the word of the script that applied it."""

PLACED = frozenset({OrderState.PENDING, OrderState.PAID, OrderState.EXPIRED, OrderState.CANCELLED})

APPLIED_BEFORE = "already"
"""The word of a script whose record was applied before: in a replay, or since the worker died behind it."""


@dataclass(frozen=True)
class Event:
    """One thing that happened to an order at ``at`` (Unix ms). ``id`` follows from it, so a replay finds the same."""

    id: str
    at: int

    @property
    def order(self) -> str:
        """The order's id."""
        return self.id[:ID_LENGTH]

    @property
    def type(self) -> EventType:
        """What happened."""
        word = self.id[ID_LENGTH + 1 :].partition("_")[0]
        return EventType.TEST if word == EventType.TEST else EventType(f"order.{word}")


def type_of(record: Record, word: str) -> EventType | None:
    """What a record meant for an order, by the ``word`` of its script; None for nothing that is told.

    Of one that was applied before, ``has_happened`` tells whether it did what it says.
    """
    found, effect = _TYPES.get(type(record), (None, ""))
    return found if word in (effect, APPLIED_BEFORE) else None


def event_of(record: OrderRecord, kind: EventType) -> Event:
    """The event. An order can be refunded several times, once for each charge."""
    charge = f"_{hashlib.sha256(record.charge.encode()).hexdigest()[:8]}" if isinstance(record, Refunded) else ""
    return Event(f"{record.order}_{kind.removeprefix('order.')}{charge}", record.at)


def trial(at: int) -> Event:
    """An event about an order that there isn't, to see whether webhooks come through."""
    return Event(f"{new_record_id().ljust(ID_LENGTH, '0')}_{EventType.TEST}", at)


def has_happened(record: OrderRecord, order: Order | None) -> bool:
    """Whether an order as it is now is one to which this record, applied before, did what it says."""
    match order, record:
        case None, _:
            found = False
        case Order(), Requested():
            found = order.state in PLACED
        case Order(), Paid():
            found = bool(order.paid_at) and order.charge == record.charge
        case Order(), Refunded():
            found = read_returns(order.returns).get(record.charge) == "done"
        case Order(), Expired():
            found = order.state == OrderState.EXPIRED
        case _:
            found = order is not None and order.state == OrderState.CANCELLED
    return found

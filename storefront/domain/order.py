"""An order: one unit of one sale for one shopper, from the reservation to its end."""

from dataclasses import dataclass
from enum import StrEnum


class OrderState(StrEnum):
    """An order's life. ``RESERVED`` and ``RELEASING`` hold a unit without a record applied yet.

    ``WITHDRAWN`` is what becomes of units that a merchant reserves to take them out of the sale.
    """

    RESERVED = "reserved"
    RELEASING = "releasing"
    PENDING = "pending"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    RELEASED = "released"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


PLACING = frozenset({OrderState.RESERVED, OrderState.RELEASING})
LOST = frozenset({OrderState.RELEASED, OrderState.REFUSED})
UNPAID = PLACING | {OrderState.PENDING}
ENDED = LOST | {OrderState.EXPIRED, OrderState.CANCELLED}


@dataclass(frozen=True)
class Order:
    """An order as the shop's memory holds it.

    Times are Unix milliseconds. ``amount`` is in minor units of ``currency``. ``charge`` is the one that paid it, or
    else the first that came. ``returns`` are those that go back, each "due" or "done": ``first=done second=due``;
    ``refund`` is "due" if any of them is, "done" if none is any more, "" if there are none. ``paid_at`` is 0 for an
    order that isn't paid.
    """

    id: str
    sale: str
    product: str
    shopper: str
    shopper_name: str
    state: OrderState
    at: int
    pay_by: int
    amount: int
    currency: str
    charge: str = ""
    refund: str = ""
    returns: str = ""
    paid_at: int = 0


def read_returns(returns: str) -> dict[str, str]:
    """Charge → "due" or "done", from ``Order.returns``."""
    return dict(one.rsplit("=", 1) for one in returns.split())


def written_returns(returns: dict[str, str]) -> str:
    """What ``read_returns`` reads."""
    return " ".join(f"{charge}={state}" for charge, state in returns.items())


def refund_of(returns: str) -> str:
    """``Order.refund`` for these ``returns``."""
    if not returns:
        return ""
    return "due" if "due" in read_returns(returns).values() else "done"

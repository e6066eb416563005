"""The audit: whether what the shop counts and what the shoppers hold is the same, to the unit."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storefront.domain.order import LOST, PLACING, OrderState
from storefront.domain.sale import Units
from storefront.local.demo.crowd import Shopper

LIVE = PLACING | {OrderState.PENDING, OrderState.PAID}


@dataclass(frozen=True)
class Count:
    """A sale's units as the shop shows them; ``num`` and ``total`` are its own words for their sum."""

    num: int
    total: int
    units: Units

    @classmethod
    def of(cls, sale: Mapping[str, Any]) -> "Count":
        """The count in the JSON of a sale."""
        units = sale["units"]
        parts = {name: int(units[name]) for name in ("left", "reserved", "unpaid", "paid", "expired")}
        return cls(int(sale["num"]), int(units["total"]), Units(**parts))

    @property
    def sum(self) -> str:
        """The conservation sum, in one line."""
        units = self.units
        return (
            f"left {units.left} + reserved {units.reserved} + unpaid {units.unpaid} + paid {units.paid} = {units.total}"
        )


def states(shoppers: Sequence[Shopper]) -> Counter[str]:
    """How many orders the shoppers have, by state."""
    return Counter(state for shopper in shoppers for state in shopper.orders.values())


def audit(num: int, count: Count, shoppers: Sequence[Shopper], limit: int = 1) -> list[str]:
    """What doesn't add up in a sale of ``num`` units, one sentence each; empty if every unit is where it should be."""
    return [*_units(num, count), *_orders(num, count, states(shoppers)), *_promises(shoppers, limit)]


def _units(num: int, count: Count) -> Iterator[str]:
    missing = num - count.units.total
    if missing > 0:
        yield f"Units are missing: {missing}. The sale has {num}, but {count.sum}."
    if missing < 0:
        yield f"There are units too many: {-missing}. The sale has {num}, but {count.sum}."
    for name, shown in (("num", count.num), ("total", count.total)):
        if shown != num:
            yield f"The sale was opened with {num} units, but the shop says {name} {shown}."
    for name in ("left", "reserved", "unpaid", "paid"):
        if getattr(count.units, name) < 0:
            yield f"The shop counts {getattr(count.units, name)} units as {name}."


def _orders(num: int, count: Count, held: Counter[str]) -> Iterator[str]:
    live = sum(held[state] for state in LIVE)
    if live > num:
        yield f"Oversold: the shoppers hold {live} live orders for {num} units."
    units = count.units
    pairs = {
        "paid": (units.paid, held[OrderState.PAID]),
        "unpaid": (units.unpaid, held[OrderState.PENDING]),
        "reserved": (units.reserved, sum(held[state] for state in PLACING)),
        "expired": (units.expired, held[OrderState.EXPIRED]),
    }
    for name, (counted, listed) in pairs.items():
        if counted != listed:
            yield (
                f"The shop counts {counted} {name}, but the shoppers' lists show {listed}. "
                "(Did somebody else buy at this sale?)"
            )


def _promises(shoppers: Sequence[Shopper], limit: int) -> Iterator[str]:
    owners = Counter(order for shopper in shoppers for order in shopper.orders)
    for order, number in owners.items():
        if number > 1:
            yield f"Order {order} belongs to {number} shoppers."
    for shopper in shoppers:
        live = sum(state in LIVE for state in shopper.orders.values())
        if live > limit:
            yield f"{shopper.name} holds {live} live orders; the limit is {limit}."
        for order in shopper.told:
            if shopper.orders.get(order) in {None, *LOST}:
                found = shopper.orders.get(order, "none")
                yield f"{shopper.name} was told yes for order {order}, but the shop's list has it as {found}."
        for order, state in shopper.orders.items():
            if order not in shopper.told and not shopper.unsure and state in LIVE:
                yield f"{shopper.name} has order {order} ({state}), but was never told yes."
            if (order in shopper.paid) != (state == OrderState.PAID) and not shopper.unsure_paid:
                told = "paid" if order in shopper.paid else "not paid"
                yield f"{shopper.name} was told that order {order} is {told}, but the shop lists it as {state}."

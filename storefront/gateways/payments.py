"""The payment provider: takes money for an order, tells whether it did, and gives it back.

Every call may be repeated: a charge is known by its order, so asking twice charges once and refunds once.
"""

from dataclasses import dataclass
from typing import Protocol, cast

from redis import Redis


@dataclass(frozen=True)
class Charge:
    """Money taken. ``amount`` in minor units of ``currency``."""

    id: str
    order: str
    amount: int
    currency: str


class PaymentProvider(Protocol):
    """What the shop needs of a provider."""

    def charge(self, order: str, amount: int, currency: str) -> Charge:
        """Take the money for an order; the same charge again if that was done before."""

    def charged(self, orders: list[str]) -> dict[str, str]:
        """Order → charge, for those of ``orders`` for which money was taken and not given back."""

    def refund(self, charge: str) -> None:
        """Give the money back; nothing if that was done before."""


class Sandbox:
    """A provider that moves no money: every charge succeeds. Its books stand in Redis, apart from the shop's state."""

    PREFIX = "sandbox_"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def charge(self, order: str, amount: int, currency: str) -> Charge:
        """Note the charge."""
        self._redis.hsetnx("sandbox:charges", order, f"{amount} {currency}")
        return Charge(self.PREFIX + order, order, amount, currency)

    def charged(self, orders: list[str]) -> dict[str, str]:
        """Look the charges up."""
        if not orders:
            return {}
        taken = cast("list[str | None]", self._redis.hmget("sandbox:charges", orders))
        given_back = cast("list[int]", self._redis.smismember("sandbox:refunds", orders))
        return {
            order: self.PREFIX + order
            for order, amount, back in zip(orders, taken, given_back, strict=True)
            if amount is not None and not back
        }

    def refund(self, charge: str) -> None:
        """Note the refund."""
        self._redis.sadd("sandbox:refunds", charge.removeprefix(self.PREFIX))

"""The payment provider: begins payments, tells what became of them, ends them, and gives money back.

Every call may be repeated without harm: a payment is known by its order, a refund by its charge. So asking twice
charges once and refunds once. Amounts are in minor units of their currency. What is asked about many orders is answered
for those that the provider could be asked about; the others are asked about again later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class ProviderDown(Exception):
    """The payment provider doesn't answer, or doesn't do what it is asked. The message tells why, and no secret."""


@dataclass(frozen=True)
class Charge:
    """Money that was taken for an order, and not given back. ``amount`` in minor units of ``currency``."""

    id: str
    order: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Bill:
    """What is to be paid. ``pay_by`` in Unix milliseconds.

    ``page`` is the address of the order, ``back`` the one to which the shopper returns who has paid.
    """

    order: str
    product: str
    amount: int
    currency: str
    pay_by: int
    page: str = ""
    back: str = ""


@dataclass(frozen=True)
class Started:
    """A payment that was begun: the charge, if that is all, or else the provider's page on which the shopper pays."""

    charge: Charge | None = None
    page: str = ""


@dataclass(frozen=True)
class Notice:
    """What a webhook told: an id, the same whenever the provider tells this again, and the payment that it is about."""

    id: str
    payment: str


class PaymentProvider(Protocol):
    """What the shop needs of a provider."""

    @property
    def name(self) -> str:
        """The last part of the address to which it sends its webhooks."""

    @property
    def pages(self) -> str:
        """Where its pages are: scheme and host, empty for those of the shop itself."""

    def start(self, bill: Bill) -> Started:
        """Begin a payment, or tell of the one that was begun for this order before. Raises ProviderDown."""

    def verify(self, orders: list[str]) -> dict[str, list[Charge]]:
        """Order → its charges, for those of ``orders`` that could be asked about."""

    def settle(self, orders: list[str]) -> dict[str, list[Charge]]:
        """As ``verify``, but their payments are over: as far as possible, who hasn't paid yet can't any more."""

    def refund(self, charges: list[str]) -> set[str]:
        """Give money back. Returns those of ``charges`` that are given back, now or before."""

    def read(self, headers: Mapping[str, str], body: bytes, now: int) -> Notice | None:
        """A webhook that arrived at ``now`` (Unix seconds), None for one about nothing that the shop wants to know.

        The headers' names are in lower case. Raises ValueError if it isn't the provider's, or was sent too long ago.
        """

    def look(self, payment: str) -> list[Charge]:
        """The charges of a payment of which the provider told. Raises ProviderDown."""

"""The sandbox: a payment provider that moves no money. Its books stand in Redis, apart from the shop's state.

It charges at once; or, hosted, it has a page on which people pay, decline or leave (``web/sandbox.py``), and sends the
shop signed webhooks, as real providers do.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from redis import Redis

from storefront.gateways import standard_webhooks
from storefront.gateways.payments import Bill, Charge, Notice, Started

CHARGES = "sandbox:charges"
REFUNDS = "sandbox:refunds"
BILLS = "sandbox:bills"

SUCCEEDED = "payment.succeeded"
FAILED = "payment.failed"


class Sandbox:
    """Every charge succeeds at once."""

    PREFIX = "sandbox_"
    name = "sandbox"
    pages = ""

    def __init__(self, redis: Redis, secret: str) -> None:
        self._redis = redis
        self._key = hmac.new(secret.encode(), b"webhooks of the sandbox", hashlib.sha256).digest()

    def start(self, bill: Bill) -> Started:
        """Take the money."""
        return Started(self.charge(bill.order, bill.amount, bill.currency))

    def charge(self, order: str, amount: int, currency: str) -> Charge:
        """Note a charge; the same again if that was done before."""
        self._redis.hsetnx(CHARGES, order, f"{amount} {currency}")
        return Charge(self.PREFIX + order, order, amount, currency)

    def verify(self, orders: list[str]) -> dict[str, list[Charge]]:
        """Look the charges up."""
        if not orders:
            return {}
        taken = cast("list[str | None]", self._redis.hmget(CHARGES, orders))
        given_back = cast("list[int]", self._redis.smismember(REFUNDS, orders))
        return {
            order: [self._charge(order, noted)] if noted is not None and not back else []
            for order, noted, back in zip(orders, taken, given_back, strict=True)
        }

    def settle(self, orders: list[str]) -> dict[str, list[Charge]]:
        """As ``verify``. Nothing ends here, so that one can try out what becomes of money that comes late."""
        return self.verify(orders)

    def refund(self, charges: list[str]) -> set[str]:
        """Note refunds."""
        if charges:
            self._redis.sadd(REFUNDS, *(charge.removeprefix(self.PREFIX) for charge in charges))
        return set(charges)

    def look(self, payment: str) -> list[Charge]:
        """A payment bears the name of its order."""
        return self.verify([payment])[payment]

    def read(self, headers: Mapping[str, str], body: bytes, now: int) -> Notice | None:
        """See ``PaymentProvider``."""
        message = standard_webhooks.verified(self._key, headers, body, now)
        event = json.loads(body)
        if event["type"] != SUCCEEDED:
            return None
        return Notice(message, event["data"]["payment"])

    def webhook(self, payment: str, kind: str, now: int) -> tuple[dict[str, str], bytes]:
        """Headers and body of the webhook that tells what became of a payment at ``now`` (Unix seconds)."""
        body = json.dumps({"type": kind, "timestamp": now, "data": {"payment": payment}}).encode()
        return standard_webhooks.signed(self._key, f"msg_{kind}_{payment}", now, body), body

    def _charge(self, order: str, noted: str) -> Charge:
        amount, _, currency = noted.partition(" ")
        return Charge(self.PREFIX + order, order, int(amount), currency)


class HostedSandbox(Sandbox):
    """People pay on a page of the sandbox."""

    def start(self, bill: Bill) -> Started:
        """Note the bill, and say where its page is."""
        if found := self.look(bill.order):
            return Started(found[0])
        self._redis.hset(BILLS, bill.order, json.dumps(asdict(bill)))
        return Started(page=f"/sandbox/{bill.order}")

    def bill(self, payment: str) -> Bill | None:
        """What a payment is for, None if there is none of this name."""
        noted = cast("str | None", self._redis.hget(BILLS, payment))
        return Bill(**json.loads(noted)) if noted is not None else None

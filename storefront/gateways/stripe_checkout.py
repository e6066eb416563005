"""Stripe as the payment provider: people pay on Stripe's own pages (Checkout), money is taken at once.

A payment is a Checkout Session, made under its order's id as the idempotency key; a charge is its PaymentIntent. Which
session an order has is kept in Redis until it must be over. Where Redis has forgotten, Stripe is searched.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, TypeVar, cast

from redis import Redis
from stripe import (
    InvalidRequestError,
    PaymentIntent,
    RequestsClient,
    SignatureVerificationError,
    StripeClient,
    StripeError,
    Webhook,
)
from stripe.checkout import Session

from storefront.config import Config
from storefront.gateways.payments import Bill, Charge, Notice, ProviderDown, Started

SHORTEST = 31 * 60
"""Seconds: Stripe closes no session sooner than half an hour after it was made."""

KEPT = 3 * 86_400
"""Seconds for which the session of an order is known: longer than it can be open, and its order be looked at."""

TIMEOUT = (2.0, 5.0)
"""Seconds for Stripe to take a connection, and to answer."""

RETRIES = 1
"""How often the library asks again by itself."""

CALLERS = 8
"""Threads of a process that may wait for Stripe while somebody waits for them: the others are for those who buy."""

IN_LINE = 0.5
"""Seconds that somebody waits for one of these to be free."""

PATIENCE = 5.0
"""Seconds for the questions of one kind. What has no answer by then is asked again later: a sweep has more to do."""

AT_ONCE = 16
"""Requests on their way at the same time. Stripe takes a hundred a second."""

SEARCHED = 10
"""Orders that one search may name."""

TOLD_BY_SESSION = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
TOLD_BY_INTENT = "payment_intent.succeeded"

EXPANDED = "payment_intent.latest_charge"

A = TypeVar("A")

log = logging.getLogger(__name__)


class StripeCheckout:
    """See the module, and ``PaymentProvider``."""

    name = "stripe"

    def __init__(self, redis: Redis, config: Config) -> None:
        self.pages = config.stripe_pages
        self._redis = redis
        self._secret = config.stripe_webhook_secret
        self._callers = BoundedSemaphore(CALLERS)
        self._stripe = StripeClient(
            config.stripe_key,
            base_addresses={"api": config.stripe_api} if config.stripe_api else {},
            max_network_retries=RETRIES,
            http_client=RequestsClient(timeout=TIMEOUT),
        ).v1

    def start(self, bill: Bill) -> Started:
        """Make a session, or find the one there is."""
        with self._waited_for():
            known = self._known([bill.order])
            session = self._session(known[bill.order]) if known else self._create(bill)
        if charges := self._charges_in(session):
            return Started(charges[0])
        if not session.url:
            raise ProviderDown(f"the session of order {bill.order} is {session.status}")
        return Started(page=session.url)

    @contextmanager
    def _waited_for(self) -> Iterator[None]:
        """A block in which somebody waits for Stripe: no more than ``CALLERS`` at a time. Raises ProviderDown."""
        if not self._callers.acquire(timeout=IN_LINE):
            raise ProviderDown(f"{CALLERS} wait for it already")
        try:
            yield
        except StripeError as fault:
            raise ProviderDown(_words(fault)) from fault
        finally:
            self._callers.release()

    def _create(self, bill: Bill) -> Session:
        metadata = {"order": bill.order}
        # The same whenever this is repeated, or Stripe would refuse the key. Hence no sooner end: the order's own could
        # be less than half an hour away. The sweep ends the session when the order does.
        session = self._stripe.checkout.sessions.create(
            {
                "mode": "payment",
                "client_reference_id": bill.order,
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": bill.currency.lower(),
                            "unit_amount": bill.amount,
                            "product_data": {"name": bill.product[:250]},
                        },
                    }
                ],
                "expires_at": bill.pay_by // 1000 + SHORTEST,
                "success_url": bill.back,
                "cancel_url": bill.page,
                "metadata": metadata,
                "payment_intent_data": {"metadata": metadata},
                "expand": [EXPANDED],
            },
            {"idempotency_key": bill.order},
        )
        self._redis.set(_since(), int(time.time()), nx=True)
        self._redis.set(_key(bill.order), session.id, ex=KEPT)
        return session

    def verify(self, orders: list[str]) -> dict[str, list[Charge]]:
        """Ask about the sessions of those that have one."""
        try:
            with self._waited_for():
                return self._asked(orders, self._session)
        except ProviderDown as fault:
            log.warning("Stripe isn't asked about %s: %s", " ".join(orders), fault)
            return {}

    def settle(self, orders: list[str]) -> dict[str, list[Charge]]:
        """End their sessions. One that is paid, or over, says so."""
        return self._asked(orders, self._expired)

    def refund(self, charges: list[str]) -> set[str]:
        """Give payments back, whole. Without an idempotency key, under which Stripe would repeat a no for a day."""
        return {charge for charge, done in self._all(charges, self._refunded).items() if done}

    def read(self, headers: Mapping[str, str], body: bytes, now: int) -> Notice | None:  # noqa: ARG002 - the library has its own
        """See ``PaymentProvider``. Times are judged by this host's clock."""
        try:
            event = Webhook.construct_event(body, headers.get("stripe-signature", ""), self._secret)
        except SignatureVerificationError as fault:
            raise ValueError(str(fault)) from fault
        if event.type in TOLD_BY_SESSION or event.type == TOLD_BY_INTENT:
            return Notice(event.id, event.data.object["id"])
        return None

    def look(self, payment: str) -> list[Charge]:
        """A session's charges, or a PaymentIntent's."""
        with self._waited_for():
            if payment.startswith("pi_"):
                intent = self._stripe.payment_intents.retrieve(payment, {"expand": ["latest_charge"]})
                return list(_charges_of(intent, _order_of(intent)))
            return self._charges_in(self._session(payment))

    # Asking about many

    def _asked(self, orders: list[str], ask: Callable[[str], Session]) -> dict[str, list[Charge]]:
        if not orders:
            return {}
        sessions = self._known(orders)
        answers = self._all(list(sessions.values()), ask)
        found = {order: self._charges_in(answers[one]) for order, one in sessions.items() if one in answers}
        rest = [order for order in orders if order not in sessions]
        return found | (self._searched(rest) if self._may_have_forgotten() else {order: [] for order in rest})

    def _all(self, ids: list[str], ask: Callable[[str], A]) -> dict[str, A]:
        """The answers that there are in time, by what was asked."""
        if not ids:
            return {}
        pool = ThreadPoolExecutor(min(AT_ONCE, len(ids)))
        asked = {one: pool.submit(ask, one) for one in ids}
        done, late = wait(asked.values(), PATIENCE)
        pool.shutdown(wait=False, cancel_futures=True)
        if late:
            log.warning("Stripe answered %s of %s questions in time", len(done), len(ids))
        return {one: answer.result() for one, answer in asked.items() if answer in done and _is_good(one, answer)}

    def _known(self, orders: list[str]) -> dict[str, str]:
        """Order → session, for those that have one."""
        found = cast("list[str | None]", self._redis.mget([_key(order) for order in orders]))
        return {order: session for order, session in zip(orders, found, strict=True) if session}

    def _may_have_forgotten(self) -> bool:
        """Whether the sessions that Redis knows may not be all: it was emptied, or is new, within the last days."""
        since = cast("str | None", self._redis.get(_since()))
        if since is None:
            self._redis.set(_since(), int(time.time()), nx=True)
        return since is None or time.time() - int(since) < KEPT

    def _searched(self, orders: list[str]) -> dict[str, list[Charge]]:
        """As ``verify``, by a search for the orders' names, which may lag behind by a minute."""
        rows = {str(at): orders[at : at + SEARCHED] for at in range(0, len(orders), SEARCHED)}
        found: dict[str, list[Charge]] = {}
        for at, intents in self._all(list(rows), lambda at: self._search(rows[at])).items():
            found |= {order: [] for order in rows[at]}
            for intent in intents:
                order = _order_of(intent)
                if order in found:
                    found[order] += _charges_of(intent, order)
        return found

    def _search(self, orders: list[str]) -> list[PaymentIntent]:
        query = " OR ".join(f"metadata['order']:'{order}'" for order in orders)
        try:
            found = self._stripe.payment_intents.search(
                {"query": query, "limit": 100, "expand": ["data.latest_charge"]}
            )
            return list(found.auto_paging_iter())
        except InvalidRequestError as fault:  # some countries' accounts have no search
            log.warning("Stripe doesn't search for orders: %s", _words(fault))
            return []

    # Asking about one

    def _session(self, session: str) -> Session:
        return self._stripe.checkout.sessions.retrieve(session, {"expand": [EXPANDED]})

    def _expired(self, session: str) -> Session:
        try:
            return self._stripe.checkout.sessions.expire(session, {"expand": [EXPANDED]})
        except InvalidRequestError:  # it isn't open any more
            return self._session(session)

    def _refunded(self, charge: str) -> bool:
        try:
            self._stripe.refunds.create({"payment_intent": charge})
        except InvalidRequestError as fault:
            if fault.code != "charge_already_refunded":
                raise
        return True

    def _charges_in(self, session: Session) -> list[Charge]:
        intent, order = session.payment_intent, session.client_reference_id
        if not isinstance(intent, PaymentIntent) or not order:
            return []
        return list(_charges_of(intent, order))


def _charges_of(intent: PaymentIntent, order: str) -> Iterable[Charge]:
    """The charge of a payment that succeeded and wasn't given back whole."""
    charge: Any = intent.latest_charge
    if order and intent.status == "succeeded" and not (charge and charge.refunded):
        yield Charge(intent.id, order, intent.amount, intent.currency.upper())


def _order_of(intent: PaymentIntent) -> str:
    metadata: Any = intent.metadata
    return str(metadata["order"]) if metadata and "order" in metadata else ""


def _is_good(asked: str, answer: "Future[Any]") -> bool:
    fault = answer.exception()
    if fault is None:
        return True
    if not isinstance(fault, StripeError):
        raise fault
    log.warning("Stripe doesn't do what it is asked about %s: %s", asked, _words(fault))
    return False


def _words(fault: StripeError) -> str:
    """What is wrong, for the log. Stripe's own message may show a part of the key."""
    return " ".join(str(one) for one in (type(fault).__name__, fault.http_status, fault.code, fault.request_id) if one)


def _key(order: str) -> str:
    """String with expiry: the session of an order."""
    return f"stripe:session:{order}"


def _since() -> str:
    """String: since when sessions are noted, in Unix seconds."""
    return "stripe:since"

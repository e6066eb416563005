"""Telling merchants of their orders: noted as the ledger is applied, sent by a job, tried again for a day and more.

Webhooks as standardwebhooks.com has them. Each event is told at least once, under one id; receivers pass over what they
had before. Old lines, which a replay brings, are told to nobody.
"""

import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from storefront.domain.errors import (
    AddressNotAllowed,
    NoSuchEvent,
    NothingFetched,
    NoWebhookAddress,
    WebhookAddressNotAllowed,
)
from storefront.domain.event import APPLIED_BEFORE, Event, EventType, event_of, has_happened, trial, type_of
from storefront.domain.order import Order, OrderState
from storefront.domain.records import OrderRecord, Record
from storefront.gateways import elsewhere, standard_webhooks
from storefront.shop import Shop
from storefront.stores.webhooks import DAY, Attempt, Endpoint, Taken

log = logging.getLogger(__name__)

TOLD_FOR_MS = DAY
"""Milliseconds after which an event that is found anew, in a replay, is told no more."""

BUDGET = 10.0
"""Seconds after which one run begins with no other merchant."""

TURN = 5.0
"""Seconds after which it is another merchant's turn."""

GONE = 410
"""With this status a receiver asks to be told nothing any more."""

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts to which a shop on a developer's machine may send without https."""

Send = Callable[[str, bytes, Mapping[str, str]], int]


@dataclass(frozen=True)
class Standing:
    """What a merchant sees: where they are told of events, the secret, how many wait, and the last attempts."""

    endpoint: Endpoint | None
    secret: str
    waiting: int
    attempts: list[Attempt]


# The merchant's side


def standing(shop: Shop, merchant: str) -> Standing:
    """Where a merchant's webhooks stand."""
    endpoint = shop.webhooks.endpoint(merchant)
    secret = standard_webhooks.as_text(_secrets(shop, merchant, endpoint)[0]) if endpoint else ""
    return Standing(endpoint, secret, shop.webhooks.waiting(merchant), shop.webhooks.attempts(merchant))


def set_address(shop: Shop, merchant: str, address: str) -> None:
    """Tell a merchant of events at ``address`` from now on; empty for nowhere. The secret stays while there is one.

    Raises WebhookAddressNotAllowed.
    """
    if not address:
        shop.webhooks.put(merchant, None)
        return
    may_connect = _may_connect(shop)
    parts = urlsplit(address)
    is_local = not shop.config.secure_cookies and parts.hostname in LOCAL
    if not (parts.scheme == "https" or is_local) or elsewhere.is_surely_refused(address, may_connect):
        raise WebhookAddressNotAllowed
    known = shop.webhooks.endpoint(merchant)
    shop.webhooks.put(merchant, Endpoint(address, known.number if known else _new_number()))


def renew_secret(shop: Shop, merchant: str) -> None:
    """Sign with another secret from now on. Raises NoWebhookAddress."""
    endpoint = shop.webhooks.endpoint(merchant)
    if endpoint is None:
        raise NoWebhookAddress
    shop.webhooks.put(merchant, replace(endpoint, number=_new_number()))


def redeliver(shop: Shop, merchant: str, event_id: str) -> None:
    """Tell a merchant of an event once more, now. Raises NoWebhookAddress or NoSuchEvent."""
    endpoint = shop.webhooks.endpoint(merchant)
    if endpoint is None or endpoint.is_off:
        raise NoWebhookAddress
    if not shop.webhooks.again(merchant, event_id):
        raise NoSuchEvent


def send_test(shop: Shop, merchant: str) -> None:
    """Tell a merchant of nothing, once and soon, so that they see whether webhooks come through.

    Raises NoWebhookAddress.
    """
    endpoint = shop.webhooks.endpoint(merchant)
    if endpoint is None or endpoint.is_off:
        raise NoWebhookAddress
    shop.webhooks.note([(merchant, trial(shop.memory.now_ms()))])


def _new_number() -> str:
    return secrets.token_hex(8)


def _secrets(shop: Shop, merchant: str, endpoint: Endpoint) -> list[bytes]:
    """What webhooks are signed with: by the shop's secret, and by the one before it while that is believed."""
    about = f"webhooks\x1f{merchant}\x1f{endpoint.number}".encode()
    return [hmac.new(secret.encode(), about, hashlib.sha256).digest() for secret in shop.config.secrets]


def _may_connect(shop: Shop) -> elsewhere.MayConnect:
    """A shop without https is one on its developer's machine, where receivers are, too."""
    return elsewhere.is_public if shop.config.secure_cookies else elsewhere.is_public_or_local


# The order worker's side


def note(shop: Shop, applied: Iterable[tuple[Record, str]]) -> None:
    """Note what merchants are to be told of these records, each with the word of the script that applied it."""
    since = time.time() * 1000 - TOLD_FOR_MS
    found = [
        (record, kind, word)
        for record, word in applied
        if isinstance(record, OrderRecord) and record.at > since and (kind := type_of(record, word))
    ]
    listeners = shop.webhooks.listeners({record.sale for record, _, _ in found}) if found else {}
    found = [one for one in found if one[0].sale in listeners]
    doubtful = {record.order for record, _, word in found if word == APPLIED_BEFORE}
    orders = {order.id: order for order in shop.orders.some([*doubtful])} if doubtful else {}
    events = [
        (listeners[record.sale], event_of(record, kind))
        for record, kind, word in found
        if word != APPLIED_BEFORE or has_happened(record, orders.get(record.order))
    ]
    if events and "full" in shop.webhooks.note(events):
        log.error("too many events wait for a merchant's receiver; further ones are told to nobody")


# The job's side


def deliver_due(shop: Shop, send: Send | None = None) -> int:
    """Tell merchants what is due. Returns how much of it was taken. May run twice, at once or again."""
    send = send or partial(elsewhere.send, may_connect=_may_connect(shop))
    until = time.monotonic() + BUDGET
    taken = 0
    while time.monotonic() < until and (turn := shop.webhooks.take_turn()):
        taken += _turn(shop, turn.merchant, send)
        shop.webhooks.end_turn(turn)
    return taken


def _turn(shop: Shop, merchant: str, send: Send) -> int:
    """Tell one merchant what is due, until their time is up or a receiver doesn't take it: others wait, too."""
    endpoint = shop.webhooks.endpoint(merchant)
    if endpoint is None or endpoint.is_off:
        shop.webhooks.forget_waiting(merchant)
        return 0
    until = time.monotonic() + TURN
    told = 0
    while time.monotonic() < until and (taken := shop.webhooks.take(merchant)):
        event = taken.event
        found = [_no_order(event)] if event.type is EventType.TEST else shop.orders.some([event.order])
        if not found or not event.at:  # Redis was set back
            shop.webhooks.done(merchant, event.id)
            continue
        if event.type is EventType.TEST:  # it is sent once at most, even if this process dies of it
            shop.webhooks.done(merchant, event.id)
        attempt = _attempt(shop, merchant, endpoint, taken, found[0], send)
        if not attempt.next_at:
            shop.webhooks.done(merchant, event.id)
        shop.webhooks.tell(merchant, attempt)
        if attempt.status == GONE and shop.webhooks.endpoint(merchant) == endpoint:
            shop.webhooks.put(merchant, replace(endpoint, is_off=True))
        if not attempt.is_good:
            break
        told += 1
    return told


def _attempt(shop: Shop, merchant: str, endpoint: Endpoint, taken: Taken, order: Order, send: Send) -> Attempt:
    body, now = payload(taken.event, order), int(time.time())
    signed = standard_webhooks.signed_with_each(_secrets(shop, merchant, endpoint), taken.event.id, now, body)
    headers = {"Content-Type": "application/json", "User-Agent": "storefront-webhooks", **signed}
    status, fault = 0, ""
    try:
        status = send(endpoint.address, body, headers)
    except (AddressNotAllowed, NothingFetched) as refusal:
        fault = refusal.code
        log.info("webhook %s to %s: %s %s", taken.event.id, endpoint.address, fault, refusal.facts)
    is_over = 200 <= status < 300 or status == GONE or taken.event.type is EventType.TEST
    next_at = 0 if is_over else taken.next_at
    return Attempt(taken.event.id, shop.memory.now_ms(), taken.attempt, status, fault, next_at)


def _no_order(event: Event) -> Order:
    """What a test tells of: an order of nothing, by nobody, for no money."""
    return Order(event.order, "", "", "", "", OrderState.PENDING, at=event.at, pay_by=event.at, amount=0, currency="")


def payload(event: Event, order: Order) -> bytes:
    """The body: the same at each attempt, so it tells of the order only what never changes."""
    told = {
        "type": event.type,
        "timestamp": _rfc3339(event.at),
        "data": {
            "order": order.id,
            "sale": order.sale,
            "product name": order.product,
            "username": order.shopper_name,
            "amount": order.amount,
            "currency": order.currency,
            "time": _rfc3339(order.at),
        },
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

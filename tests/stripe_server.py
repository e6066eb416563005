"""A Stripe for tests, as a process: localstripe on loopback, and what it lacks of that which the shop uses.

Lacking in localstripe, and added here on its own objects: Checkout Sessions and their page, idempotency keys, the
search for PaymentIntents, and the refusal of a second refund. Run as ``python -m tests.stripe_server PORT``.
"""

import hashlib
import re
import sys
import time
from typing import Any

from aiohttp import web
from localstripe import server
from localstripe.errors import UserError
from localstripe.resources import Charge, PaymentIntent, PaymentMethod, Refund, Store, StripeObject

HALF_AN_HOUR, DAY = 1800, 86_400

answers: dict[str, tuple[str, bytes]] = {}
"""Idempotency key → a digest of what was asked, and the answer."""


class CheckoutSession(StripeObject):  # type: ignore[misc]
    """A payment on a page."""

    object = "checkout.session"
    _id_prefix = "cs_test_"

    def __init__(self, here: str, asked: dict[str, Any]) -> None:
        (line,) = asked["line_items"]
        price = line["price_data"]
        if not HALF_AN_HOUR <= int(asked["expires_at"]) - time.time() <= DAY:
            raise UserError(400, "expires_at must be between half an hour and a day away")
        if asked["mode"] != "payment" or not price["product_data"]["name"]:
            raise UserError(400, "Bad request")
        super().__init__()
        self.amount_total = int(price["unit_amount"]) * int(line["quantity"])
        self.currency = price["currency"]
        self.client_reference_id = asked["client_reference_id"]
        self.success_url, self.cancel_url = asked["success_url"], asked["cancel_url"]
        self.expires_at = int(asked["expires_at"])
        self.status, self.payment_status = "open", "unpaid"
        self.payment_intent = None
        self.url: str | None = f"{here}/c/pay/{self.id}"
        self._intent_metadata = asked["payment_intent_data"]["metadata"]

    def _pay(self) -> None:
        """Pay it with a card that works. What has no underscore in front is told to callers."""
        card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2099, "cvc": "123"}
        method = PaymentMethod(type="card", card=card)
        intent = PaymentIntent._api_create(
            amount=self.amount_total, currency=self.currency, payment_method=method.id, confirm=True,
            metadata=self._intent_metadata,
        )  # fmt: skip
        self.payment_intent = intent
        self.status, self.payment_status, self.url = "complete", "paid", None


def of(request: web.Request) -> CheckoutSession:
    """The session that a request names."""
    found: CheckoutSession = CheckoutSession._api_retrieve(request.match_info["id"])
    return found


def told(session: CheckoutSession) -> web.Response:
    """A session as Stripe tells it."""
    answer: web.Response = server.json_response(session._export())
    return answer


async def create(request: web.Request) -> web.Response:
    """Make a session."""
    return told(CheckoutSession(f"{request.url.origin()}", await server.get_post_data(request)))


async def retrieve(request: web.Request) -> web.Response:
    """Tell of a session."""
    return told(of(request))


async def expire(request: web.Request) -> web.Response:
    """End an open session."""
    session = of(request)
    if session.status != "open":
        raise UserError(400, "Only open sessions can be expired")
    session.status, session.url = "expired", None
    return told(session)


async def page(request: web.Request) -> web.Response:
    """The page on which people pay; a browser that posts to it has paid."""
    session = of(request)
    if request.method == "POST":
        if session.status != "open":
            return web.Response(status=410, text="This page has expired.")
        session._pay()
        raise web.HTTPSeeOther(session.success_url)
    return web.Response(text="<form method=post><button>Pay</button></form>", content_type="text/html")


async def search(request: web.Request) -> web.Response:
    """PaymentIntents by their metadata."""
    wanted = set(re.findall(r"metadata\['order'\]:'(\w+)'", request.query["query"]))
    found = [one for name, one in server.store.items() if name.startswith("payment_intent:")]
    data = [one._export() for one in found if one.metadata.get("order") in wanted]
    answer: web.Response = server.json_response(
        {"object": "search_result", "data": data, "has_more": False, "url": request.path, "next_page": None}
    )
    return answer


@web.middleware
async def as_stripe_does(request: web.Request, handler: Any) -> web.StreamResponse:
    """Repeat the answer to a key; refuse another question under it, and a second refund."""
    if request.path.startswith("/c/pay/"):
        answered: web.StreamResponse = await handler(request)
        return answered
    key, body = request.headers.get("Idempotency-Key", ""), await request.read()
    asked = hashlib.sha256(request.path.encode() + body).hexdigest()
    if key in answers and answers[key][0] != asked:
        fault = {"error": {"type": "idempotency_error", "message": "This key was used with other parameters."}}
        return web.json_response(fault, status=400)
    if key in answers:
        return web.Response(body=answers[key][1], content_type="application/json")
    if request.method == "POST" and request.path == "/v1/refunds":
        intent = PaymentIntent._api_retrieve((await request.post())["payment_intent"])
        if intent.latest_charge.refunded:
            fault = {"error": {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "Twice."}}
            return web.json_response(fault, status=400)
    answer: web.Response = await handler(request)
    if key and request.method == "POST" and answer.status == 200 and isinstance(answer.body, bytes):
        answers[key] = (asked, answer.body)
    return answer


@web.middleware
async def with_key_or_page(request: web.Request, handler: Any) -> web.StreamResponse:
    """Localstripe asks for a key everywhere; people's pages need none."""
    whole: web.StreamResponse = await (
        handler(request) if request.path.startswith("/c/pay/") else server.auth_middleware(request, handler)
    )
    return whole


def main() -> None:
    """Serve on loopback, and keep nothing on disk. Prints ``ready``."""
    Store.dump_to_disk = lambda _self: None
    app = web.Application(middlewares=[server.error_middleware, with_key_or_page, as_stripe_does])
    app.router.add_post("/v1/checkout/sessions", create)
    app.router.add_get("/v1/checkout/sessions/{id}", retrieve)
    app.router.add_post("/v1/checkout/sessions/{id}/expire", expire)
    app.router.add_get("/v1/payment_intents/search", search)
    app.router.add_route("*", "/c/pay/{id}", page)
    app.router.add_post("/_config/webhooks/{id}", server.config_webhook)
    for kind in (PaymentIntent, PaymentMethod, Charge, Refund):
        at = f"/v1/{kind.object}s"
        app.router.add_post(at, server.api_create(kind, at))
        app.router.add_get(f"{at}/{{id}}", server.api_retrieve(kind, f"{at}/{{id}}"))
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=lambda _text: print("ready", flush=True))


if __name__ == "__main__":
    main()

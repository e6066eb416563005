"""Stripe's own library against a Stripe for tests: every call is repeatable, and what is told is asked about."""

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import requests
from flask import Flask

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.ids import new_order_id
from storefront.domain.sale import Sale
from storefront.gateways import stripe_checkout
from storefront.gateways.payments import Bill, Charge, Notice, ProviderDown
from storefront.gateways.stripe_checkout import CALLERS, StripeCheckout
from storefront.services import buying
from storefront.shop import Shop
from tests.conftest import STRIPE, Served, eventually
from tests.faces import Program

SECRET: str = STRIPE["stripe_webhook_secret"]
CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2099", "cvc": "123"}


@pytest.fixture
def stripe(shop: Shop, config: Config, stripe_server: str) -> StripeCheckout:
    return StripeCheckout(shop.memory.redis, replace(config, **STRIPE, stripe_api=stripe_server))


def bill(order: str = "", **changes: Any) -> Bill:
    made = Bill(
        order or new_order_id("abcdef"), "手机", 1000, "CNY", int(time.time() + 60) * 1000, "http://127.0.0.1/order",
        "http://127.0.0.1/back",
    )  # fmt: skip
    return replace(made, **changes)


def paid(page: str) -> None:
    """Somebody pays on Stripe's page."""
    assert requests.post(page, allow_redirects=False, timeout=10).status_code == 303


def another_payment(server: str, order: str, amount: int = 1000) -> str:
    """A payment for the same order besides its session. Returns its id."""

    def call(path: str, **fields: Any) -> str:
        made = requests.post(f"{server}/v1/{path}", data=fields, auth=(STRIPE["stripe_key"], ""), timeout=10)
        assert made.status_code == 200, made.text
        return str(made.json()["id"])

    method = call("payment_methods", type="card", **{f"card[{name}]": value for name, value in CARD.items()})
    return call(
        "payment_intents",
        **{"amount": amount, "currency": "cny", "payment_method": method, "confirm": "true", "metadata[order]": order},
    )


def signed(
    event: dict[str, Any], at: float = 0, secret: str = STRIPE["stripe_webhook_secret"]
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a webhook as Stripe signs it."""
    body, sent = json.dumps(event).encode(), int(at or time.time())
    signature = hmac.new(secret.encode(), f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={sent},v1={signature}"}, body


def event(kind: str, thing: str, number: int = 1) -> dict[str, Any]:
    return {"id": f"evt_{thing}_{number}", "object": "event", "type": kind, "data": {"object": {"id": thing}}}


def test_a_payment_is_begun_once_paid_once_and_given_back_once(stripe: StripeCheckout) -> None:
    made = bill()
    page = stripe.start(made).page
    assert stripe.start(made).page == page
    assert stripe.verify([made.order, "none"]) == {made.order: [], "none": []}
    paid(page)
    charge = stripe.start(made).charge
    assert charge is not None
    assert charge == Charge(charge.id, made.order, 1000, "CNY")
    assert stripe.verify([made.order]) == stripe.settle([made.order]) == {made.order: [charge]}
    assert stripe.look(charge.id) == [charge]
    for _ in range(2):
        assert stripe.refund([charge.id, "pi_unknown"]) == {charge.id}
    assert stripe.verify([made.order]) == {made.order: []}


def test_a_payment_that_is_settled_takes_no_money_any_more(stripe: StripeCheckout) -> None:
    made = bill()
    page = stripe.start(made).page
    for _ in range(2):
        assert stripe.settle([made.order]) == {made.order: []}
    assert requests.post(page, allow_redirects=False, timeout=10).status_code == 410
    with pytest.raises(ProviderDown, match="is expired"):
        stripe.start(made)


def test_what_redis_forgot_is_found_at_stripe(stripe: StripeCheckout, shop: Shop) -> None:
    made, other = bill(), bill()
    page = stripe.start(made).page
    shop.memory.redis.delete(f"stripe:session:{made.order}", "stripe:since")
    assert stripe.start(made).page == page  # by the idempotency key
    paid(page)
    shop.memory.redis.delete(f"stripe:session:{made.order}", "stripe:since")
    found = stripe.verify([made.order, other.order])
    assert [charge.amount for charge in found[made.order]] == [1000]
    assert found[other.order] == []


def test_a_stripe_that_is_away_answers_nothing_and_its_key_is_not_told(
    shop: Shop, config: Config, stripe: StripeCheckout, caplog: pytest.LogCaptureFixture
) -> None:
    made = bill()
    stripe.start(made)
    away = StripeCheckout(shop.memory.redis, replace(config, **STRIPE, stripe_api="http://127.0.0.1:9"))
    assert away.settle([made.order]) == away.verify([made.order]) == {}
    assert away.refund(["pi_x"]) == set()
    for asked in (lambda: away.start(bill()), lambda: away.look("pi_x")):
        with pytest.raises(ProviderDown) as raised:
            asked()
        assert "sk_test" not in str(raised.value)
    assert "sk_test" not in caplog.text
    assert "APIConnectionError" in caplog.text
    assert "sk_test" not in repr(replace(config, **STRIPE))


def test_a_stripe_that_hangs_holds_few_threads_and_not_for_long(
    shop: Shop, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_checkout, "TIMEOUT", (2.0, 1.0))
    with socket.create_server(("127.0.0.1", 0), backlog=99) as hanging, ThreadPoolExecutor(CALLERS) as others:
        server = f"http://127.0.0.1:{hanging.getsockname()[1]}"  # it takes connections, and says nothing
        stripe = StripeCheckout(shop.memory.redis, replace(config, **STRIPE, stripe_api=server))
        waiting = [others.submit(stripe.start, bill()) for _ in range(CALLERS)]
        eventually(lambda: not stripe._callers._value)
        monkeypatch.setattr(stripe_checkout, "IN_LINE", 0)
        with pytest.raises(ProviderDown, match="wait for it already"):
            stripe.start(bill())
        assert stripe.verify(["x"]) == {}
        assert all(isinstance(one.exception(60), ProviderDown) for one in waiting)
        assert stripe._callers._value == CALLERS


@pytest.mark.parametrize(
    "wrong", [{"secret": "whsec_other"}, {"at": time.time() - 400}, {}], ids=["forged", "old", "altered"]
)
def test_a_webhook_that_stripe_did_not_sign_or_long_ago_is_refused(stripe: StripeCheckout, wrong: Any) -> None:
    headers, body = signed(event("payment_intent.succeeded", "pi_x"), **wrong)
    with pytest.raises(ValueError, match=r"ignature|imestamp"):
        stripe.read(headers, body if wrong else body + b" ", 0)


def test_webhooks_tell_of_sessions_and_intents_and_nothing_else(stripe: StripeCheckout) -> None:
    for kind, thing in {"checkout.session.completed": "cs_x", "payment_intent.succeeded": "pi_x"}.items():
        assert stripe.read(*signed(event(kind, thing)), 0) == Notice(f"evt_{thing}_1", thing)
    assert stripe.read(*signed(event("charge.refunded", "ch_x")), 0) is None


def test_an_order_is_paid_by_stripes_own_webhook_and_a_second_payment_goes_back(
    on_stripe: Flask, served: Served, stripe_server: str, shop: Shop, somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:  # fmt: skip
    hook = {
        "url": f"{served(on_stripe)}/webhooks/stripe", "secret": SECRET,
        "events": ["payment_intent.succeeded"],
    }  # fmt: skip
    assert requests.post(f"{stripe_server}/_config/webhooks/shop", json=hook, timeout=10).status_code == 200
    account, program, sale = somebody(), Program(on_stripe), a_sale()
    program.log_in(account.name)
    order = buying.buy(shop, account, sale.product).order
    buying.placed_order_of(shop, account, order)
    begun = program.post(f"/orders/{order}/pay").json
    assert begun["state"] == "pending"
    paid(begun["payment"])
    eventually(lambda: shop.orders.get(order).state == "paid")  # type: ignore[union-attr]  # nobody came back

    first = shop.orders.get(order).charge  # type: ignore[union-attr]
    second = another_payment(stripe_server, order)
    eventually(lambda: second in shop.orders.get(order).returns)  # type: ignore[union-attr]
    found = shop.orders.get(order)
    assert found is not None
    assert (found.state, found.charge) == ("paid", first)
    wrong = another_payment(stripe_server, order, 5)  # goes back without a word in the ledger
    payments = on_stripe.extensions["shop"].payments
    eventually(lambda: payments.look(wrong) == [])
    assert wrong not in shop.orders.get(order).returns  # type: ignore[union-attr]

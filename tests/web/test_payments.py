"""Payments that end elsewhere: the provider's page, its signed webhooks, and money that isn't what it should be."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from storefront.config import BadConfig, Config, from_environment
from storefront.domain.account import Account
from storefront.domain.order import Order
from storefront.domain.sale import Sale
from storefront.gateways import standard_webhooks
from storefront.gateways.sandbox import CHARGES, FAILED, REFUNDS, SUCCEEDED, Sandbox
from storefront.local.shop import LocalShop
from storefront.services import buying, paying
from storefront.shop import Shop
from storefront.web.sandbox import warn_of_no_money
from tests.conftest import STRIPE, charged, eventually
from tests.faces import FACES, Face, Person, Program

Buys = Callable[..., str]


@pytest.fixture
def hosted(app_with: Callable[..., Flask]) -> Flask:
    """The application with a payment provider that has pages of its own."""
    return app_with(payments="sandbox-hosted")


@pytest.fixture
def account(somebody: Callable[..., Account]) -> Account:
    return somebody()


@pytest.fixture
def buys(shop: Shop, account: Account, a_sale: Callable[..., Sale]) -> Buys:
    """Makes unpaid orders of the account, at 10.00 CNY unless told otherwise."""

    def make(**terms: object) -> str:
        order = buying.buy(shop, account, a_sale(num=1, **terms).product).order
        buying.placed_order_of(shop, account, order)
        return order

    return make


def found(shop: Shop, order: str) -> Order:
    there = shop.orders.get(order)
    assert there is not None
    return there


def told(app: Flask, order: str, kind: str = SUCCEEDED, ago: int = 0, **wrong: str) -> TestResponse:
    """What the shop answers to a webhook of the sandbox; ``wrong`` headers are sent instead of its own."""
    shop: Shop = app.extensions["shop"]
    assert isinstance(shop.payments, Sandbox)
    headers, body = shop.payments.webhook(order, kind, shop.memory.now_ms() // 1000 - ago)
    headers |= {name.replace("_", "-"): value for name, value in wrong.items()}
    return app.test_client().post("/webhooks/sandbox", data=body, headers=headers, content_type="application/json")


def begun(caller: Face, order: str) -> str:
    """The path of the provider's page to which a caller who pays is led."""
    if isinstance(caller, Program):
        answer = caller.post(f"/orders/{order}/pay")
        assert (answer.status, answer.json["state"]) == (200, "pending")
        return str(urlsplit(answer.json["payment"]).path)
    answer = caller.post(f"/orders/{order}/pay")
    assert (answer.first, answer.status) == (303, 200)
    assert "No money moves." in answer.text
    return f"/sandbox/{order}"


@pytest.mark.parametrize("kind", FACES)
def test_people_and_programs_pay_on_the_providers_page_and_come_back(
    kind: type[Face], hosted: Flask, shop: Shop, account: Account, buys: Buys
) -> None:
    caller, order = kind(hosted), buys()
    caller.log_in(account.name)
    page = begun(caller, order)
    assert begun(caller, order) == page  # the same payment, however often it is begun
    assert "declined" in caller.post(page, {"action": "decline"}).text
    left = caller.post(page, {"action": "leave"})
    assert caller.get(f"/orders/{order}/returned").status == 200  # whoever says so without having paid
    assert found(shop, order).state == "pending"
    if isinstance(caller, Program):
        assert urlsplit(left.json["back"]).path == f"/orders/{order}"
        back = urlsplit(caller.post(page, {"action": "pay"}).json["back"]).path
        assert caller.get(back).status == 200
    else:
        assert f'action="/orders/{order}/pay"' in left.text
        assert "Paid. Thank you!" in caller.post(page, {"action": "pay"}).text
    assert shop.notices.is_known(f"msg_{SUCCEEDED}_{order}")  # its webhook, too, came through
    eventually(lambda: found(shop, order).state == "paid")
    assert caller.post(f"/orders/{order}/pay").status in (200, 409)
    assert (found(shop, order).charge, found(shop, order).returns) == (f"sandbox_{order}", "")


def test_a_webhook_alone_pays_an_order_and_may_come_again_and_in_any_order(
    hosted: Flask, shop: Shop, account: Account, buys: Buys
) -> None:
    program, order = Program(hosted), buys()
    program.log_in(account.name)
    begun(program, order)
    assert told(hosted, order).status_code == 200  # signed, but the provider knows of no money
    assert told(hosted, order, FAILED).status_code == 200
    assert found(shop, order).state == "pending"
    shop.memory.redis.delete(f"notice:msg_{SUCCEEDED}_{order}")
    charged(shop, order, 1000)
    for kind in (SUCCEEDED, FAILED, SUCCEEDED, SUCCEEDED):
        assert told(hosted, order, kind).status_code == 200
    eventually(lambda: found(shop, order).state == "paid")
    assert found(shop, order).returns == ""


def test_who_lost_the_webhook_and_the_shopper_finds_the_money_when_they_come_back(
    hosted: Flask, shop: Shop, account: Account, buys: Buys
) -> None:
    person, order = Person(hosted), buys()
    person.log_in(account.name)
    charged(shop, order, 1000)
    assert "Paid. Thank you!" in person.get(f"/orders/{order}/returned").text
    assert person.get(f"/orders/{buys()}/returned").text.count("Your payment is not confirmed yet.") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"ago": 301}, {"ago": -360}, {"webhook_signature": "v1,AAAA"}, {"webhook_signature": ""},
        {"webhook_id": "another"}, {"webhook_timestamp": "1"}, {"webhook_timestamp": "x"}, {"webhook_timestamp": "٣"},
        {"webhook_signature": "v1,é"},
    ],
    ids=str,
)  # fmt: skip
def test_a_webhook_that_is_not_the_providers_or_too_old_is_refused(
    app: Flask, shop: Shop, buys: Buys, wrong: dict[str, Any]
) -> None:
    order = buys()
    charged(shop, order, 1000)
    answer = told(app, order, **wrong)
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "bad_signature")
    assert found(shop, order).state == "pending"


def test_several_signatures_are_taken_and_other_addresses_are_not(app: Flask, hosted: Flask, shop: Shop) -> None:
    headers, body = Sandbox(shop.memory.redis, shop.config.secret).webhook("x", FAILED, shop.memory.now_ms() // 1000)
    headers[standard_webhooks.SIGNATURE] = f"v1,old {headers[standard_webhooks.SIGNATURE]}"
    client = app.test_client()
    for path, status in {"/webhooks/sandbox": 200, "/webhooks/stripe": 404}.items():
        sent = client.post(path, data=body, headers=headers, content_type="application/json")
        assert sent.status_code == status, path
    assert client.get("/sandbox/x").status_code == 404  # of a sandbox that has no pages
    assert hosted.test_client().get("/sandbox/x").status_code == 404  # of an unknown payment


def test_money_that_comes_too_late_goes_back(app: Flask, shop: Shop, account: Account, buys: Buys) -> None:
    order = buys()
    paying.cancel(shop, account, order)
    charged(shop, order, 1000)
    for _ in range(2):
        assert told(app, order).status_code == 200
    eventually(lambda: found(shop, order).refund == "done")
    assert found(shop, order).state == "cancelled"
    assert shop.memory.redis.sismember(REFUNDS, order)


@pytest.mark.parametrize(("amount", "currency"), [(999, "CNY"), (1000, "USD")])
def test_money_that_is_not_what_the_order_costs_goes_back_and_pays_nothing(
    app: Flask, shop: Shop, account: Account, buys: Buys, caplog: pytest.LogCaptureFixture, amount: int, currency: str
) -> None:
    order = buys()
    charged(shop, order, amount, currency)
    assert told(app, order).status_code == 200
    assert f"{amount} {currency} is not what the order costs" in caplog.text
    assert shop.memory.redis.sismember(REFUNDS, order)
    assert (found(shop, order).state, found(shop, order).refund) == ("pending", "")


def test_money_for_an_order_that_is_not_known_stays_where_it_is(
    app: Flask, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    charged(shop, "unknown", 5)
    assert told(app, "unknown").status_code == 200
    assert "order unknown, which is not known here" in caplog.text
    assert not shop.memory.redis.sismember(REFUNDS, "unknown")
    shop.memory.redis.hdel(CHARGES, "unknown")


@pytest.mark.parametrize("kind", FACES)
def test_what_costs_nothing_is_confirmed_at_once_and_no_provider_hears_of_it(
    kind: type[Face], app: Flask, app_with: Callable[..., Flask], hosted: Flask, shop: Shop, account: Account,
    buys: Buys,
) -> None:  # fmt: skip
    for application in (app, hosted, app_with(**STRIPE)):
        caller, order = kind(application), buys(price=None)
        caller.log_in(account.name)
        answer = caller.post(f"/orders/{order}/pay")
        assert answer.status == 200
        assert not isinstance(caller, Person) or "Confirmed. Thank you!" in answer.text
        assert (found(shop, order).state, found(shop, order).charge) == ("paid", "free")
        assert shop.payments.verify([order]) == {order: []}


def test_the_page_of_an_order_lets_its_form_lead_to_the_provider_alone(
    app_with: Callable[..., Flask], account: Account, buys: Buys
) -> None:
    person, order = Person(app_with(**STRIPE)), buys()
    person.log_in(account.name)
    for path, wanted in {f"/orders/{order}": "'self' https://checkout.stripe.com", "/orders": "'self'"}.items():
        policy = person.client.get(path, headers=person.headers).headers["Content-Security-Policy"]
        form_action = re.search(r"form-action ([^;]+);", policy)
        assert form_action is not None
        assert form_action[1] == wanted


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"PAYMENTS": "paypal"}, "STOREFRONT_PAYMENTS"),
        ({"STRIPE_KEY": None}, "STOREFRONT_STRIPE_KEY"),
        ({"STRIPE_KEY": "pk_live_Hidden"}, "STOREFRONT_STRIPE_KEY must begin with sk_"),
        ({"STRIPE_WEBHOOK_SECRET": "Hidden"}, "STOREFRONT_STRIPE_WEBHOOK_SECRET must begin with whsec_"),
        ({"STRIPE_API": "stripe.com"}, "STOREFRONT_STRIPE_API"),
        ({"PAYMENT_WINDOW": "86400"}, "STOREFRONT_PAYMENT_WINDOW is 86400"),
    ],
    ids=str,
)
def test_a_wrong_setting_of_payments_is_named_and_no_secret_told(
    real_shop: LocalShop, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str | None], named: str
) -> None:
    good = {"PAYMENTS": "stripe", "STRIPE_KEY": "sk_test_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"}
    for name, value in real_shop.env.items():
        monkeypatch.setenv(name, value)
    for name, given in {**good, **settings}.items():
        monkeypatch.setenv(f"STOREFRONT_{name}", given or "")
        if given is None:
            monkeypatch.delenv(f"STOREFRONT_{name}")
    with pytest.raises(BadConfig, match=named) as raised:
        from_environment()
    assert "Hidden" not in str(raised.value)
    for name, value in good.items():
        monkeypatch.setenv(f"STOREFRONT_{name}", value)
    monkeypatch.setenv("STOREFRONT_PAYMENT_WINDOW", "3600")
    monkeypatch.setenv("STOREFRONT_STRIPE_API", "")
    assert from_environment().payments == "stripe"


@pytest.mark.parametrize(
    ("changes", "is_said"),
    [
        ({}, True),
        ({"payments": "sandbox-hosted"}, True),
        ({"secure_cookies": False}, False),  # on loopback
        (STRIPE, False),
    ],
)
def test_a_shop_for_others_than_this_machine_says_loudly_that_it_takes_no_money(
    config: Config, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], is_said: bool
) -> None:
    warn_of_no_money(replace(config, **{"secure_cookies": True, **changes}))
    assert [line.levelname for line in caplog.records] == (["WARNING"] if is_said else [])
    assert ("PAYMENTS MOVE NO MONEY" in caplog.text) == is_said

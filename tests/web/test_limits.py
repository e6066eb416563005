"""The limits of one view: counted together, each by itself."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local.services import ROOT
from storefront.local.shop import LocalShop
from storefront.services import accounts
from storefront.shop import Shop
from storefront.stores.connection import connect
from storefront.web.counting import EVERY, Count, Untold
from storefront.web.limits import CountedTogether, limiter
from tests.conftest import eventually
from tests.crowds import registered
from tests.faces import FACES, Face, Person


class Crowd:
    """Programs that buy from addresses of their own choice."""

    def __init__(self, app: Flask, sale: Sale) -> None:
        self._client: FlaskClient = app.test_client(use_cookies=False)
        self._shop: Shop = app.extensions["shop"]
        self._address = f"/miaosha/{quote(sale.product)}"

    def buys(self, account: Account, address: str) -> int:
        """The status of the answer."""
        return self.asks(account, address).status_code

    def asks(self, account: Account, address: str) -> TestResponse:
        """The answer."""
        body = json.dumps({"token": accounts.token_for(self._shop, account)})
        return self._client.post(
            self._address, data=body, content_type="application/json", environ_overrides={"REMOTE_ADDR": address}
        )


@pytest.mark.parametrize(("gate", "first"), [(True, "192.0.2.1"), (False, "192.0.2.4")])
def test_either_limit_refuses_by_itself(
    app_with: Callable[..., Flask],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    gate: bool,
    first: str,
) -> None:
    app = app_with(limit_buy_account="2/day", limit_buy_address="3/day", gate=gate)
    crowd, one, other = Crowd(app, a_sale(num=9, limit=9)), somebody(), somebody()
    assert [crowd.buys(one, address) for address in (first, "192.0.2.2", "192.0.2.3")] == [200, 200, 429]
    assert [crowd.buys(other, first) for _ in range(3)] == [200, 200, 429]
    third = somebody()
    assert [crowd.buys(third, first) for _ in range(2)] == [429, 429]


@pytest.mark.parametrize(("gate", "first"), [(True, "192.0.2.11"), (False, "192.0.2.13")])
def test_what_one_limit_refuses_the_other_does_not_count(
    app_with: Callable[..., Flask],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    gate: bool,
    first: str,
) -> None:
    app = app_with(limit_buy_account="2/day", limit_buy_address="1/day", gate=gate)
    crowd, shopper = Crowd(app, a_sale(num=9, limit=9)), somebody()
    assert [crowd.buys(shopper, first) for _ in range(5)] == [200, 429, 429, 429, 429]
    assert crowd.buys(shopper, f"{first}0") == 200


def test_without_a_gate_both_are_counted_in_one_round_trip(
    config: Config, app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    app = app_with(limit_buy_account="7/day", limit_buy_address="8/day", gate=False)
    crowd, shopper = Crowd(app, a_sale(num=2)), somebody()
    assert crowd.buys(somebody(), "192.0.2.8") == 200  # Redis may not have known the script
    with connect(config.limiter_url, decode_responses=True) as counts, counts.monitor() as monitor:
        assert crowd.buys(shopper, "192.0.2.7") == 200
        counts.echo("that was all")
        seen = []
        while (said := monitor.next_command()["command"]) != "ECHO that was all":
            seen.append(said)
    asked = [said for said in seen if said.startswith("EVALSHA") and "192.0.2.7" in said]
    assert len(asked) == 1
    assert shopper.id in asked[0]


@pytest.mark.parametrize("gate", [True, False])
def test_an_answer_tells_how_far_its_limits_are_used_up(
    app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale], gate: bool
) -> None:
    app = app_with(limit_buy_account="2/day", limit_buy_address="7/day", gate=gate)
    crowd, shopper, address = Crowd(app, a_sale(begins=600)), somebody(), f"192.0.2.{30 + gate}"
    answers = [crowd.asks(shopper, address) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [409, 409, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {
        '"address-86400s";q=7;w=86400, "account-86400s";q=2;w=86400'
    }
    told = [dict(re.findall(r'"(\w+)-86400s";r=(\d+);t=864\d\d', answer.headers["RateLimit"])) for answer in answers]
    assert [fields["account"] for fields in told] == ["1", "0", "0"]
    assert [fields["address"] for fields in told] == ["6", "5", "4"]
    assert 86_300 < int(answers[2].headers["Retry-After"]) <= 86_400


def test_two_hundred_behind_one_address_at_human_pace_are_never_limited_and_a_script_among_them_is(
    app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    usual = {field.name: field.default for field in fields(Config) if field.name.startswith("limit_")}
    crowd = Crowd(app_with(**usual, bans="50/hour"), a_sale(begins=600))
    people, script = registered(shop, 200), somebody()
    for _ in range(2):
        assert {crowd.buys(person, "192.0.2.200") for person in people} == {409}
    eventually(lambda: crowd.asks(script, "192.0.2.200").get_json()["code"] == "banned")
    assert {crowd.buys(person, "192.0.2.200") for person in people} == {409}


def test_strangers_behind_one_address_share_no_accounts_limit(app_with: Callable[..., Flask]) -> None:
    client = app_with(limit_buy_account="1/day", limit_buy_address="100/day").test_client(use_cookies=False)
    answers = [client.post("/miaosha/nothing", json={}) for _ in range(9)]
    assert {answer.status_code for answer in answers} == {401}


def test_what_allows_many_is_counted_by_each_process_and_told_ten_times_a_second(
    config: Config, app_with: Callable[..., Flask]
) -> None:
    apps = [app_with(limit_default="1000/day") for _ in range(2)]
    clients = [app.test_client(use_cookies=False) for app in apps]
    address = {"REMOTE_ADDR": "192.0.2.77"}
    with connect(config.limiter_url, decode_responses=True) as counts, counts.monitor() as monitor:
        began, told = time.monotonic(), list[int]()
        while told[-2:] != [429, 429]:
            told += [client.get("/login", environ_overrides=address).status_code for client in clients]
        rounds = 2 + 2 * (time.monotonic() - began) / EVERY
        counts.echo("that was all")
        seen = []
        while (said := monitor.next_command()["command"]) != "ECHO that was all":
            seen.append(said)
    assert told[:1000] == [200] * 1000
    assert told.count(200) < 1000 + len(told) / 3
    asked = [said for said in seen if said.startswith("EVALSHA") and address["REMOTE_ADDR"] in said]
    assert 1 <= len(asked) <= rounds


def test_what_has_ended_untold_does_not_count_in_the_time_after_it(app: Flask) -> None:
    counted = CountedTogether(limiter.limiter.storage)
    now = time.monotonic()
    ended, running = (Untold(name, 60, Count(ends, untold=5)) for name, ends in (("a", now - 1), ("b", now + 60)))
    counted._untold = {one.name: one for one in (ended, running)}
    assert counted._worth() == [running]
    assert counted._worth() == []


@pytest.mark.parametrize("address", ["/miaosha/x", "/login", "/orders/x/pay"])
@pytest.mark.parametrize("call", [{"data": {"csrf_token": "wrong"}}, {"data": "x", "content_type": "text/plain"}])
def test_what_comes_to_no_view_counts_for_its_address_and_for_nobody_else(
    app_with: Callable[..., Flask], somebody: Callable[..., Account], call: dict[str, Any], address: str
) -> None:
    app = app_with(limit_default="20/day", limit_buy_account="2/day", limit_buy_address="2/day", limit_login="2/day")
    person, source = Person(app), {"REMOTE_ADDR": f"198.18.7.{1 + len(address) + 20 * ('content_type' in call)}"}
    person.log_in(somebody().name)
    headers = {} if "content_type" in call else person.headers
    asked = [
        person.client.post(address, **call, headers=headers, environ_overrides=source).headers.get("RateLimit", "")
        for _ in range(21)
    ]
    assert [int(re.findall(r"r=(\d+)", one)[-1]) for one in asked] == [*range(19, -1, -1), 0]
    assert {one.count("r=") for one in asked} == {1}


WITHOUT_REDIS = """
from storefront import create_app
from storefront.config import from_environment
client = create_app(from_environment()).test_client()
print([client.get("/login").status_code for _ in range(4)])
print([client.get("/nowhere").status_code for _ in range(4)])
print(int(client.get("/nowhere").headers["Retry-After"]) > 80_000)
print([line for line in client.get("/metrics").text.splitlines() if line.startswith("storefront_limits_shared")])
"""


def test_without_their_redis_limits_hold_in_each_process_and_that_is_told(real_shop: LocalShop) -> None:
    away = {"STOREFRONT_LIMITER_URL": "redis://127.0.0.1:9/1", "STOREFRONT_LIMIT_DEFAULT": "3/day"}
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_REDIS], env={**os.environ, **real_shop.env, **away}, cwd=ROOT,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ran.stdout.splitlines() == [
        "[200, 200, 200, 429]", "[404, 404, 404, 429]", "True", "['storefront_limits_shared 0.0']"
    ]  # fmt: skip
    assert "this process counts by itself" in ran.stderr


def test_requests_that_come_too_early_are_refused_and_counted(
    app: Flask, shop: Shop, a_sale: Callable[..., Sale], somebody: Callable[..., Account]
) -> None:
    sale, plain = a_sale(begins=600), somebody()
    crowd = Crowd(app, sale)
    assert [crowd.buys(plain, "192.0.2.9") for _ in range(8)] == [409] * 8
    assert eventually(lambda: shop.refusals.of(sale.id).get("not_started", 0) == 8)


@pytest.mark.parametrize("kind", FACES)
def test_whatever_a_purchase_is_refused_for_is_counted(
    app: Flask, shop: Shop, a_sale: Callable[..., Sale], somebody: Callable[..., Account], kind: type[Face]
) -> None:
    one_each, proven = a_sale(num=9), a_sale(proof="on")
    face = kind(app)
    face.log_in(somebody().name)
    for sale in (one_each, one_each, proven):
        face.buy(sale.product)
    assert eventually(lambda: shop.refusals.of(one_each.id) == {"limit_reached": 1})
    assert eventually(lambda: shop.refusals.of(proven.id) == {"proof_required": 1})

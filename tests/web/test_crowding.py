"""Accounts that were registered in a row at one address are put back by seconds; people at home are not."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from storefront.domain.account import Account, Profile, Seniority
from storefront.domain.sale import PUT_BACK, Sale
from storefront.services import accounts, buying
from storefront.shop import Shop
from tests.conftest import unique
from tests.faces import Face, Person, Program

WEEK = 7 * 24 * 3600


@pytest.fixture
def crowded(shop: Shop) -> Account:
    """Somebody who has registered just now, where many had."""
    return accounts.register(shop, Profile(unique("x"), 30, "y", "http://example.com/a.jpg"), "secret123", crowded=True)


@pytest.fixture
def registers(shop: Shop) -> Callable[..., Any]:
    """Registers an account at an address. Returns its seniority, or None where it was refused."""

    def register(app: Flask, address: str, name: str = "", **more: Any) -> Seniority | None:
        fields = {
            "name": name or unique("x"), "age": 20, "address": "y", "avatar": "http://example.com/a.jpg",
            "password": "secret123", **more,
        }  # fmt: skip
        answer = app.test_client().post("/register", json=fields, environ_overrides={"REMOTE_ADDR": address})
        if answer.status_code != 200:
            return None
        made = shop.accounts.get(fields["name"])
        assert made
        assert bool(made.seniority.probation) == ("warning" in answer.get_json())
        return made.seniority

    return register


def test_the_first_accounts_of_an_address_are_free_and_the_next_on_probation(
    app_with: Callable[..., Flask], registers: Callable[..., Any]
) -> None:
    app = app_with(crowd="2/day")
    made = [registers(app, "203.0.113.1") for _ in range(4)]
    assert [one.probation and one.probation - one.registered for one in made] == [
        0, 0, WEEK * 1000, WEEK * 1000
    ]  # fmt: skip
    assert not registers(app, "203.0.113.2").probation
    assert not registers(app, "2001:db8:1::1").probation


def test_a_network_of_ipv6_is_one_address(app_with: Callable[..., Flask], registers: Callable[..., Any]) -> None:
    app = app_with(crowd="1/day")
    made = [registers(app, f"2001:db8:77:1::{host}") for host in range(1, 4)]
    assert [bool(one.probation) for one in made] == [False, True, True]


def test_who_is_refused_does_not_count(app_with: Callable[..., Flask], registers: Callable[..., Any]) -> None:
    app, taken = app_with(crowd="1/day"), unique("taken")
    registers(app, "203.0.113.3", taken)
    for refused in ({"name": taken}, {"age": "old"}):
        assert registers(app, "203.0.113.4", **refused) is None
    assert not registers(app, "203.0.113.4").probation


@pytest.mark.parametrize("settings", [{"crowd": ""}, {"crowd": "1/day", "allowed": ("203.0.113.0/24",)}])
def test_nobody_is_on_probation_where_that_is_off_or_the_address_allowed(
    app_with: Callable[..., Flask], registers: Callable[..., Any], settings: dict[str, Any]
) -> None:
    app = app_with(**settings)
    assert not any(registers(app, "203.0.113.5").probation for _ in range(3))


def test_people_are_told_at_registration(app_with: Callable[..., Flask]) -> None:
    app = app_with(crowd="1/day")
    shown = []
    for _ in range(2):
        person, name = Person(app), unique("x")
        person.client.environ_base["REMOTE_ADDR"] = "203.0.113.6"
        fields = {"age": 20, "address": "y", "avatar": "http://example.com/a.jpg", "password": "secret123"}
        shown.append(person.post("/register", {"name": name, **fields}).text)
    assert [bool(re.search("Until .* it may buy 10 seconds after a sale has begun", text)) for text in shown] == [
        False, True
    ]  # fmt: skip


def test_on_probation_one_is_put_back_at_a_start_and_takes_no_unit(
    face: Face, crowded: Account, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(begins=0)
    face.log_in(crowded.name)
    refused = face.buy(sale.product)
    allowed = datetime.fromtimestamp(sale.terms.begins + PUT_BACK, UTC)
    if isinstance(face, Program):
        assert (refused.status, refused.json["code"]) == (403, "account_too_new")
        assert datetime.fromisoformat(refused.json["allowed_from"]) == allowed
        assert 0 < refused.json["wait"] <= PUT_BACK
    else:
        assert "Many accounts were registered where yours was" in refused.text
        assert f'data-opens="{sale.terms.begins + PUT_BACK}000"' in refused.text
    found = shop.sales.get(sale.id)
    assert found
    assert found.units.left == 1


def test_on_probation_one_buys_a_few_seconds_later(face: Face, crowded: Account, a_sale: Callable[..., Sale]) -> None:
    face.log_in(crowded.name)
    assert face.buy(a_sale(begins=-PUT_BACK).product).order


def test_after_its_probation_an_account_buys_at_once(shop: Shop, crowded: Account, a_sale: Callable[..., Sale]) -> None:
    over = replace(crowded, seniority=Seniority(0, int(time.time() - 60) * 1000))
    assert buying.buy(shop, over, a_sale(begins=0).product).order


def test_on_probation_one_is_put_back_on_the_waitlist_too(
    app: Flask, crowded: Account, somebody: Callable[..., Account], shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale, program = a_sale(begins=0), Program(app)
    buying.buy(shop, somebody(), sale.product)
    program.log_in(crowded.name)
    refused = program.post(f"/sales/{sale.id}/waitlist")
    assert refused.json["code"] == "account_too_new"
    assert refused.json["error"].startswith("Many accounts were registered where yours was")


def test_before_the_start_the_page_tells_when_one_may_buy(
    app: Flask, crowded: Account, a_sale: Callable[..., Sale]
) -> None:
    person, sale = Person(app), a_sale(begins=600)
    person.log_in(crowded.name)
    shown = person.get(f"/miaosha/{quote(sale.product)}").text
    assert "Many accounts were registered where yours was" in shown
    assert f'datetime="{datetime.fromtimestamp(sale.terms.begins + PUT_BACK, UTC).isoformat()[:19]}' in shown

"""Accounts that were registered in a row at one address are put back by seconds; people at home are not."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from flask import Flask
from limits.storage import MemoryStorage

from storefront.domain.account import Account, Seniority
from storefront.domain.errors import Overloaded
from storefront.domain.sale import PUT_BACK, Sale
from storefront.services import buying, changing
from storefront.shop import Shop
from storefront.web import crowding
from storefront.web.counting import Counters
from storefront.web.limits import limiter
from tests.conftest import unique
from tests.faces import Face, Person, Program

WEEK = 7 * 24 * 3600


@pytest.fixture
def registers(shop: Shop) -> Callable[..., Any]:
    """Registers an account at an address. Returns its seniority, or None where it was refused."""

    def register(
        app: Flask, address: str, name: str = "", *, is_refused: bool = False, **more: Any
    ) -> Seniority | None:
        fields = {
            "name": name or unique("x"), "age": 20, "address": "y", "avatar": "http://example.com/a.jpg",
            "password": "secret123", **more,
        }  # fmt: skip
        answer = app.test_client().post("/register", json=fields, environ_overrides={"REMOTE_ADDR": address})
        if answer.status_code != 200:
            assert is_refused, answer.text
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
    made = [registers(app, "198.19.7.1") for _ in range(4)]
    assert [one.probation and one.probation - one.registered for one in made] == [
        0, 0, WEEK * 1000, WEEK * 1000
    ]  # fmt: skip
    assert not registers(app, "198.19.7.2").probation
    assert not registers(app, "2001:db8:1::1").probation


def test_a_network_of_ipv6_is_one_address(app_with: Callable[..., Flask], registers: Callable[..., Any]) -> None:
    app = app_with(crowd="1/day")
    made = [registers(app, f"2001:db8:77:1::{host}") for host in range(1, 4)]
    assert [bool(one.probation) for one in made] == [False, True, True]


def test_who_is_refused_does_not_count(app_with: Callable[..., Flask], registers: Callable[..., Any]) -> None:
    app, taken = app_with(crowd="1/day"), unique("taken")
    registers(app, "198.19.7.3", taken)
    for refused in ({"name": taken}, {"age": "old"}):
        assert registers(app, "198.19.7.4", is_refused=True, **refused) is None
    assert not registers(app, "198.19.7.4").probation


def test_networks_of_a_whole_site_count_for_many_homes(app_with: Callable[..., Flask]) -> None:
    app = app_with(crowd="1/day")

    def is_crowded(address: str) -> bool:
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}), crowding.counted() as crowded:
            return crowded

    made = [is_crowded(f"2001:db8:55:{home:x}00::1") for home in range(101)]  # a /56 each, of one /48
    assert made == [False] * 100 + [True]
    made = [is_crowded(f"2001:db8:66:{home:x}::1") for home in range(11)]  # all of one /56
    assert made == [False] * 10 + [True]


def test_an_account_counts_that_is_there_though_its_person_was_told_to_come_back(
    app_with: Callable[..., Flask], registers: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(crowd="1/day")
    with monkeypatch.context() as busy:
        busy.setattr(app.extensions["shop"].positions, "wait", Mock(side_effect=Overloaded))
        assert registers(app, "198.19.7.7", is_refused=True) is None
    assert registers(app, "198.19.7.7").probation


def test_what_is_taken_back_from_a_count_that_began_anew_leaves_it_empty(app: Flask) -> None:
    for storage in (limiter.limiter.storage, MemoryStorage()):
        counters, name = Counters(storage), unique("count")
        counters.take_back([name])
        assert counters.add([(name, 2, 60)])[0][0] == 2
        counters.take_back([name])
        assert counters.add([(name, 1, 60)])[0][0] == 2


@pytest.mark.parametrize("settings", [{"crowd": ""}, {"crowd": "1/day", "allowed": ("198.19.7.0/24",)}])
def test_nobody_is_on_probation_where_that_is_off_or_the_address_allowed(
    app_with: Callable[..., Flask], registers: Callable[..., Any], settings: dict[str, Any]
) -> None:
    app = app_with(**settings)
    assert not any(registers(app, "198.19.7.5").probation for _ in range(3))


def test_people_are_told_at_registration(app_with: Callable[..., Flask]) -> None:
    app = app_with(crowd="1/day")
    shown = []
    for _ in range(2):
        person, name = Person(app), unique("x")
        person.client.environ_base["REMOTE_ADDR"] = "198.19.7.6"
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


def test_while_nobody_may_buy_one_on_probation_is_told_what_all_are(
    app: Flask, crowded: Account, somebody: Callable[..., Account], shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    taken, paused = a_sale(begins=0), a_sale(begins=0)
    buying.buy(shop, somebody(), taken.product)
    changing.pause(shop, None, paused.id, changing.Said("why"))
    program = Program(app)
    program.log_in(crowded.name)
    assert [program.buy(sale.product).json["code"] for sale in (taken, paused)] == ["all_held", "paused"]


def test_a_page_that_is_open_lets_one_join_the_waitlist_in_time(
    app: Flask, crowded: Account, somebody: Callable[..., Account], shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale, person = a_sale(begins=0), Person(app)
    buying.buy(shop, somebody(), sale.product)
    person.log_in(crowded.name)
    shown = person.get(f"/miaosha/{quote(sale.product)}").text
    assert re.search(rf'id="join" type="button".*data-opens="{sale.terms.begins + PUT_BACK}000"', shown)


def test_a_sale_that_is_over_before_one_may_buy_says_so(
    face: Face, crowded: Account, a_sale: Callable[..., Sale]
) -> None:
    face.log_in(crowded.name)
    assert "put back; this sale is over before that." in face.buy(a_sale(begins=0, ends=PUT_BACK - 1).product).text


def test_before_the_start_the_page_tells_when_one_may_buy(
    app: Flask, crowded: Account, a_sale: Callable[..., Sale]
) -> None:
    person, sale = Person(app), a_sale(begins=600)
    person.log_in(crowded.name)
    shown = person.get(f"/miaosha/{quote(sale.product)}").text
    assert "Many accounts were registered where yours was" in shown
    assert f'data-opens="{sale.terms.begins + PUT_BACK}000"' in shown
    assert f'datetime="{datetime.fromtimestamp(sale.terms.begins + PUT_BACK, UTC).isoformat()[:19]}' in shown

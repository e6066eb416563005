"""Whoever is refused again and again is shut out; operators see it, and may end it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from storefront.domain.account import Account
from storefront.domain.ban import ACCOUNT, ADDRESS, Ban
from storefront.domain.sale import Sale
from storefront.services import accounts
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.bans import Banned
from tests.conftest import eventually, unique
from tests.faces import Person, Program

Apps = Callable[..., Flask]
People = Callable[..., Account]
Sales = Callable[..., Sale]


@dataclass
class Caller:
    """A program at an address."""

    app: Flask
    address: str
    token: str = ""
    headers: dict[str, str] | None = None

    def buys(self, product: str) -> TestResponse:
        return self.asks("POST", f"/miaosha/{quote(product)}", {"token": self.token} if self.token else {})

    def asks(self, method: str, path: str, body: dict[str, Any] | None = None) -> TestResponse:
        client = self.app.test_client(use_cookies=False)
        sent: dict[str, Any] = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return client.open(
            path, method=method, headers={"Accept": "application/json", **(self.headers or {})},
            environ_overrides={"REMOTE_ADDR": self.address}, **sent,
        )  # fmt: skip


def code(answer: TestResponse) -> str:
    return str((answer.get_json(silent=True) or {}).get("code", answer.status_code))


def token_of(shop: Shop, account: Account) -> str:
    return accounts.token_for(shop, account)


@pytest.fixture
def operator(shop: Shop, somebody: People) -> Account:
    made = somebody()
    accounts.grant_operator(shop, made.name)
    return made


@pytest.mark.parametrize("gate", [True, False])
def test_a_script_is_shut_out_by_its_account_and_its_neighbours_are_not(
    app_with: Apps, shop: Shop, a_sale: Sales, somebody: People, gate: bool
) -> None:
    app = app_with(bans="1000/day;5/hour", limit_buy_account="2/second", gate=gate)
    sale, fast, slow = a_sale(begins=600), somebody(), somebody()
    script = Caller(app, "198.51.100.1", token_of(shop, fast))
    neighbour = Caller(app, "198.51.100.1", token_of(shop, slow))
    eventually(lambda: code(script.buys(sale.product)) == "banned")
    told = script.buys(sale.product)
    assert told.status_code == 429
    assert told.json is not None
    assert 3590 < int(told.headers["Retry-After"]) <= 3600
    assert told.json["limit"] == "2 per 1 second"
    assert told.json["refused"] > 5
    assert told.json["until"] > told.json["since"]
    assert code(script.asks("GET", "/orders")) == "invalid_token"  # no token: a stranger, whose address is not banned
    script.headers = {"Authorization": f"Bearer {script.token}"}
    assert code(script.asks("GET", "/orders")) == "banned"
    assert code(neighbour.buys(sale.product)) == "not_started"
    elsewhere = Caller(app, "198.51.100.2", script.token)
    assert code(elsewhere.buys(sale.product)) == "banned"


def test_the_longest_ban_that_was_earned_holds(app_with: Apps, shop: Shop, a_sale: Sales, somebody: People) -> None:
    app = app_with(bans="400/day;150/hour;1/minute", limit_buy_account="1/day", gate=False)
    sale, script = a_sale(num=9, limit=9), Caller(app, "198.51.100.3", token_of(shop, somebody()))
    assert script.buys(sale.product).status_code == 200
    waits: list[int] = []
    while not waits or waits[-1] <= 3600:
        while code(script.buys(sale.product)) != "banned":
            pass
        waits.append(int(script.buys(sale.product).headers["Retry-After"]))
        shop.bans.write([Ban(one.whom, one.kind, one.name, one.since, until=0) for one in shop.bans.now()])
        app.extensions["shop"].snapshots.outdate()
    assert {round(wait, -1) for wait in waits} == {60, 3600, 86400}


def test_whoever_is_let_in_again_begins_anew(
    app_with: Apps, shop: Shop, operator: Account, a_sale: Sales, somebody: People
) -> None:
    app = app_with(bans="20/day", limit_buy_account="1/day")
    account, sale, lifting = somebody(), a_sale(begins=600), Program(app)
    script = Caller(app, "198.51.100.4", token_of(shop, account))
    lifting.log_in(operator.name)
    while code(script.buys(sale.product)) != "banned":
        pass
    (ban,) = [one for one in shop.bans.now() if one.whom == account.id]
    assert lifting.post("/bans/lift", {"whom": ban.whom}).status == 200
    assert {code(script.buys(sale.product)) for _ in range(10)} == {"too_fast"}


def test_a_stranger_is_shut_out_by_address_and_those_who_are_logged_in_there_are_not(
    app_with: Apps, shop: Shop, somebody: People
) -> None:
    app = app_with(bans_address="3/hour", limit_default="3/minute")
    stranger = Caller(app, "2001:db8:7::1")
    eventually(lambda: code(stranger.asks("GET", "/")) == "banned")
    assert code(Caller(app, "2001:db8:7::2").asks("GET", "/nowhere")) == "banned"
    assert Caller(app, "2001:db8:7:1::2").asks("GET", "/").status_code == 200
    assert Caller(app, "2001:db8:7::2").asks("GET", "/healthz").status_code == 200
    bearer = {"Authorization": f"Bearer {token_of(shop, somebody())}"}
    assert code(Caller(app, "2001:db8:7::1", headers=bearer).asks("GET", "/")) == "too_fast"  # the limit holds
    (ban,) = [one for one in shop.bans.now() if one.whom == "2001:db8:7::/64"]
    assert (ban.kind, ban.limit, ban.by) == (ADDRESS, "3 per 1 minute", "")


def test_whoever_is_logged_in_gets_nobody_else_banned(app_with: Apps, shop: Shop, somebody: People) -> None:
    app = app_with(bans="20/day", bans_address="20/day", limit_register="1/day", limit_default="1/day")
    bearer = {"Authorization": f"Bearer {token_of(shop, somebody())}"}
    script = Caller(app, "198.51.100.61", headers=bearer)
    for _ in range(40):
        script.asks("GET", "/")
    eventually(lambda: code(script.asks("POST", "/register", {"name": ""})) == "banned")
    assert code(Caller(app, "198.51.100.61").asks("POST", "/login", {"name": "x", "pass": "y"})) == "wrong_credentials"


def test_a_deleted_accounts_token_is_a_strangers(app_with: Apps, shop: Shop, somebody: People) -> None:
    app, account = app_with(), somebody()
    shop.bans.write(
        [Ban("198.51.100.62", ADDRESS, "198.51.100.62", since=0, until=99_999_999_999_999, why="x", by="y")]
    )
    caller = Caller(app, "198.51.100.62", headers={"Authorization": f"Bearer {token_of(shop, account)}"})
    assert caller.asks("GET", "/").status_code == 200
    accounts.delete(shop, account.name)
    eventually(lambda: code(caller.asks("GET", "/")) == "banned")


@pytest.mark.parametrize(
    ("given", "caller", "is_banned"),
    [
        ("2001:db8:55::7:0/112", "2001:db8:55::7:1", True),
        ("::ffff:203.0.113.0/120", "203.0.113.4", True),
        ("203.0.112.7", "203.0.112.7:4711", True),
        ("2001:db8:56::1", "[2001:db8:56::9]:4711", True),
        ("0.0.0.0/0", "203.0.111.1", False),
    ],
)
def test_what_an_operator_bans_is_banned(
    app: Flask, operator: Account, given: str, caller: str, is_banned: bool
) -> None:
    program = Program(app)
    program.log_in(operator.name)
    assert program.post("/bans", {"whom": given, "minutes": 5, "why": "x"}).status == (200 if is_banned else 400)
    assert (code(Caller(app, caller).asks("GET", "/")) == "banned") is is_banned


def test_what_reads_as_an_address_is_banned_as_one_whoever_is_named_so(
    app: Flask, operator: Account, somebody: People
) -> None:
    program, account = Program(app), somebody("198.18.77.1")  # as one could be before names were judged for that
    program.log_in(operator.name)
    assert program.post("/bans", {"whom": account.name, "minutes": 5, "why": "x"}).json["kind"] == "address"
    assert code(Caller(app, account.name).asks("GET", "/")) == "banned"


@pytest.mark.parametrize("name", ["198.18.77.2", "198.18.0.0/16", "2001:db8::1"])
def test_nobody_is_named_like_an_address(app: Flask, name: str) -> None:
    fields = {"age": 20, "address": "y", "avatar": "http://example.com/a.jpg", "password": "secret123"}
    refused = Program(app).post("/register", {"name": name, **fields})
    assert (refused.status, [*refused.json["fields"]]) == (400, ["name"])


def test_bans_that_are_over_are_forgotten() -> None:
    banned = Banned()
    many = [Ban(f"192.0.2.{number}", ADDRESS, "x", since=1, until=5) for number in range(5000)]
    banned.take([(f"{number}-0", one.facts()) for number, one in enumerate(many)])
    assert len(list(banned)) <= 1000


def test_addresses_that_lead_nowhere_count_too(app_with: Apps) -> None:
    stranger = Caller(app_with(limit_default="5/day"), "198.51.100.8")
    answers = [stranger.asks("GET", "/no/such/page") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 80_000


def test_allowed_addresses_have_no_limit_and_their_accounts_do(
    app_with: Apps, shop: Shop, a_sale: Sales, somebody: People
) -> None:

    limits = {"limit_default": "2/day", "limit_buy_address": "2/day", "limit_register": "1/day"}
    app = app_with(**limits, bans="1/day", limit_buy_account="3/day", allowed=("203.0.113.0/24",))
    sale = a_sale(begins=600)
    for number in range(6):
        visitor = Caller(app, f"203.0.113.{number % 2}", token_of(shop, somebody()))
        assert visitor.asks("GET", "/").status_code == 200
        assert code(visitor.buys(sale.product)) == "not_started"
    script = Caller(app, "203.0.113.1", token_of(shop, somebody()))
    eventually(lambda: code(script.buys(sale.product)) == "banned")


def test_a_banned_person_sees_why_until_when_and_whom_to_ask(
    app_with: Apps, shop: Shop, somebody: People, a_sale: Sales
) -> None:
    app = app_with(contact="help@shop.example")
    account, sale = somebody(), a_sale()
    person = Person(app)
    person.log_in(account.name)
    csrf = person.csrf()
    ban = Ban(account.id, ACCOUNT, account.name, since=0, until=99_999_999_999_999, why="Bots <b>", by="eve")
    shop.bans.write([ban])
    app.extensions["shop"].snapshots.outdate()
    pressed = person.client.post(f"/miaosha/{quote(sale.product)}", data={"csrf_token": csrf}, headers=person.headers)
    assert pressed.status_code == 429
    for answer in (person.get("/"), person.get(f"/miaosha/{quote(sale.product)}")):
        assert answer.status == 429
        assert "Bots &lt;b&gt;" in answer.text
        assert "help@shop.example" in answer.text
        assert account.name in answer.text
    assert person.client.get("/static/style.css").status_code == 200
    assert Person(app).get("/").status == 200


def test_operators_list_add_and_lift_bans_in_both_faces(
    app: Flask, shop: Shop, operator: Account, somebody: People
) -> None:
    program, person, victim = Program(app), Person(app), somebody()
    program.log_in(operator.name)
    person.log_in(operator.name)
    network = "198.18.44.0/24"
    made = program.post("/bans", {"whom": network, "minutes": 5, "why": "a test"})
    assert (made.status, made.json["whom"], made.json["by"]) == (200, network, operator.name)
    assert person.post("/bans", {"whom": victim.name, "minutes": "60", "why": "slow down"}).status == 200
    page = person.get("/bans").text
    assert network in page
    assert "slow down" in page
    listed = {ban["whom"]: ban for ban in program.get("/bans").json["bans"]}
    assert listed[victim.name]["kind"] == "account"
    assert code(Caller(app, "198.18.44.9").asks("GET", "/")) == "banned"
    assert code(Caller(app, "198.18.45.9").asks("GET", "/")) == "200"
    shut_out = Program(app)
    shut_out.token = token_of(shop, victim)
    assert shut_out.get("/orders").json["code"] == "banned"
    assert person.post("/bans/lift", {"whom": victim.id}).status == 200
    assert shut_out.get("/orders").status == 200
    assert program.post("/bans/lift", {"whom": network}).status == 200
    assert program.post("/bans/lift", {"whom": network}).json["code"] == "not_banned"
    assert Caller(app, "198.18.44.9").asks("GET", "/").status_code == 200


def test_nobody_else_may_see_or_change_the_list(app: Flask, somebody: People) -> None:
    program = Program(app)
    asks: list[Callable[[], Any]] = [
        lambda: program.get("/bans"),
        lambda: program.post("/bans", {"whom": "192.0.2.1", "minutes": 5, "why": "x"}),
        lambda: program.post("/bans/lift", {"whom": "192.0.2.1"}),
    ]
    assert [ask().status for ask in asks] == [401] * 3
    program.log_in(somebody().name)
    assert [ask().json["code"] for ask in asks] == ["not_an_operator"] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"whom": "no such account", "minutes": 5, "why": "x"},
        {"whom": "192.0.2.1", "minutes": 0, "why": "x"},
        {"whom": "192.0.2.1", "minutes": 10**6, "why": "x"},
        {"whom": "192.0.2.1", "minutes": 5, "why": " "},
        {"whom": "", "minutes": 5, "why": "x"},
    ],
)
def test_a_wrong_ban_changes_nothing(app: Flask, shop: Shop, operator: Account, wrong: dict[str, Any]) -> None:
    program, person = Program(app), Person(app)
    program.log_in(operator.name)
    person.log_in(operator.name)
    length = shop.memory.redis.xlen(keys.BANS)
    assert program.post("/bans", wrong).status in (400, 404)
    assert person.post("/bans", {name: str(value) for name, value in wrong.items()}).status in (400, 404)
    assert shop.memory.redis.xlen(keys.BANS) == length


def test_the_command_line_lists_adds_and_lifts(app: Flask, shop: Shop, somebody: People) -> None:
    run, name = app.test_cli_runner().invoke, somebody(unique("command")).name
    added = run(args=["bans", "add", name, "--minutes", "5", "--why", "too keen"])
    assert added.exit_code == 0, added.output
    listed = run(args=["bans", "list"]).output
    assert name in listed
    assert "too keen" in listed
    assert run(args=["bans", "lift", name]).exit_code == 0
    assert name not in run(args=["bans", "list"]).output
    for wrong in (["lift", name], ["add", "no such account", "--why", "x"], ["add", name]):
        assert run(args=["bans", *wrong]).exit_code in (1, 2)


def test_the_operator_role_comes_and_goes(app: Flask, shop: Shop, somebody: People) -> None:
    run, account = app.test_cli_runner().invoke, somebody()
    assert run(args=["operator", "grant", account.name]).exit_code == 0
    accounts.grant_merchant(shop, account.name)
    found = shop.accounts.get(account.name)
    assert found is not None
    assert (found.operator, found.merchant) == (True, True)
    assert run(args=["operator", "revoke", account.name]).exit_code == 0
    found = shop.accounts.get(account.name)
    assert found is not None
    assert (found.operator, found.merchant) == (False, True)


def test_an_entry_that_is_not_understood_is_left_out() -> None:
    banned = Banned()
    good = Ban("x", ACCOUNT, "X", since=1, until=5)
    assert banned.take([("1-0", {"whom": "?"}), ("2-0", good.facts())]) == "2-0"
    assert banned.of("x", "", now=4) == good
    assert banned.of("x", "", now=5) is None

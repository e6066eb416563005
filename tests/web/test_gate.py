"""The gate says what Flask would say, sooner; and only where it is sure."""

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.errors import UnitsLeft
from storefront.domain.sale import Sale
from storefront.services import accounts, banning, buying, changing, paying, tokens, waiting
from storefront.services.changing import Said
from storefront.shop import Shop
from storefront.stores import keys, snapshots
from storefront.stores.connection import connect
from storefront.web.tally import PART
from tests.conftest import eventually
from tests.faces import FACES, Face, Person, Program

UNLIKE = {"Set-Cookie", "Date", "Idempotent-Replayed", "X-Request-ID"}
"""Headers in which the two may differ: the gate leaves it to the next page to prolong a session, and whoever is asked
second repeats the first one's answer."""


def alike(field: str) -> str:
    """A field without how often its caller may ask still: that becomes less with each request."""
    return re.sub(r"\b(r|t)=\d+", r"\1=…", field)


@pytest.fixture
def plain(app_with: Callable[..., Flask]) -> Flask:
    """The application without its gate."""
    return app_with(gate=False)


@pytest.fixture
def gated(app_with: Callable[..., Flask]) -> Flask:
    """The application with a gate of its own."""
    return app_with(gate=True)


class Sides:
    """The same call on both sides of the gate."""

    def __init__(self, gated: Flask, plain: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gated, self.plain = gated, plain
        self.passed = 0
        gate: Any = gated.wsgi_app
        through = gate._through

        def count(*call: Any) -> Any:
            self.passed += 1
            return through(*call)

        monkeypatch.setattr(gate, "_through", count)

    def know(self, sale: Sale) -> None:
        """Have the gate know how the sale stands."""
        shop = self.gated.extensions["shop"]
        shop.snapshots.outdate()
        eventually(lambda: shop.snapshots.of(sale.product))

    def ask(self, sale: Sale, *, surely: bool, **call: Any) -> TestResponse:
        """The gate's answer, which is Flask's; ``surely`` if Flask wasn't asked."""
        address = call.pop("address", f"/miaosha/{quote(sale.product, safe='')}")
        self.know(sale)
        self.passed = 0
        answers = [app.test_client(use_cookies=False).post(address, **call) for app in (self.gated, self.plain)]
        assert self.passed == (0 if surely else 1)
        one, other = [[(k, alike(v)) for k, v in answer.headers if k not in UNLIKE] for answer in answers]
        assert answers[0].status == answers[1].status
        assert one == other
        assert answers[0].data == answers[1].data
        return answers[0]


@pytest.fixture
def sides(gated: Flask, plain: Flask, monkeypatch: pytest.MonkeyPatch) -> Sides:
    """The same call on both sides of the gate."""
    return Sides(gated, plain, monkeypatch)


@pytest.fixture
def token(shop: Shop, somebody: Callable[..., Account]) -> str:
    """A token of somebody who holds nothing."""
    return accounts.token_for(shop, somebody())


@pytest.fixture(params=["upcoming", "ended", "sold_out", "all_held", "waited_for", "paused", "cancelled"])
def closed(request: pytest.FixtureRequest, shop: Shop, somebody: Callable[..., Account], a_sale: Any) -> Sale:
    """A sale in which nobody can buy, for each reason."""
    window = {"upcoming": {"begins": 600}, "ended": {"begins": -600, "ends": -60}}.get(request.param, {})
    sale: Sale = a_sale(num=1, limit=2, **window)
    if window:
        return sale
    if request.param in ("paused", "cancelled"):
        act = changing.pause if request.param == "paused" else changing.cancel
        return act(shop, None, sale.id, Said("x"))
    order = buying.buy(shop, buyer := somebody(), sale.product).order
    if request.param == "sold_out":
        paying.pay(shop, buyer, order)
    if request.param == "waited_for":
        waiting.join(shop, somebody(), sale.id)
    return sale


def as_json(**fields: Any) -> dict[str, Any]:
    return {"data": json.dumps(fields), "content_type": "application/json"}


def form(app: Flask, account: Account, **fields: str) -> dict[str, Any]:
    """A form that a logged-in person sends."""
    person = Person(app)
    person.log_in(account.name)
    cookie = person.client.get_cookie("shop")
    assert cookie
    return {"data": {"csrf_token": person.csrf(), **fields}, "headers": {"Cookie": f"shop={cookie.value}"}}


@pytest.mark.parametrize("language", ["", "en", "zh-CN,zh;q=0.9,en;q=0.8"])
def test_programs_are_told_the_same(sides: Sides, closed: Sale, token: str, language: str) -> None:
    headers = {"Accept-Language": language} if language else {}
    in_body = sides.ask(closed, surely=True, headers=headers, **as_json(token=token))
    bearer = {"Authorization": f"Bearer {token}"}
    assert sides.ask(closed, surely=True, headers=headers | bearer, **as_json()).data == in_body.data
    assert sides.ask(closed, surely=True, headers=headers | bearer).data == in_body.data
    assert sides.ask(closed, surely=True, headers=headers | bearer, **as_json(token=token)).data == in_body.data
    assert in_body.status_code == 409


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("why", ["too young", "never old enough", "put back", "put back in a draw"])
def test_a_farms_accounts_are_told_the_same(
    gated: Flask, plain: Flask, shop: Shop, crowded: Account, somebody: Callable[..., Account],
    a_sale: Callable[..., Sale], why: str, language: str,
) -> None:  # fmt: skip
    terms = {
        "too young": {"min_account_age": 7200, "ends": 86_400},
        "never old enough": {"min_account_age": 7200, "ends": 3600},
        "put back": {"begins": 0},
        "put back in a draw": {"begins": 0, "draw": 600, "ends": 3600},
    }
    sale = a_sale(num=5, **terms[why])
    account = crowded if "put back" in why else somebody()
    call = as_json(token=accounts.token_for(shop, account)) | {"headers": {"Accept-Language": language}}
    address = f"/miaosha/{quote(sale.product)}"
    eventually(lambda: shop.memory.now_ms() >= sale.terms.begins * 1000)
    gate: Any = gated.wsgi_app
    eventually(lambda: gated.extensions["shop"].snapshots.of(sale.product))
    with pytest.MonkeyPatch.context() as without_flask:
        without_flask.setattr(gate, "_through", None)
        ready = gated.test_client(use_cookies=False).post(address, **call)
    asked = plain.test_client(use_cookies=False).post(address, **call)
    assert ready.status == asked.status == "403 FORBIDDEN"
    unlike = UNLIKE | {"Retry-After", "Content-Length"}
    one, other = [[(k, alike(v)) for k, v in answer.headers if k not in unlike] for answer in (ready, asked)]
    assert one == other
    mine, theirs = [answer.get_json() for answer in (ready, asked)]
    assert (mine["code"], mine["allowed_from"]) == (theirs["code"], theirs["allowed_from"])
    assert 0 <= mine["wait"] - theirs["wait"] <= 1
    assert ready.headers.get("Retry-After") == (None if why == "never old enough" else str(mine["wait"]))
    if mine["wait"] == theirs["wait"]:
        assert mine == theirs


def test_who_is_too_new_is_told_what_is_asked_for_first(
    sides: Sides, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    call = as_json(token=accounts.token_for(shop, somebody()))
    assert (
        sides.ask(a_sale(min_account_age=7200, proof="on"), surely=False, **call).get_json()["code"] == "proof_required"
    )
    early = sides.ask(a_sale(min_account_age=7200, begins=600), surely=True, **call)
    assert early.get_json()["code"] == "not_started"


def test_people_are_led_to_the_sales_page_which_says_why(
    sides: Sides, closed: Sale, somebody: Callable[..., Account]
) -> None:
    answer = sides.ask(closed, surely=True, **form(sides.plain, somebody()))
    assert answer.status_code == 303
    page = sides.gated.test_client().get(answer.headers["Location"], headers={"Accept": "text/html"}).text
    assert 'role="alert"' in page


def test_what_is_not_sure_goes_through(
    sides: Sides, shop: Shop, closed: Sale, token: str, somebody: Callable[..., Account]
) -> None:
    late = somebody()
    for call in (
        as_json(),
        as_json(token=""),
        as_json(token=7),
        as_json(token="nonsense") | {"headers": {"Idempotency-Key": "key"}},
        as_json(token=token, more=1),
        as_json(token=token) | {"headers": {"Authorization": "Bearer other"}},
        as_json(token=token) | {"headers": {"Cookie": "language=zh"}},
        as_json(token="") | {"headers": {"Authorization": f"Bearer {token}"}},
        as_json(token=[]) | {"headers": {"Authorization": f"Bearer {token}"}},
        as_json(token=token) | {"headers": {"Accept-Language": "en," * 1000}},
        {"data": json.dumps({"token": token}) + " " * 3000, "content_type": "application/json"},
        {"data": f'{{"token": "{token}", "token": "{token}"}}', "content_type": "application/json"},
        {"data": "[", "content_type": "application/json"},
        {"data": "", "content_type": "application/json"},
        {"data": token, "content_type": "text/plain"},
        {"data": {"csrf_token": "none"}},
        as_json(token=token) | {"headers": {"Idempotency-Key": "k" * 256}},
    ):
        assert sides.ask(closed, surely=False, **call).status_code in {303, 400, 401, 409, 415}
    accounts.delete(shop, late.name)
    sides.gated.extensions["shop"].snapshots.outdate()
    gone = accounts.token_for(shop, late)
    assert sides.ask(closed, surely=False, **as_json(token=gone)).status_code == 401
    sent = form(sides.plain, somebody())
    sent["data"]["csrf_token"] += "x"
    sides.ask(closed, surely=False, **sent)
    sent = form(sides.plain, somebody(), surprise="1")
    sides.ask(closed, surely=False, **sent)


@pytest.fixture(params=["nonsense", "foreign", "expired", "expires"])
def worthless(request: pytest.FixtureRequest, config: Config, somebody: Callable[..., Account]) -> str:
    """A token that is good for nothing, or soon will be."""
    if request.param == "nonsense":
        return "nonsense"
    signs = "another secret of thirty-two letters" if request.param == "foreign" else config.secret
    return tokens.issue(somebody(), signs, {"expired": -1, "expires": 2}.get(request.param, 60))


def test_who_shows_a_worthless_token_is_told_so(
    sides: Sides, closed: Sale, a_sale: Callable[..., Sale], worthless: str
) -> None:
    bearer = {"headers": {"Authorization": f"Bearer {worthless}"}}
    here = {"environ_base": {"REMOTE_ADDR": "192.0.2.77"}}
    client, address = sides.gated.test_client(use_cookies=False), f"/miaosha/{quote(closed.product, safe='')}"
    eventually(lambda: client.post(address, **here, **bearer).status_code == 401)
    for sale in (closed, a_sale()):
        for call in (bearer, bearer | as_json(), as_json(token=worthless), as_json(token=worthless, proof="none")):
            for _ in range(2):
                assert sides.ask(sale, surely=True, **here, **call).get_json()["code"] == "invalid_token"


def test_who_shows_worthless_tokens_is_limited_by_address_and_kept_out_while_it_is_banned(
    app_with: Callable[..., Flask], shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    app, sale = app_with(limit_buy_address="3/day"), a_sale()
    client = app.test_client(use_cookies=False)
    eventually(lambda: app.extensions["shop"].snapshots.of(sale.product))

    def ask(number: int, address: str) -> TestResponse:
        here = {"REMOTE_ADDR": address}
        return client.post(f"/miaosha/{quote(sale.product)}", environ_base=here, **as_json(token=f"nonsense {number}"))

    answers = [ask(number, "192.0.2.78") for number in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert int(answers[-1].headers["Retry-After"]) > 86_000
    banning.ban(shop, "192.0.2.79", 5, "a test", "")
    eventually(lambda: ask(0, "192.0.2.79").get_json()["code"] == "banned")


def test_whoever_holds_an_order_or_repeats_a_purchase_is_never_told_sold_out(
    sides: Sides,
    shop: Shop,
    a_sale: Callable[..., Sale],
    somebody: Callable[..., Account],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale, buyer, other = a_sale(num=2), somebody(), somebody()
    order = buying.buy(shop, buyer, sale.product, "my key").order
    gone = buying.buy(shop, other, sale.product, "my key").order
    eventually(lambda: (found := shop.orders.get(order)) and found.state == "pending")
    paying.cancel(shop, other, gone)
    buying.buy(shop, somebody(), sale.product)
    for most in (snapshots.MOST_BUYERS, 1):  # read at once, and of a large sale bit by bit
        monkeypatch.setattr(snapshots, "MOST_BUYERS", most)
        sides.gated.extensions["shop"].snapshots._products.clear()
        mine = as_json(token=accounts.token_for(shop, buyer))
        assert sides.ask(sale, surely=False, **mine).json["code"] == "limit_reached"  # type: ignore[index]
        theirs = as_json(token=accounts.token_for(shop, other))
        assert sides.ask(sale, surely=True, **theirs).json["code"] == "all_held"  # type: ignore[index]
        again = theirs | {"headers": {"Idempotency-Key": "my key"}}
        assert sides.ask(sale, surely=False, **again).json["order"] == gone  # type: ignore[index]
        fresh = theirs | {"headers": {"Idempotency-Key": "another"}}
        assert sides.ask(sale, surely=True, **fresh).status_code == 409


def test_the_shoppers_of_a_large_sale_are_known_bit_by_bit(
    gated: Flask, shop: Shop, a_sale: Callable[..., Sale], somebody: Callable[..., Account]
) -> None:
    sale, known = a_sale(num=1), gated.extensions["shop"].snapshots
    buying.buy(shop, buyer := somebody(), sale.product)
    eventually(lambda: (order := shop.orders.of_buyer(sale.id, buyer.id)) and order[0].state == "pending")
    many: dict[Any, Any] = {f"shopper {number}": "an order" for number in range(snapshots.MOST_BUYERS * 2)}
    key = keys.buyers(sale.id)
    try:
        shop.memory.redis.hset(key, mapping=many)
        buyers = eventually(lambda: (found := known.of(sale.product)) and found.buyers)
        assert isinstance(buyers, snapshots._Scan)
        assert all(shopper in buyers for shopper in [*many, buyer.id])
        assert not any(f"nobody {number}" in buyers for number in range(1000))
        shop.memory.redis.hdel(key, *many)
        shop.memory.redis.hincrby(keys.sale(sale.id), "position", 1)  # a record was applied: nobody can have got a unit
        eventually(lambda: (found := known.of(sale.product)) and found.mark and found.buyers is buyers)
        shop.memory.redis.hincrby(keys.sale(sale.id), "takes", 1)  # somebody got one: all is read anew
        eventually(lambda: (found := known.of(sale.product)) and found.buyers == {buyer.id})
    finally:
        shop.memory.redis.hdel(key, *many)
        shop.memory.redis.hincrby(keys.sale(sale.id), "position", -1)


def test_a_unit_that_came_back_is_sold_after_a_snapshots_age(
    gated: Flask, shop: Shop, a_sale: Callable[..., Sale], somebody: Callable[..., Account], token: str
) -> None:
    sale, buyer, program = a_sale(num=1), somebody(), Program(gated)
    program.token = token
    order = buying.buy(shop, buyer, sale.product).order
    eventually(lambda: program.buy(sale.product).status == 409 and gated.extensions["shop"].snapshots.of(sale.product))
    paying.cancel(shop, buyer, order)  # in another process than the gate's
    came_back = time.monotonic()
    while True:
        asked = time.monotonic()
        if program.buy(sale.product).status == 200:
            break
        assert asked < came_back + snapshots.FRESH


def test_a_cancelled_order_through_the_same_process_counts_at_once(
    gated: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account], token: str
) -> None:
    sale, holder, other = a_sale(num=1), Program(gated), Program(gated)
    holder.log_in(somebody().name)
    other.token = token
    order = holder.buy(sale.product).order
    eventually(lambda: other.buy(sale.product).status == 409 and gated.extensions["shop"].snapshots.of(sale.product))
    assert holder.post(f"/orders/{order}/cancel").status == 200
    assert other.buy(sale.product).status == 200


def test_a_sale_opens_at_its_second_through_the_gate(
    gated: Flask, shop: Shop, a_sale: Callable[..., Sale], token: str
) -> None:
    sale, program = a_sale(num=1, begins=2), Program(gated)
    program.token = token
    opens = sale.terms.begins * 1000
    while True:
        before = shop.memory.now_ms()
        answer = program.buy(sale.product)
        after = shop.memory.now_ms()
        if answer.status == 200:
            break
        assert answer.json["code"] == "not_started"
        assert before < opens
    assert after >= opens


def test_who_floods_the_gate_is_limited_as_in_flask(
    app_with: Callable[..., Flask], a_sale: Callable[..., Sale], somebody: Callable[..., Account], shop: Shop
) -> None:
    limits = {"limit_buy_account": "20/minute", "limit_buy_address": "100000/second"}
    sale = a_sale(begins=600)
    token = accounts.token_for(shop, somebody())
    gates = [app_with(**limits) for _ in range(2)]
    programs = [Program(app) for app in gates]
    told: list[int] = []

    def press() -> bool:
        for program in programs:
            program.token = token
            told.append(program.buy(sale.product).status)
        return told[-2:] == [429, 429]

    eventually(press)
    assert told.count(409) >= 20 - 2 * 20 // PART
    assert set(told) == {409, 429}
    plain = app_with(**limits, gate=False).test_client()
    answers = [app.test_client().post(f"/miaosha/{quote(sale.product)}", **as_json(token=token)) for app in gates]
    answers.append(plain.post(f"/miaosha/{quote(sale.product)}", **as_json(token=token)))
    assert [answer.status_code for answer in answers] == [429] * 3
    waits = [int(answer.headers["Retry-After"]) for answer in answers]
    assert max(waits) - min(waits) <= 1
    assert len({answer.data for answer in answers}) == 1


def test_what_is_remembered_has_a_bound_however_long_the_requests(
    gated: Flask, a_sale: Callable[..., Sale], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate: Any = gated.wsgi_app
    sale, client = a_sale(begins=600), gated.test_client(use_cookies=False)
    monkeypatch.setattr("storefront.services.tokens.REMEMBERED", 5)
    eventually(lambda: gated.extensions["shop"].snapshots.of(sale.product))
    for spaces in range(20):
        body = json.dumps({"token": token}) + " " * spaces
        answer = client.post(f"/miaosha/{quote(sale.product)}", data=body, content_type="application/json")
        assert answer.status_code == 409
    assert len(gate._claims) <= 5
    assert {len(known_by) for known_by in gate._claims} == {16}


@pytest.mark.parametrize(("amount", "beyond"), [(4, 0), (10, 2 * (10 // PART))])
def test_purchases_count_for_all_processes(
    app_with: Callable[..., Flask],
    a_sale: Callable[..., Sale],
    somebody: Callable[..., Account],
    shop: Shop,
    amount: int,
    beyond: int,
) -> None:
    limits = {"limit_buy_account": f"{amount}/day", "limit_buy_address": "100000/second"}
    programs = [Program(app_with(**limits)) for _ in range(3)]
    sale, token = a_sale(num=50, limit=50), accounts.token_for(shop, somebody())
    told = []
    for number in range(amount + beyond + 12):
        program = programs[number % 3]
        program.token = token
        told.append(program.buy(sale.product).status)
    assert told[:amount] == [200] * amount
    assert told.count(200) <= amount + beyond
    assert told[-3:] == [429] * 3


@pytest.mark.parametrize("kind", FACES)
def test_a_shoppers_first_purchase_needs_no_round_trip_to_the_limits(
    config: Config, app_with: Callable[..., Flask], a_sale: Callable[..., Sale], somebody: Callable[..., Account],
    kind: type[Face],
) -> None:  # fmt: skip
    app = app_with(limit_buy_account="5/day", limit_buy_address="50/day")
    sale, shopper, earlier, face = a_sale(num=5, limit=5), somebody(), kind(app), kind(app)
    earlier.log_in(somebody().name)
    assert all(earlier.buy(sale.product).order for _ in range(2))  # Redis may not have known the script
    face.log_in(shopper.name)
    with connect(config.limiter_url, decode_responses=True) as counts, counts.monitor() as monitor:
        assert all(face.buy(sale.product).order for _ in range(2))
        counts.echo("that was all")
        seen = []
        while (said := monitor.next_command()["command"]) != "ECHO that was all":
            seen.append(said)
    (asked,) = [said for said in seen if said.startswith("EVALSHA") and shopper.id in said and "LIMITER" in said]
    assert f"LIMITER/{shopper.id}" in asked


def test_a_form_that_is_refused_anyway_counts_once(
    app_with: Callable[..., Flask], a_sale: Callable[..., Sale], somebody: Callable[..., Account], shop: Shop
) -> None:
    app, account = app_with(limit_buy_account="5/day", limit_buy_address="100000/second", gate=True), somebody()
    sale, refused = a_sale(begins=600), list[str]()
    call = form(app, account)
    eventually(lambda: app.extensions["shop"].snapshots.of(sale.product))
    with pytest.MonkeyPatch.context() as noted:
        noted.setattr(app.extensions["tally"], "_refusing", lambda *told: refused.append(told[1]))
        address = f"/miaosha/{quote(sale.product)}"
        answers = [app.test_client(use_cookies=False).post(address, **call) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [303] * 9
    assert [*re.findall(r'"account-86400s";r=(\d)', " ".join(one.headers["RateLimit"] for one in answers))] == [
        "4", "3", "2", "1", "0", "0", "0", "0", "0"
    ]  # fmt: skip
    assert refused == [account.id] * 4


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("kind", FACES)
def test_whoever_buys_too_often_is_told_when_to_come_back(
    app_with: Callable[..., Flask], a_sale: Callable[..., Sale], somebody: Callable[..., Account], kind: type[Face],
    gate: bool,
) -> None:  # fmt: skip
    app = app_with(limit_buy_account="2/day", limit_buy_address="100000/second", gate=gate)
    face, sale = kind(app), a_sale(num=9, limit=9)
    face.log_in(somebody().name)
    assert all(face.buy(sale.product).order for _ in range(2))
    body = {"json": {"token": face.token}} if isinstance(face, Program) else {"data": {"csrf_token": face.csrf()}}
    refused = face.client.post(f"/miaosha/{quote(sale.product)}", **body)
    assert refused.status_code == (429 if isinstance(face, Program) else 303)
    assert "account-86400s" in refused.headers["RateLimit-Policy"]
    assert re.search(r'"account-86400s";r=0;t=86\d{3}', refused.headers["RateLimit"])
    if isinstance(face, Program):
        assert 86_000 < int(refused.headers["Retry-After"]) <= 86_400


def test_a_gate_without_redis_leaves_it_to_flask(
    app_with: Callable[..., Flask], a_sale: Callable[..., Sale], token: str
) -> None:
    away = Program(app_with(redis_url="redis://127.0.0.1:9/0"))
    away.token = token
    assert away.buy(a_sale(begins=600).product).status == 503


def test_a_closed_sale_is_left_to_flask(gated: Flask, shop: Shop, a_sale: Callable[..., Sale], token: str) -> None:
    sale, program = a_sale(begins=600), Program(gated)
    program.token = token
    eventually(lambda: program.buy(sale.product).status == 409 and gated.extensions["shop"].snapshots.of(sale.product))
    shop.memory.redis.hset(keys.sale(sale.id), "signed", "an epoch that is over")
    eventually(lambda: program.buy(sale.product).json["code"] == "recovering")


def test_units_that_came_back_meanwhile_are_told_of(gated: Flask, a_sale: Callable[..., Sale]) -> None:
    page = Person(gated).get(f"/miaosha/{quote(a_sale().product)}?refused=1")
    assert page.says(UnitsLeft)

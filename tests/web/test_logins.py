"""Sessions and tokens end when they are told to, wherever they are remembered, and outlive a change of the secret."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from storefront.config import BadConfig, Config, from_environment
from storefront.domain.account import Account
from storefront.domain.errors import FormExpired
from storefront.domain.sale import Sale
from storefront.services import accounts, proving
from storefront.shop import Shop
from storefront.stores import snapshots
from storefront.web import sessions
from tests.conftest import eventually
from tests.faces import Face, Person, Program
from tests.web.test_proving import solved

OLD, NEW = "an old secret of thirty-two letters or more", "a newer one, which is as long as the other"


def is_in(face: Face) -> bool:
    """Whether this caller is known, without being sent to log in."""
    if isinstance(face, Program):
        return face.get("/account").status == 200
    return face.client.get("/account", headers=face.headers).status_code == 200


def stolen(app: Flask, face: Face) -> Face:
    """Another caller with a copy of the token, or of the session."""
    thief = type(face)(app)
    if isinstance(face, Program):
        thief.token = face.token  # type: ignore[union-attr]
    else:
        cookie = face.client.get_cookie("shop")
        assert cookie
        thief.client.set_cookie("shop", cookie.value)
    return thief


def test_logging_out_ends_the_copies_too_and_nothing_else(
    face: Face, app: Flask, somebody: Callable[..., Account]
) -> None:
    name, other = somebody().name, type(face)(app)
    for one in (face, other):
        one.log_in(name)
    thief = stolen(app, face)
    assert is_in(thief)
    assert face.post("/logout").status == 200
    assert not is_in(thief)
    assert is_in(other)
    assert face.post("/logout").status == (401 if isinstance(face, Program) else 200)


def test_logging_out_everywhere_ends_every_session_and_token_of_the_account(
    face: Face, app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    name, bystander = somebody().name, Program(app)
    bystander.log_in(somebody().name)
    others: list[Face] = [Program(app), Person(app)]
    for one in (face, *others):
        one.log_in(name)
    assert all(map(is_in, others))
    told = face.post("/logout", {"everywhere": True if isinstance(face, Program) else "1"})
    assert told.status == 200
    assert not any(map(is_in, (face, *others)))
    assert is_in(bystander)
    assert others[0].buy(a_sale().product).status == 401
    for one in (face, *others):
        one.log_in(name)
    assert all(map(is_in, (face, *others)))


def test_the_gate_forgets_a_token_within_a_snapshots_age_and_no_unit_is_sold_by_it_before(
    app_with: Callable[..., Flask],
    app: Flask,
    shop: Shop,
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:
    over, live, account = a_sale(begins=-600, ends=-60), a_sale(num=5, limit=5), somebody()
    gated = app_with(gate=True)
    program, another, known = Program(gated), Program(gated), gated.extensions["shop"].snapshots
    program.log_in(account.name)
    another.log_in(account.name)
    for one in (program, another):
        eventually(lambda one=one: one.buy(over.product).json["code"] == "ended" and known.of(over.product))  # type: ignore[misc]
    assert program.buy(live.product).status == 200
    through: Any = gated.wsgi_app
    assert len(through._claims) >= 2
    elsewhere = Program(app)  # another process than the gate's
    elsewhere.token = program.token
    assert elsewhere.post("/logout").status == 200
    assert program.buy(live.product).status == 401  # in the same moment: the account is asked
    eventually(lambda: program.buy(over.product).status == 401, timeout=10 * snapshots.FRESH)
    assert another.buy(over.product).status == 409
    accounts.log_out_everywhere(shop, account.name)
    eventually(lambda: another.buy(over.product).status == 401, timeout=10 * snapshots.FRESH)
    fresh = Program(gated)
    fresh.log_in(account.name)
    assert fresh.buy(over.product).json["code"] == "ended"


def test_too_many_to_remember_end_all(
    app: Flask, shop: Shop, somebody: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MOST_ENDED", 2)
    programs, name = [Program(app) for _ in range(4)], somebody().name
    for program in programs:
        program.log_in(name)
    for program in programs[:2]:
        assert program.post("/logout").status == 200
    assert is_in(programs[3])
    assert programs[2].post("/logout").status == 200
    assert not any(map(is_in, programs))
    assert (found := shop.accounts.get(name))
    assert (bool(found.era), found.ended) == (True, ())


def test_a_session_from_before_there_were_ids_counts_until_all_are_ended(
    app: Flask, shop: Shop, somebody: Callable[..., Account]
) -> None:
    person, name = Person(app), somebody().name
    person.log_in(name)
    with person.client.session_transaction() as session:
        session.pop("login")
    thief = stolen(app, person)
    person.post("/logout")
    assert is_in(thief)
    accounts.log_out_everywhere(shop, name)
    assert not is_in(thief)


def test_a_session_lives_on_by_being_used(
    app: Flask, somebody: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person(app)
    person.log_in(somebody().name)
    assert "Set-Cookie" not in person.client.get("/").headers  # it was signed a moment ago
    monkeypatch.setattr(sessions, "SIGNED_ANEW", 0)
    answer = person.client.get("/")
    assert "Max-Age" in answer.headers["Set-Cookie"] or "Expires" in answer.headers["Set-Cookie"]
    assert is_in(person)


def test_what_is_remembered_of_sessions_is_short(app: Flask, somebody: Callable[..., Account]) -> None:
    person = Person(app)
    person.log_in(somebody().name)
    known = app.session_interface._known  # type: ignore[attr-defined]
    assert is_in(person)
    (remembered,) = [one for one in known if one == person.client.get_cookie("shop").value]  # type: ignore[union-attr]
    known.clear()
    for much in range(sessions.LONGEST, sessions.LONGEST + 4):  # a signature may be followed by what isn't read
        person.client.set_cookie("shop", remembered + "!" * much)
        person.client.get("/account", headers=person.headers)
    assert not known


def test_a_sentence_is_left_once_however_often_it_is_said(app: Flask, somebody: Callable[..., Account]) -> None:
    person = Person(app)
    person.log_in(somebody().name)
    for _ in range(3):
        answer = person.client.post("/miaosha/x", data={"csrf_token": "wrong"}, headers=person.headers)
        assert answer.status_code == 303
    assert person.get("/").text.count(FormExpired.sentence) == 1


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("end", ["logged out", "deleted"])
def test_a_session_that_is_over_shows_nothing_and_takes_no_unit(
    app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], end: str,
    gate: bool,
) -> None:  # fmt: skip
    app, account, sale = app_with(gate=gate), somebody(), a_sale(num=5, limit=5)
    person, address = Person(app), f"/miaosha/{quote(sale.product)}"
    person.log_in(account.name)
    csrf = person.csrf()
    assert person.buy(sale.product).order
    assert account.name in person.get(address).text
    if end == "deleted":
        accounts.delete(shop, account.name)
    else:
        accounts.log_out_everywhere(shop, account.name)
    assert account.name not in person.get(address).text
    pressed = person.client.post(address, data={"csrf_token": csrf}, headers=person.headers)
    assert "/login" in pressed.headers.get("Location", "")
    eventually(lambda: (found := shop.sales.get(sale.id)) and found.units.left + found.units.reserved == 4)
    assert (found := shop.sales.get(sale.id))
    assert found.units.unpaid == 1


def test_a_session_from_before_it_told_the_accounts_age_counts(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    person, name, sale = Person(app), somebody().name, a_sale()
    person.log_in(name)
    with person.client.session_transaction() as session:
        session.pop("since")
    assert name in person.get(f"/miaosha/{quote(sale.product)}").text
    assert person.buy(sale.product).order


def test_a_session_that_was_planted_is_not_the_one_that_logs_in(app: Flask, somebody: Callable[..., Account]) -> None:
    victim, attacker = Person(app), Person(app)
    planted = attacker.csrf()
    cookie = attacker.client.get_cookie("shop")
    assert cookie
    victim.client.set_cookie("shop", cookie.value)
    victim.log_in(somebody().name)
    renewed = victim.client.get_cookie("shop")
    assert renewed
    assert renewed.value != cookie.value
    assert not is_in(attacker)
    answer = victim.client.post("/logout", data={"csrf_token": planted}, headers=victim.headers)
    assert answer.status_code == 400  # the token that the attacker knows is of the session before
    assert is_in(victim)


def test_a_new_secret_takes_over_from_the_one_before_and_nobody_notices(
    app_with: Callable[..., Flask],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proving, "SHORTEST_WAIT", 0)
    hard, easy, name = a_sale(num=9, limit=9, proof="on"), a_sale(num=9, limit=9), somebody().name
    before = app_with(secret=OLD, proof_cost=1)
    program, person = Program(before), Person(before)
    for one in (program, person):
        one.log_in(name)
    form, cookie = person.csrf(), person.client.get_cookie("shop")
    assert cookie
    ticket = program.post(f"/sales/{hard.id}/ticket").json["proof"]
    work = solved(program.get(f"/sales/{hard.id}/proof").json)
    during, after = app_with(secret=NEW, secret_before=OLD), app_with(secret=NEW)
    for app, holds in ((after, False), (during, True)):
        known, browser, fresh = Program(app), Person(app), Program(app)
        known.token = program.token
        assert (known.buy(easy.product).status == 200) is holds
        browser.client.set_cookie("shop", cookie.value)
        path, data = f"/miaosha/{quote(easy.product)}", {"csrf_token": form}
        answer = browser.client.post(path, data=data, headers=browser.headers)
        assert ("/orders/" in answer.headers["Location"]) is holds
        fresh.log_in(name)
        assert is_in(fresh)
        assert not is_in_at(before, fresh)
        assert fresh.buy(hard.product, proof=work).json.get("code") == (None if holds else "proof_invalid")
        if holds:
            eventually(lambda known=known: known.buy(hard.product, proof=ticket).status == 200)  # type: ignore[misc]


def is_in_at(app: Flask, program: Program) -> bool:
    there = Program(app)
    there.token = program.token
    return is_in(there)


def test_the_secret_before_is_held_to_the_same_standard(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "KAFKA", "PICTURES"):
        monkeypatch.setenv(f"STOREFRONT_{name}", getattr(config, name.lower()))
    monkeypatch.setenv("STOREFRONT_SECRET", NEW)
    assert from_environment().secrets == (NEW,)
    monkeypatch.setenv("STOREFRONT_SECRET_BEFORE", OLD)
    assert from_environment().secrets == (NEW, OLD)
    monkeypatch.setenv("STOREFRONT_SECRET_BEFORE", "short")
    with pytest.raises(BadConfig, match="STOREFRONT_SECRET_BEFORE"):
        from_environment()

"""Proof of work before buying, joining a waitlist and registering, in both faces."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import altcha
import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.errors import AllHeld, LimitReached, NameTaken, NotStarted, ProofInvalid, ProofRequired
from storefront.domain.ids import new_order_id
from storefront.domain.sale import Sale
from storefront.services import proving
from storefront.shop import Shop
from tests.conftest import eventually, unique
from tests.faces import FACES, Face, Person, Program


@pytest.fixture
def app(app_with: Callable[..., Flask]) -> Flask:
    """The application with work that costs a test next to nothing."""
    return app_with(proof_cost=3)


@pytest.fixture(params=FACES, ids=lambda face: face.__name__.lower())
def shopper(request: pytest.FixtureRequest, app: Flask, somebody: Callable[..., Account]) -> Face:
    """A logged-in caller of each face in turn."""
    made: Face = request.param(app)
    made.log_in(somebody().name)
    return made


def solved(challenge: dict[str, Any]) -> str:
    """What a program sends that has done the work: as anybody would do it, with ALTCHA's own library."""
    asked = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(asked)
    assert solution
    return altcha.Payload(asked, solution).to_base64()


def work(shopper: Face, sale: Sale) -> str:
    """The work of this shopper for this sale, done."""
    return solved(json.loads(shopper.get(f"/sales/{sale.id}/proof").text))


def changed(proof: str, **parameters: object) -> str:
    """A proof whose challenge says something else."""
    payload = json.loads(base64.b64decode(proof))
    payload["challenge"]["parameters"] |= parameters
    return base64.b64encode(json.dumps(payload).encode()).decode()


def purpose_of(proof: str) -> str:
    """What a proof is for."""
    purpose: str = json.loads(base64.b64decode(proof))["challenge"]["parameters"]["data"]["for"]
    return purpose


def test_without_a_proof_nobody_buys_and_is_told_where_to_get_one(shopper: Face, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(proof="on")
    refused = shopper.buy(sale.product)
    assert refused.says(ProofRequired)
    if isinstance(shopper, Person):
        assert f'challenge="/sales/{sale.id}/proof"' in refused.text
    else:
        assert (refused.status, refused.json["challenge"]) == (403, f"http://localhost/sales/{sale.id}/proof")


def test_a_proof_buys_one_unit_once(shopper: Face, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(num=2, limit=2, proof="on")
    proof = work(shopper, sale)
    assert shopper.buy(sale.product, proof=proof).order
    again = shopper.buy(sale.product, proof=proof)
    assert again.says(ProofInvalid)
    assert again.first == (303 if isinstance(shopper, Person) else 403)
    assert shopper.buy(sale.product, proof=work(shopper, sale)).order


def test_a_proof_enters_a_draw_once(shop: Shop, shopper: Face, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(draw=600, proof="on")
    assert shopper.buy(sale.product).says(ProofRequired)
    proof = work(shopper, sale)
    assert shopper.buy(sale.product, proof=proof).status in (200, 202)
    assert len(eventually(lambda: shop.waitlist.all(sale.id))) == 1
    assert shopper.buy(sale.product, proof=proof).status in (200, 202)  # who is in it needs no other to hear it again
    shopper.post(f"/sales/{sale.id}/waitlist/leave")
    assert shopper.buy(sale.product, proof=proof).says(ProofInvalid)
    assert shop.waitlist.all(sale.id) == []


@pytest.mark.parametrize("kind", ["solution", "ticket"])
def test_what_is_made_before_the_start_buys_once_after_it_and_never_sooner(
    shopper: Face, shop: Shop, a_sale: Callable[..., Sale], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = a_sale(num=9, limit=9, proof="on", begins=5)
    monkeypatch.setattr(proving, "wait", lambda _: 0)
    proof = work(shopper, sale) if kind == "solution" else take_ticket(shopper, sale)
    for early in (proof, "", "nonsense"):
        assert shopper.buy(sale.product, proof=early).says(NotStarted)
    assert eventually(lambda: shop.refusals.of(sale.id).get("not_started", 0) == 3)
    eventually(lambda: shop.memory.now_ms() >= sale.terms.begins * 1000)
    assert shopper.buy(sale.product, proof=proof).order
    assert shopper.buy(sale.product, proof=proof).says(ProofInvalid)


def test_what_is_made_shortly_before_the_start_outlasts_it_and_what_is_made_long_before_does_not(
    shopper: Face, app: Flask, a_sale: Callable[..., Sale]
) -> None:
    soon, late = (a_sale(proof="on", begins=begins) for begins in (proving.AHEAD - 60, proving.AHEAD + 600))
    for sale, is_soon in ((soon, True), (late, False)):
        asked = json.loads(shopper.get(f"/sales/{sale.id}/proof").text)["parameters"]
        assert (asked["expiresAt"] == sale.terms.begins + proving.LIFETIME) == is_soon
        take_ticket(shopper, sale)
        found = proving.open_ticket(app.extensions["shop"], asked["data"]["for"])
        assert found
        assert (found.good_until == sale.terms.begins + proving.LIFETIME) == is_soon
        page = shopper.get(f"/miaosha/{sale.product}").text
        if isinstance(shopper, Person):
            assert ('<altcha-widget name="proof" challenge' in page, "data-starts" in page) == (True, not is_soon)


def test_whoever_comes_too_early_is_told_so_without_a_gate_too(
    app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    program, sale = Program(app_with(gate=False, proof_cost=3)), a_sale(proof="on", begins=60)
    program.log_in(somebody().name)
    for proof in ("", "nonsense", work(program, sale)):
        assert program.buy(sale.product, proof=proof).says(NotStarted)


def test_a_proof_is_good_for_its_sale_and_account_alone(
    shopper: Face, app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, other, somebody_else = a_sale(proof="on"), a_sale(proof="on"), Program(app)
    somebody_else.log_in(somebody().name)
    assert shopper.buy(sale.product, proof=work(shopper, other)).says(ProofInvalid)
    assert shopper.buy(sale.product, proof=work(somebody_else, sale)).says(ProofInvalid)
    assert shopper.buy(sale.product, proof=work(shopper, sale)).order


def test_what_is_no_genuine_proof_is_refused(shopper: Face, app: Flask, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(proof="on")
    proof = work(shopper, sale)
    short = proving.challenge(app.extensions["shop"], purpose_of(proof), lifetime=1)
    expired = solved(short)
    later = changed(proof, expiresAt=int(time.time()) + 9999)
    unsolved = json.loads(base64.b64decode(proof))
    unsolved["solution"]["derivedKey"] = "00" * 32
    nested = base64.b64encode(b"[" * 900).decode()
    for wrong in (
        "nonsense", later, changed(proof, data={}), base64.b64encode(json.dumps(unsolved).encode()).decode(), nested,
        "e30=", "a.b.c", "9" * 5000,
    ):  # fmt: skip
        assert shopper.buy(sale.product, proof=wrong).says(ProofInvalid), wrong
    eventually(lambda: time.time() > short["parameters"]["expiresAt"])
    assert shopper.buy(sale.product, proof=expired).says(ProofInvalid)
    assert shopper.buy(sale.product, proof=proof).order


def test_of_twenty_who_use_one_proof_at_once_one_buys(
    app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, account, program = a_sale(num=20, limit=20, proof="on"), somebody(), Program(app)
    program.log_in(account.name)
    proof = work(program, sale)
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda _: program.buy(sale.product, proof=proof), range(20)))
    assert sorted(one.json.get("code", "bought") for one in told) == ["bought", *["proof_invalid"] * 19]
    assert len(shop.orders.held(sale.id, account.id)) == 1


def test_who_gets_nothing_keeps_the_proof(
    shopper: Face, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, proof = all_held(shop, a_sale(proof="on"), somebody()), ""
    proof = work(shopper, sale)
    assert shopper.buy(sale.product, proof=proof).says(AllHeld)
    assert shopper.post(f"/sales/{sale.id}/waitlist").says(ProofRequired)
    shopper.post(f"/sales/{sale.id}/waitlist", {"proof": proof})
    assert len(shop.waitlist.all(sale.id)) == 1


def all_held(shop: Shop, sale: Sale, rival: Account) -> Sale:
    """The sale, with a reservation for each of its units."""
    for _ in range(sale.terms.num):
        order = new_order_id(sale.id)
        shop.orders.reserve(sale.id, order, rival.id, rival.name, doubt_ms=600_000, pay_ms=600_000)
    return sale


def test_who_repeats_a_purchase_or_holds_all_they_may_needs_no_other_proof(
    shopper: Face, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(num=5, limit=2, proof="on")
    proof = work(shopper, sale)
    bought = shopper.buy(sale.product, key="once", proof=proof).order
    assert bought
    assert shopper.buy(sale.product, key="once", proof=proof).order == bought
    assert shopper.buy(sale.product, key="another", proof=proof).says(ProofInvalid)
    assert shopper.buy(sale.product, proof=work(shopper, sale)).order
    assert shopper.buy(sale.product, proof=proof).says(LimitReached)


def test_a_products_next_sale_judges_by_its_own_terms(
    shopper: Face, app: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account], shop: Shop
) -> None:
    first = a_sale(proof="on", begins=-60, ends=1)
    assert not shopper.buy(first.product).order  # whyever; the shop knows this sale from here on
    eventually(lambda: shop.memory.now_ms() / 1000 >= first.terms.ends)
    second = a_sale(product=first.product, proof="on")
    assert shopper.buy(first.product, proof=work(shopper, second)).order


def test_only_who_asks_unusually_often_is_suspected(
    app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    app = app_with(proof_cost=3, limit_buy_account="4/minute", limit_buy_address="1000/minute")
    callers: list[Face] = [Program(app), Person(app)]
    for shopper in callers:
        sale = a_sale(num=9, limit=9, proof="suspicion")
        shopper.log_in(somebody().name)
        assert shopper.buy(sale.product).order
        refused = shopper.buy(sale.product)
        assert refused.says(ProofRequired)
        if isinstance(shopper, Person):
            assert "<altcha-widget" in refused.text
        assert shopper.buy(sale.product, proof=work(shopper, sale)).order


def test_a_proof_saves_nobody_from_the_limits(
    app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    program = Program(app_with(proof_cost=3, limit_buy_account="2/minute"))
    program.log_in(somebody().name)
    sale = a_sale(num=9, limit=9, proof="on")
    told = [program.buy(sale.product, proof=work(program, sale)) for _ in range(3)]
    assert [one.status for one in told] == [200, 200, 429]


def test_a_proof_that_is_no_text_is_said_to_be_none(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    program = Program(app)
    program.log_in(somebody().name)
    wrongs: list[object] = [5, True, [], {}]
    for wrong in wrongs:
        refused = program.post(f"/miaosha/{a_sale(proof='on').product}", {"proof": wrong})
        assert (refused.status, list(refused.json["fields"])) == (400, ["proof"])


def test_without_a_gate_everybody_is_suspected(
    app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    shopper = Program(app_with(gate=False))
    shopper.log_in(somebody().name)
    assert shopper.buy(a_sale(proof="suspicion").product).says(ProofRequired)


def test_a_flood_of_proofs_is_refused_at_the_gate(
    shopper: Face,
    app: Flask,
    shop: Shop,
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = all_held(shop, a_sale(proof="on"), somebody())
    snapshots, gate = app.extensions["shop"].snapshots, app.wsgi_app
    genuine = work(shopper, sale)
    csrf = shopper.csrf() if isinstance(shopper, Person) else ""
    snapshots.of(sale.product)
    snapshots.outdate()
    assert eventually(lambda: snapshots.of(sale.product)).taken is AllHeld
    monkeypatch.setattr(gate, "_through", None)  # nothing goes through
    for proof in ("", "junk", genuine):
        given = {"proof": proof} if proof else {}
        if isinstance(shopper, Program):
            assert shopper.buy(sale.product, proof=proof).says(AllHeld)
        else:
            answer = shopper.client.post(f"/miaosha/{quote(sale.product, safe='')}", data={"csrf_token": csrf, **given})
            assert answer.headers["Location"].endswith("?refused=1")


def test_a_ticket_is_good_after_a_while_and_once(
    shopper: Face, app: Flask, a_sale: Callable[..., Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, other = a_sale(num=9, limit=9, proof="on"), a_sale(proof="on")
    early = take_ticket(shopper, sale)
    assert shopper.buy(sale.product, proof=early).says(ProofInvalid)
    assert take_ticket(shopper, sale) == early, "one at a time"
    with monkeypatch.context() as patch:
        patch.setattr(proving, "wait", lambda _: 0)
        ticket = take_ticket(shopper, other)
    assert shopper.buy(sale.product, proof=ticket).says(ProofInvalid)
    if isinstance(shopper, Person):
        page = shopper.get(f"/miaosha/{other.product}").text
        assert f'name="proof" value="{ticket}"' in page
        assert "altcha-widget" not in page
    assert shopper.buy(other.product, proof=ticket).order
    assert take_ticket(shopper, other) != ticket


def test_a_ticket_that_got_nothing_is_still_good(
    shopper: Face, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sale = all_held(shop, a_sale(proof="on"), somebody())
    monkeypatch.setattr(proving, "wait", lambda _: 0)
    ticket = take_ticket(shopper, sale)
    assert shopper.buy(sale.product, proof=ticket).says(AllHeld)
    shopper.post(f"/sales/{sale.id}/waitlist", {"proof": ticket})
    assert len(shop.waitlist.all(sale.id)) == 1


def take_ticket(shopper: Face, sale: Sale) -> str:
    """The open ticket of this shopper for this sale."""
    taken = shopper.post(f"/sales/{sale.id}/ticket")
    if isinstance(shopper, Program):
        return str(taken.json["proof"])
    found = shopper.client.get("/", headers=shopper.headers)  # who has a session
    assert found.status_code == 200
    shop: Shop = shopper.client.application.extensions["shop"]
    with shopper.client.session_transaction() as session:
        account = session["_user_id"].partition(" ")[0]
    ticket = proving.open_ticket(shop, proving.for_sale(sale.id, account))
    assert ticket
    return ticket.proof


def test_a_fresh_challenge_is_nobody_elses_and_kept_nowhere(app: Flask, a_sale: Callable[..., Sale]) -> None:
    stranger = Program(app)
    assert stranger.get(f"/sales/{a_sale().id}/proof").status == 401
    asked = stranger.client.get("/register/proof")
    assert asked.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("face", FACES)
def test_registering_can_cost_a_proof(face: type[Face], app_with: Callable[..., Flask]) -> None:
    caller = face(app_with(proof_cost=3, register_proof=True))
    fields = {"age": 20, "address": "x", "avatar": "http://example.com/a.jpg", "password": "secret123"}
    name = unique("甲")
    assert caller.post("/register", {"name": name, **fields}).says(ProofRequired)
    proof = solved(json.loads(caller.get("/register/proof").text))
    assert caller.post("/register", {"name": name, "proof": proof, **fields}).status == 200
    other = face(caller.client.application)
    assert other.post("/register", {"name": unique("乙"), "proof": proof, **fields}).says(ProofInvalid)
    proof = solved(json.loads(other.get("/register/proof").text))
    assert other.post("/register", {"name": name, "proof": proof, **fields}).says(NameTaken)
    assert other.post("/register", {"name": unique("丙"), "proof": proof, **fields}).status == 200


@pytest.mark.parametrize("face", FACES)
def test_whoever_registers_may_wait_for_a_ticket_of_which_there_is_one_for_each_address(
    face: type[Face], app_with: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(proof_cost=3, register_proof=True)
    here, neighbour, elsewhere = (face(app) for _ in range(3))
    block = 50 + FACES.index(face)
    for caller, address in ((here, "198.51.100.1"), (neighbour, "198.51.100.1"), (elsewhere, "198.51.100.2")):
        caller.client.environ_base["REMOTE_ADDR"] = address.replace("100", str(block))
    fields = {"age": 20, "address": "x", "avatar": "http://example.com/a.jpg", "password": "secret123"}

    def ticket_of(caller: Face, address: str) -> str:
        told = caller.post("/register/ticket")
        assert told.status == 200
        found = proving.open_ticket(app.extensions["shop"], proving.for_registration(address))
        assert found
        if isinstance(caller, Program):
            assert told.json["proof"] == found.proof
        return found.proof

    early = ticket_of(here, f"198.51.{block}.1")
    assert ticket_of(neighbour, f"198.51.{block}.1") == early
    assert here.post("/register", {"name": unique("丁"), "proof": early, **fields}).says(ProofInvalid)
    monkeypatch.setattr(proving, "wait", lambda _: 0)
    good = ticket_of(elsewhere, f"198.51.{block}.2")
    if isinstance(elsewhere, Person):
        assert f'name="proof" value="{good}"' in elsewhere.get("/register").text
        assert "Your ticket is good in" in here.get("/register").text
    assert here.post("/register", {"name": unique("戊"), "proof": good, **fields}).says(ProofInvalid)
    assert elsewhere.post("/register", {"name": unique("己"), "proof": good, **fields}).status == 200
    other = face(app)
    other.client.environ_base["REMOTE_ADDR"] = f"198.51.{block}.2"
    assert other.post("/register", {"name": unique("庚"), "proof": good, **fields}).says(ProofInvalid)
    assert ticket_of(other, f"198.51.{block}.2") != good


@pytest.mark.parametrize("face", FACES)
def test_a_proof_of_registration_runs_out_and_is_good_at_its_address_alone(
    face: type[Face], app_with: Callable[..., Flask]
) -> None:
    app = app_with(proof_cost=3, register_proof=True)
    caller, shop = face(app), app.extensions["shop"]
    fields = {"age": 20, "address": "x", "avatar": "http://example.com/a.jpg", "password": "secret123"}
    short = proving.challenge(shop, proving.for_registration("127.0.0.1"), lifetime=1)
    elsewhere = proving.challenge(shop, proving.for_registration("198.51.100.9"))
    expired = solved(short)
    eventually(lambda: time.time() > short["parameters"]["expiresAt"])
    for proof in (expired, solved(elsewhere)):
        assert caller.post("/register", {"name": unique("辛"), "proof": proof, **fields}).says(ProofInvalid)

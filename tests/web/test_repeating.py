"""Requests under an Idempotency-Key: carried out once, answered the same, and never mistaken for another."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask import Flask
from werkzeug.test import TestResponse

from storefront.domain.account import Account
from storefront.domain.errors import InFlight
from storefront.domain.sale import Sale
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying
from storefront.shop import Shop
from storefront.stores import answers, keys
from tests.company import held_up
from tests.conftest import eventually

Do = Callable[..., TestResponse]


@pytest.fixture(params=[True, False], ids=["gate", "no gate"])
def do(request: pytest.FixtureRequest, app_with: Callable[..., Flask]) -> Do:
    """Sends a program's request, with and without the gate."""
    client = app_with(gate=request.param).test_client(use_cookies=False)

    def send(account: str, path: str, key: str | None = None, **fields: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {account}"} | ({} if key is None else {"Idempotency-Key": key})
        return client.post(path, json=fields, headers=headers)

    return send


def at(sale: Sale) -> str:
    return f"/miaosha/{quote(sale.product, safe='')}"


def code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, (answer.json or {}).get("code", "")


def test_a_repeat_is_told_the_first_answer_whatever_happened_since(
    do: Do, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, me = a_sale(num=5, limit=2), accounts.token_for(shop, account := somebody())
    first = do(me, at(sale), '"a \\"key\\""')
    pay, cancel = f"{first.json['links']['pay']}", f"{first.json['links']['cancel']}"  # type: ignore[index]
    cancelled = do(me, cancel, "b")
    refused = do(me, pay, "c")
    assert [code(one) for one in (first, cancelled, refused)] == [(200, ""), (200, ""), (409, "cancelled")]
    second = do(me, at(sale), "d")
    paid = do(me, second.json["links"]["pay"], "e")  # type: ignore[index]
    assert do(me, at(sale)).status_code == 200
    full = do(me, at(sale), "f")
    assert code(full) == (409, "limit_reached")
    for answer, path, key in (
        (first, at(sale), 'a "key"'),
        (cancelled, cancel, '"b"'),
        (refused, pay, '"c";of=mine'),
        (second, at(sale), " d "),
        (paid, second.json["links"]["pay"], "e"),  # type: ignore[index]
        (full, at(sale), "f"),
    ):
        again = do(me, path, key)
        assert (again.status_code, again.data) == (answer.status_code, answer.data)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.mimetype == "application/json"
    ends = shop.memory.redis.pttl(keys.answers(account.id))
    assert answers.KEPT_MS - 60_000 < ends <= answers.KEPT_MS
    shop.memory.redis.delete(keys.answers(account.id))  # the wording is lost, what the key bought is not
    assert do(me, at(sale), "d").json == second.json
    assert do(accounts.token_for(shop, somebody()), at(sale), "d").json["order"] != second.json["order"]  # type: ignore[index]


def test_a_key_is_good_for_one_request_alone(
    do: Do, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, other, over = a_sale(num=5), a_sale(num=5), a_sale(begins=-600, ends=-60)
    me = accounts.token_for(shop, somebody())
    first = do(me, at(sale), "k")
    for path, fields in ((at(other), {}), (at(over), {}), (first.json["links"]["pay"], {}), (at(sale), {"more": 1})):  # type: ignore[index]
        assert code(do(me, path, '"k"', **fields)) == (422, "idempotency_key_reused")
    assert do(me, at(sale), "k", token=me, proof="any").data == first.data  # the same purchase, shown otherwise
    untouched = shop.sales.get(other.id)
    assert untouched
    assert untouched.units.left == 5


def test_while_the_first_is_being_carried_out_a_repeat_is_told_to_wait(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    shop: Shop = app.extensions["shop"]
    client, sale, me = app.test_client(use_cookies=False), a_sale(num=2), accounts.token_for(shop, somebody())
    call: dict[str, Any] = {"json": {"token": me}, "headers": {"Idempotency-Key": '"k"'}}
    with ThreadPoolExecutor(2) as pool:
        with held_up(shop, pool) as companies:
            first = pool.submit(lambda: client.post(at(sale), **call))
            eventually(companies.waiting)
            again = app.test_client(use_cookies=False).post(at(sale), **call)
            assert code(again) == (409, "idempotency_in_flight")
            assert again.headers["Retry-After"] == "1"
        bought = first.result(30)
    assert bought.status_code == 200
    assert client.post(at(sale), **call).data == bought.data


def test_what_is_said_of_the_sale_or_the_moment_is_not_kept(
    do: Do, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, buyer = a_sale(num=1), somebody()
    me = accounts.token_for(shop, account := somebody())
    order = buying.buy(shop, buyer, sale.product).order
    eventually(lambda: code(do(me, at(sale), "k")) == (409, "all_held"))
    epoch = shop.memory.field(keys.sale(sale.id), "signed") or ""
    shop.memory.redis.hset(keys.sale(sale.id), "signed", "an epoch that is over")
    eventually(lambda: code(do(me, at(sale), "k")) == (503, "recovering"))
    shop.memory.redis.hset(keys.sale(sale.id), "signed", epoch)
    assert not shop.memory.redis.exists(keys.answers(account.id))
    buying_again = accounts.token_for(shop, buyer)
    eventually(lambda: do(buying_again, f"/orders/{order}/cancel", "c").status_code == 200)
    eventually(lambda: do(me, at(sale), "k").status_code == 200)
    monkeypatch.setattr(answers, "IN_FLIGHT_MS", 1)
    attempt = shop.answers.begin(account.id, "died", "ab")
    assert isinstance(attempt, answers.Attempt)
    later = eventually(lambda: begun(shop, account.id, "died", "ab"))
    shop.answers.end(attempt, answers.Answer(200, "{}"))  # too late: another attempt was begun
    shop.answers.end(later, None)
    assert isinstance(shop.answers.begin(account.id, "died", "cd"), answers.Attempt)


def begun(shop: Shop, account: str, key: str, fingerprint: str) -> answers.Attempt | None:
    try:
        found = shop.answers.begin(account, key, fingerprint)
    except InFlight:
        return None
    assert isinstance(found, answers.Attempt)
    return found


def test_what_is_kept_of_one_shopper_has_a_bound(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST", 3)
    for number in range(6):
        attempt = shop.answers.begin("a flood", str(number), "ab")
        assert isinstance(attempt, answers.Attempt)
        shop.answers.end(attempt, answers.Answer(200, str(number)))
    assert shop.memory.redis.hlen(keys.answers("a flood")) == 3
    assert shop.answers.begin("a flood", "5", "ab") == answers.Answer(200, "5")


@pytest.mark.parametrize(
    "key", ['"', '""', '"a', 'a"b"\x01', '"a" b', '"a\\b"', "é", "k" * 256, '"' + "k" * 256 + '"', "", " "]
)
def test_a_key_that_is_none_is_refused(do: Do, shop: Shop, somebody: Callable[..., Account], key: str) -> None:
    me = accounts.token_for(shop, somebody())
    assert code(do(me, "/miaosha/nothing", key)) == (400, "idempotency_key_malformed")


def test_the_web_server_does_not_hide_a_key_that_is_not_ascii(
    real_shop: LocalShop, shop: Shop, somebody: Callable[..., Account]
) -> None:
    me = accounts.token_for(shop, somebody())
    headers: dict[str, str | bytes] = {
        "Idempotency-Key": "订单一".encode(),
        "Authorization": f"Bearer {me}",
        "Content-Type": "application/json",
    }
    called = requests.post(f"{real_shop.url}/miaosha/nothing", data=b"{}", headers=headers, timeout=10)
    assert (called.status_code, called.json()["code"]) == (400, "idempotency_key_malformed")

"""A sale for accounts that were registered some time before, in both faces."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import jwt
import pytest
from flask import Flask

from storefront.domain.account import Account, Seniority
from storefront.domain.errors import AccountTooNew, UnitsLeft
from storefront.domain.sale import Sale
from storefront.services import buying, waiting
from storefront.services.tokens import ALGORITHM
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import eventually
from tests.faces import Face, Person, Program

HOUR = 3600


@pytest.fixture
def account(somebody: Callable[..., Account]) -> Account:
    """Somebody who has registered just now."""
    return somebody()


def age(shop: Shop, account: Account, seconds: int) -> Account:
    """Have an account be so much older."""
    registered = account.seniority.registered - seconds * 1000
    shop.memory.redis.hset(keys.account(account.name), "at", registered)
    return replace(account, seniority=Seniority(registered))


def test_a_new_account_is_told_when_it_may_buy_and_takes_no_unit(
    face: Face, account: Account, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(min_account_age=HOUR, ends=3 * HOUR)
    face.log_in(account.name)
    refused = face.buy(sale.product)
    allowed = datetime.fromtimestamp(account.seniority.registered / 1000 + HOUR, UTC)
    if isinstance(face, Program):
        assert (refused.status, refused.json["code"]) == (403, "account_too_new")
        told = datetime.fromisoformat(refused.json["allowed_from"])
        assert 0 <= (told - allowed).total_seconds() < 1
        assert told.microsecond == 0
    else:
        assert re.search(r"Your account is too new for this sale. It may buy in (1 h|59 min \d+ s), from", refused.text)
        assert "Yours may buy from" in refused.text
        assert re.search(r'data-opens="(\d+)"', refused.text).group(1) == f"{math.ceil(allowed.timestamp())}000"  # type: ignore[union-attr]
    found = shop.sales.get(sale.id)
    assert found
    assert found.units.left == 1


@pytest.mark.parametrize("what", ["buying", "waiting"])
def test_who_waits_as_long_as_told_is_old_enough(
    app: Flask, account: Account, somebody: Callable[..., Account], shop: Shop, a_sale: Callable[..., Sale], what: str
) -> None:
    sale, program = a_sale(min_account_age=HOUR), Program(app)
    address = f"/miaosha/{quote(sale.product)}"
    if what == "waiting":
        buying.buy(shop, age(shop, somebody(), HOUR), sale.product)
        address = f"/sales/{sale.id}/waitlist"
    age(shop, account, HOUR - 2)
    program.log_in(account.name)
    refused = program.client.post(address, json={"token": program.token})
    told_at, wait = shop.memory.now_ms(), int(refused.headers["Retry-After"])
    assert (refused.status_code, refused.json["code"]) == (403, "account_too_new")  # type: ignore[index]
    assert wait == refused.json["wait"] <= 2  # type: ignore[index]
    eventually(lambda: shop.memory.now_ms() >= told_at + wait * 1000)
    assert program.client.post(address, json={"token": program.token}).status_code == 200


def test_an_account_that_will_never_be_old_enough_is_not_told_to_come_back(
    face: Face, account: Account, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(min_account_age=HOUR, ends=HOUR // 2)
    face.log_in(account.name)
    refused = face.buy(sale.product)
    assert "Your account is too new for this sale, which is over before it may buy." in refused.text
    if isinstance(face, Person):
        assert "It is over before yours may buy." in refused.text


def test_an_account_that_is_too_new_to_buy_is_not_told_to_buy(
    face: Face, account: Account, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(min_account_age=HOUR, num=5)
    face.log_in(account.name)
    answer = face.post(f"/sales/{sale.id}/waitlist")
    assert "too new" in (answer.json["error"] if isinstance(face, Program) else answer.text)
    assert not answer.says(UnitsLeft)


def test_an_account_buys_once_it_is_old_enough(
    face: Face, account: Account, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(min_account_age=HOUR)
    age(shop, account, HOUR)
    face.log_in(account.name)
    assert face.buy(sale.product).order


def test_an_account_of_which_nobody_knows_when_it_came_counts_as_old(
    face: Face, account: Account, app: Flask, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(min_account_age=HOUR)
    shop.memory.redis.hdel(keys.account(account.name), "at")
    face.log_in(account.name)
    if isinstance(face, Program):  # as a token was before it told
        claims = jwt.decode(face.token, options={"verify_signature": False})
        claims.pop("registered")
        face.token = jwt.encode(claims, app.secret_key, algorithm=ALGORITHM)
    assert face.buy(sale.product).order


def test_a_new_account_cannot_join_the_waitlist(
    face: Face, account: Account, somebody: Callable[..., Account], shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(min_account_age=HOUR, ends=3 * HOUR)
    buying.buy(shop, age(shop, somebody(), HOUR), sale.product)
    face.log_in(account.name)
    refused = face.post(f"/sales/{sale.id}/waitlist")
    assert refused.first == (403 if isinstance(face, Program) else 303)
    assert "Your account is too new for this sale." in refused.text
    with pytest.raises(AccountTooNew):
        waiting.join(shop, account, sale.id)


def test_the_terms_stand_on_the_sale(face: Face, a_sale: Callable[..., Sale]) -> None:
    shown = face.get(f"/miaosha/{a_sale(min_account_age=3 * 24 * HOUR, proof='on').product}")
    if isinstance(face, Person):
        assert "Registered for at least</dt><dd>3 days" in shown.text
    else:
        assert (shown.json["min_account_age"], shown.json["proof"]) == (3 * 24 * HOUR, "on")
        assert shown.json["links"]["proof"].endswith(f"/sales/{shown.json['sale']}/proof")

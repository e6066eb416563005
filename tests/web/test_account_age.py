"""A sale for accounts that were registered some time before, in both faces."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import jwt
import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.errors import AccountTooNew
from storefront.domain.sale import Sale
from storefront.services import buying, waiting
from storefront.services.tokens import ALGORITHM
from storefront.shop import Shop
from storefront.stores import keys
from tests.faces import Face, Person, Program

HOUR = 3600


@pytest.fixture
def account(somebody: Callable[..., Account]) -> Account:
    """Somebody who has registered just now."""
    return somebody()


def age(shop: Shop, account: Account, seconds: int) -> Account:
    """Have an account be so much older."""
    registered = account.registered - seconds * 1000
    shop.memory.redis.hset(keys.account(account.name), "at", registered)
    return replace(account, registered=registered)


def test_a_new_account_is_told_when_it_may_buy_and_takes_no_unit(
    face: Face, account: Account, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(min_account_age=HOUR)
    face.log_in(account.name)
    refused = face.buy(sale.product)
    allowed = datetime.fromtimestamp(account.registered / 1000 + HOUR, UTC)
    if isinstance(face, Program):
        assert (refused.status, refused.json["code"]) == (403, "account_too_new")
        told = datetime.fromisoformat(refused.json["allowed_from"])
        assert abs((told - allowed).total_seconds()) < 1
    else:
        assert "Your account is too new for this sale. It may buy from" in refused.text
        assert "Yours may buy from" in refused.text
    found = shop.sales.get(sale.id)
    assert found
    assert found.units.left == 1


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
    sale = a_sale(min_account_age=HOUR)
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

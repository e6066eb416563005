"""Which tokens are believed."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask import Flask

from storefront.config import Config
from storefront.domain.account import Account
from storefront.services import accounts
from storefront.shop import Shop
from tests.faces import Program


def unsigned(claims: dict[str, Any]) -> str:
    parts = (json.dumps({"alg": "none", "typ": "JWT"}), json.dumps(claims))
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + "."


def forgeries(claims: dict[str, Any], secret: str) -> dict[str, Any]:
    good = jwt.encode(claims, secret, algorithm="HS256")
    return {
        "expired": jwt.encode({**claims, "exp": int(time.time()) - 1}, secret, algorithm="HS256"),
        "without expiry": jwt.encode({k: v for k, v in claims.items() if k != "exp"}, secret, algorithm="HS256"),
        "unsigned": unsigned(claims),
        "signed with another key": jwt.encode(claims, "x" * 40, algorithm="HS256"),
        "signed another way": jwt.encode(claims, secret * 2, algorithm="HS512"),
        "truncated": good[:-5],
        "of somebody unknown": jwt.encode({**claims, "name": "nobody at all"}, secret, algorithm="HS256"),
        "of another with this name": jwt.encode({**claims, "sub": "0" * 16}, secret, algorithm="HS256"),
        "with a number for a name": jwt.encode({**claims, "name": 5}, secret, algorithm="HS256"),
        "not a token": "token_string",
        "huge": "x" * 60_000,
        "text that is no ASCII": "令牌.令牌.令牌",
        "a lone surrogate": "\ud800",
        "empty": "",
        "a number": 5,
        "a list": ["x"],
    }


KINDS = list(forgeries({"sub": "x", "name": "x", "exp": 9_999_999_999}, "y" * 40))


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_token_is_a_401(app: Flask, config: Config, somebody: Callable[..., Account], kind: str) -> None:
    account = somebody()
    claims = {"sub": account.id, "name": account.name, "exp": int(time.time()) + 60}
    body = json.dumps({"token": forgeries(claims, config.secret)[kind]})
    response = app.test_client().post("/miaosha/x", data=body, content_type="application/json")
    assert (response.status_code, response.json["error"]) == (401, "Invalid token")  # type: ignore[index]


def test_a_token_by_a_machine_whose_clock_is_ahead_is_good(
    app: Flask, config: Config, shop: Shop, somebody: Callable[..., Account]
) -> None:
    given = jwt.decode(accounts.token_for(shop, somebody()), config.secret, algorithms=["HS256"])
    program = Program(app)
    program.token = jwt.encode(given | {"iat": int(time.time()) + 60}, config.secret, algorithm="HS256")
    assert program.get("/orders").status == 200


def test_a_deleted_accounts_token_is_a_401(app: Flask, shop: Shop, somebody: Callable[..., Account]) -> None:
    program, account = Program(app), somebody()
    program.log_in(account.name)
    assert program.get("/orders").status == 200
    accounts.delete(shop, account.name)
    assert program.get("/orders").status == 401


def test_a_token_may_be_given_in_the_body_or_as_a_bearer_but_not_two_different_ones(
    app: Flask, somebody: Callable[..., Account]
) -> None:
    client, token = app.test_client(), Program(app)
    token.log_in(somebody().name)
    bearer = {"Authorization": f"Bearer {token.token}"}
    assert client.post("/miaosha/nothing", headers=bearer).status_code == 404
    assert client.post("/miaosha/nothing", headers=bearer, json={"token": token.token}).status_code == 404
    response = client.post("/miaosha/nothing", headers=bearer, json={"token": "another"})
    assert (response.status_code, response.json["code"]) == (400, "two_tokens")  # type: ignore[index]

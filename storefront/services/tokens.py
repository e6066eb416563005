"""Tokens: JWTs (RFC 7519) signed with HS256, naming an account by id and name, with an expiry."""

import time
from dataclasses import dataclass

import jwt

from storefront.domain.account import Account
from storefront.domain.errors import InvalidToken

ALGORITHM = "HS256"
LONGEST = 4096


@dataclass(frozen=True)
class Claims:
    """Whom a token names."""

    account: str
    name: str


def issue(account: Account, secret: str, lifetime: int) -> str:
    """A token for ``account``, valid for ``lifetime`` seconds."""
    now = int(time.time())
    claims = {"sub": account.id, "name": account.name, "iat": now, "exp": now + lifetime}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read(token: str, secret: str) -> Claims:
    """What ``token`` claims. Raises InvalidToken for one that is expired, foreign, unsigned or not a token at all."""
    if len(token) > LONGEST:
        raise InvalidToken
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options={"require": ["exp", "sub", "name"]})
    except (jwt.InvalidTokenError, UnicodeError) as fault:
        raise InvalidToken from fault
    if not isinstance(claims["name"], str):
        raise InvalidToken
    return Claims(account=claims["sub"], name=claims["name"])

"""Tokens: JWTs (RFC 7519) signed with HS256, naming an account by id and name, with an expiry."""

import time
from dataclasses import dataclass
from functools import lru_cache

import jwt

from storefront.domain.account import Account
from storefront.domain.errors import InvalidToken

ALGORITHM = "HS256"
LONGEST = 4096
REMEMBERED = 65_536
"""Tokens that each process remembers to be genuine, so that it verifies each once."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The id and name of the account that a token names, and when it runs out (Unix seconds).

    ``registered`` is when the account was registered (Unix ms), 0 where that isn't known.
    """

    id: str
    name: str
    expires: float
    registered: int = 0


def issue(account: Account, secret: str, lifetime: int) -> str:
    """A token for ``account``, valid for ``lifetime`` seconds."""
    now = int(time.time())
    claims = {
        "sub": account.id, "name": account.name, "iat": now, "exp": now + lifetime, "registered": account.registered
    }  # fmt: skip
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read(token: str, secret: str) -> Claims:
    """What ``token`` claims. Raises InvalidToken for one that is expired, foreign, unsigned or not a token at all."""
    if len(token) > LONGEST:
        raise InvalidToken
    claims = _verified(token, secret)
    if time.time() >= claims.expires:
        raise InvalidToken
    return claims


@lru_cache(REMEMBERED)
def _verified(token: str, secret: str) -> Claims:
    """What a genuine token claims. Raises InvalidToken, which isn't remembered."""
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options={"require": ["exp", "sub", "name"]})
    except (jwt.InvalidTokenError, UnicodeError) as fault:
        raise InvalidToken from fault
    if not isinstance(claims["name"], str):
        raise InvalidToken
    registered = claims.get("registered", 0)  # tokens from before there was this claim
    return Claims(id=claims["sub"], name=claims["name"], expires=float(claims["exp"]), registered=registered)

"""Tokens: JWTs (RFC 7519) signed with HS256, naming an account by id and name, with an expiry."""

import secrets
import time
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import jwt
from jwt.types import Options

from storefront.domain.account import Account, Login, Seniority
from storefront.domain.errors import InvalidToken

ALGORITHM = "HS256"
OPTIONS: Options = {"require": ["exp", "sub", "name"], "verify_iat": False}
"""When it was issued is no reason to refuse a token: another machine's clock may be a second ahead, and what is
refused once is remembered to be worthless."""

LONGEST = 4096
REMEMBERED = 65_536
"""Tokens that each process remembers to be genuine, so that it verifies each once."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The id and name of the account that a token names, and when it runs out (Unix seconds).

    Whether the ``login`` was ended before its time is for whoever knows the account to say.
    """

    id: str
    name: str
    expires: float
    seniority: Seniority
    login: Login


def issue(account: Account, secret: str, lifetime: int) -> str:
    """A token for ``account``, valid for ``lifetime`` seconds."""
    now = int(time.time())
    claims = {
        "sub": account.id, "name": account.name, "iat": now, "exp": now + lifetime, **account.seniority._asdict(),
        "jti": new_login_id(), "era": account.era,
    }  # fmt: skip
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def new_login_id() -> str:
    """What tells a token or a session from every other."""
    return secrets.token_hex(8)


def read(token: str, keys: tuple[str, ...]) -> Claims:
    """What ``token`` claims, signed with one of ``keys``.

    Raises InvalidToken for one that is expired, foreign, unsigned or not a token at all.
    """
    if len(token) > LONGEST:
        raise InvalidToken
    claims = _verified(token, keys)
    if time.time() >= claims.expires:
        raise InvalidToken
    return claims


@lru_cache(REMEMBERED)
def _verified(token: str, keys: tuple[str, ...]) -> Claims:
    """What a genuine token claims. Raises InvalidToken, which isn't remembered."""
    key, *others = keys
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM], options=OPTIONS)
    except jwt.InvalidSignatureError as fault:
        if not others:
            raise InvalidToken from fault
        return _verified(token, tuple(others))
    except (jwt.InvalidTokenError, UnicodeError) as fault:
        raise InvalidToken from fault
    if not isinstance(claims["name"], str):
        raise InvalidToken
    # tokens from before there were these claims have none
    since, era = Seniority(claims.get("registered", 0), claims.get("probation", 0)), claims.get("era", "")
    login = claims.get("jti") or blake2b(token.rpartition(".")[0].encode(), digest_size=8).hexdigest()
    return Claims(claims["sub"], claims["name"], float(claims["exp"]), since, Login(login, era))

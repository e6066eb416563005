"""Browsers and addresses from which an account was logged in before.

They have an allowance of their own, so that strangers who guess an account's password from everywhere are slowed down
together without locking its owner out (OWASP, "device cookies"). A device cookie is signed and kept nowhere. Programs
have no cookies; of them the address is remembered.
"""

import secrets
from hashlib import blake2b

from flask import Response, after_this_request, current_app, g, request, url_for
from itsdangerous import BadData, URLSafeSerializer
from redis.exceptions import RedisError

from storefront.web.faces import is_program, shop
from storefront.web.limits import by_address

COOKIE = "device"
YEAR = 31_536_000  # seconds
MOST = 5
"""Accounts that one browser is known for, the newest."""


def device_of(name: str) -> str:
    """What the browser is called from which this account was logged in before; empty for a stranger."""
    return _devices().get(_digest(name), "")


def is_stranger(name: str) -> bool:
    """Whether nobody has logged in to this account from here before."""
    if device_of(name):
        return False
    known: dict[str, bool] = g.setdefault("is_stranger", {})
    if name not in known:
        try:
            known[name] = not shop().known_addresses.holds(name, by_address())
        except RedisError:  # the limiter would take it for its storage's; without Redis nobody logs in
            known[name] = True
    return known[name]


def remember(name: str) -> None:
    """Somebody has logged in to this account from here."""
    shop().known_addresses.note(name, by_address())
    if is_program():
        return
    others = [(whose, one) for whose, one in _devices().items() if whose != _digest(name)]
    devices = dict([*others, (_digest(name), device_of(name) or secrets.token_hex(8))][-MOST:])

    @after_this_request
    def _(response: Response) -> Response:
        response.set_cookie(
            COOKIE, str(_signer().dumps(devices)), max_age=YEAR, path=url_for("accounts.login"), samesite="Strict",
            httponly=True, secure=current_app.config["SESSION_COOKIE_SECURE"],
        )  # fmt: skip
        return response


def _devices() -> dict[str, str]:
    """Account → what this browser is called there."""
    try:
        found: dict[str, str] = _signer().loads(request.cookies.get(COOKIE, ""))
    except BadData:
        return {}
    return found


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(list(shop().config.secrets[::-1]), salt="device")


def _digest(name: str) -> str:
    return blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()

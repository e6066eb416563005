"""People's sessions: Flask's signed cookies, each with the login that it belongs to."""

import math
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer

from storefront.domain.account import Account, Login, Seniority
from storefront.services.tokens import Claims, new_login_id
from storefront.web.faces import is_public

SIGNED_ANEW = 3600
"""Seconds after which a cookie is sent once more though nothing changed, so that its lifetime begins anew. At each
answer, as Flask has it, that would be a tenth of what a page costs."""


REMEMBERED, LONGEST = 20_000, 1024
"""Cookies that each process remembers to be genuine, and their characters at most: ours have a few hundred, but what
follows a signature may be ignored."""

SAID_IN = "_flashes"
"""Where Flask keeps the sentences that wait for the next page."""


class Session(SecureCookieSession):
    """A session that was signed at ``signed`` (Unix seconds), 0 for a new one."""

    signed = 0.0


class Sessions(SecureCookieSessionInterface):
    """Flask's sessions, but what is the same for everybody (``Cache-Control: public``) says nothing of anybody's.

    Nor is a cookie looked into that wasn't sent, nor sent at each answer.
    """

    session_class = Session

    _serializer: URLSafeTimedSerializer | None = None

    def __init__(self) -> None:
        self._known: dict[str, tuple[dict[str, Any], float]] = {}

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """See ``SecureCookieSessionInterface``. Of one ``app`` it is the same each time, as its secrets are."""
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> Session | None:
        """See ``SessionInterface``."""
        serializer, cookie = self.get_signing_serializer(app), request.cookies.get(self.get_cookie_name(app))
        if serializer is None or not cookie:
            return Session()
        found, signed = self._known.get(cookie) or self._read(serializer, cookie)
        if time.time() - signed > app.permanent_session_lifetime.total_seconds():
            return Session()
        session = Session(found)
        session.signed = signed
        return session

    def _read(self, serializer: URLSafeTimedSerializer, cookie: str) -> tuple[dict[str, Any], float]:
        """What a cookie says, and when it was signed, long ago for a forged one. That of genuine ones is remembered."""
        try:
            found, signed = serializer.loads(cookie, return_timestamp=True)
        except BadSignature:
            return {}, 0.0
        read = found, signed.timestamp()
        if SAID_IN not in found and len(cookie) <= LONGEST:  # sentences are taken out of their list
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[cookie] = read
        return read

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """See ``SessionInterface``."""
        is_old = isinstance(session, Session) and time.time() - session.signed >= SIGNED_ANEW
        return session.modified or (is_old and super().should_set_cookie(app, session))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """See ``SessionInterface``."""
        if not is_public(response):
            super().save_session(app, session, response)


def begin(session: SessionMixin, account: Account) -> None:
    """Have a new session belong to a new login of ``account``."""
    session["login"] = [new_login_id(), account.era]
    session["since"] = account.seniority
    session.permanent = True


def login_of(session: Mapping[str, Any]) -> Login:
    """The login that a session belongs to."""
    return Login(*session.get("login", ()))


def claims_of(session: Mapping[str, Any]) -> Claims | None:
    """What a session says of its account, as a token does; None for nobody's.

    And for those of before they said how old it is.
    """
    account, _, name = session.get("_user_id", "").partition(" ")
    if not account or "since" not in session:
        return None
    return Claims(account, name, math.inf, Seniority(*session["since"]), login_of(session))

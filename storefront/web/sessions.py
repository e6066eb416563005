"""People's sessions: Flask's signed cookies, each with the login that it belongs to."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer

from storefront.domain.account import Login
from storefront.web.faces import is_public


class Sessions(SecureCookieSessionInterface):
    """Flask's sessions, but what is the same for everybody (``Cache-Control: public``) says nothing of anybody's.

    Nor is a cookie looked into that wasn't sent.
    """

    _serializer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """See ``SecureCookieSessionInterface``. Of one ``app`` it is the same each time, as its secrets are."""
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """See ``SessionInterface``."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """See ``SessionInterface``."""
        if not is_public(response):
            super().save_session(app, session, response)


def login_of(session: Mapping[str, Any]) -> Login:
    """The login that a session belongs to."""
    return Login(*session.get("login", ()))

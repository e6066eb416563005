"""Who is asking: programs show a token, people have a session. Never the other way round.

So no JSON call can be forged from another site, and a form needs its CSRF token besides the session.
"""

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from storefront.domain.account import Account
from storefront.domain.errors import InvalidToken, Refused
from storefront.services import accounts, selling, tokens
from storefront.web.faces import given_token, is_program, is_public, shop
from storefront.web.limits import COUNTED, Passed

login_manager = LoginManager()


class Visitor(UserMixin):  # type: ignore[misc]
    """A logged-in person, as Flask-Login wants to see one."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def get_id(self) -> str:
        """The id and the name: a name registered anew is another account."""
        return f"{self.account.id} {self.account.name}"


@login_manager.user_loader  # type: ignore[untyped-decorator]
def _visitor(session_id: str) -> Visitor | None:
    account_id, _, name = session_id.partition(" ")
    account = accounts.known(shop(), name, account_id)
    return Visitor(account) if account else None


def someone() -> Account | None:
    """The account that is asking, or None for nobody. Raises InvalidToken for a program whose token is no good."""
    if "account" not in g:
        if is_program():
            token = given_token()
            g.account = accounts.holder_of(shop(), token) if token is not None else None
        else:
            g.account = current_user.account if current_user.is_authenticated else None
    found: Account | None = g.account
    return found


def shopper() -> Account:
    """The account that is asking. Raises InvalidToken for nobody."""
    account = someone()
    if account is None:
        raise InvalidToken
    return account


def buyer() -> Account | tokens.Claims:
    """Who wants to buy: as ``shopper``, or what the gate read of a token, whose account is still to be looked for."""
    passed: Passed | None = request.environ.get(COUNTED)
    return passed.claims if passed else shopper()


def enter(account: Account) -> None:
    """Begin a person's session, a new one, so that nobody can have planted it."""
    session.clear()
    login_user(Visitor(account))
    session.permanent = True
    g.account = account


def leave() -> None:
    """End the session."""
    logout_user()
    session.clear()


LONGEST_ADDRESS = 2048
"""Characters of an address that one is led to: far more than any page of the shop needs."""


def local_address(address: str | None) -> str | None:
    """``address`` if it leads to a page of this shop, else None."""
    if not address or len(address) > LONGEST_ADDRESS or not address.startswith("/") or address.startswith("//"):
        return None
    if any(char < " " or char == "\\" for char in address):
        return None
    parts = urlsplit(address)
    return None if parts.scheme or parts.netloc else address


def recognise() -> None:
    """Note who is asking, for the limits. Costs no round trip; whether the account still exists is asked later."""
    if passed := request.environ.get(COUNTED):
        g.asking, g.asking_name = passed.claims.id, passed.claims.name
    elif is_program():
        try:
            token = given_token()
            claims = tokens.read(token, shop().config.secret) if token else None
        except Refused:  # the view will say what is wrong with it
            claims = None
        g.asking, g.asking_name = (claims.id, claims.name) if claims else (None, "")
    else:
        account, _, g.asking_name = session.get("_user_id", "").partition(" ")
        g.asking = account or None


class Sessions(SecureCookieSessionInterface):
    """Flask's sessions, but what is the same for everybody (``Cache-Control: public``) says nothing of anybody's.

    Nor is a cookie looked into that wasn't sent.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """See ``SessionInterface``."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """See ``SessionInterface``."""
        if not is_public(response):
            super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    """Let ``app`` know its visitors."""
    app.session_interface = Sessions()
    login_manager.init_app(app, add_context_processor=False)
    app.before_request(recognise)

    @app.context_processor
    def visitor() -> dict[str, Any]:
        account = someone() if not is_program() else None
        return {"account": account, "may_open_sales": selling.may_open_sales(shop(), account)}

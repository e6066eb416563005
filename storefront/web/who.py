"""Who is asking: programs show a token, people have a session. Never the other way round.

So no JSON call can be forged from another site, and a form needs its CSRF token besides the session.
"""

import time
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from storefront.domain.account import Account, Login
from storefront.domain.errors import InvalidToken, OnlyMerchantsAreTold, Refused
from storefront.services import accounts, selling, tokens
from storefront.web import sessions
from storefront.web.faces import given_token, is_program, shop
from storefront.web.limits import COUNTED, Passed
from storefront.web.sessions import Sessions, claims_of, login_of

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
    return Visitor(account) if account and account.admits(login_of(session)) else None


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


def merchant() -> Account:
    """The merchant who is asking: anybody, where anyone may open sales. Raises InvalidToken or OnlyMerchantsAreTold."""
    account = shopper()
    if not selling.may_open_sales(shop(), account):
        raise OnlyMerchantsAreTold
    return account


def buyer() -> Account | tokens.Claims:
    """Who wants to buy: as ``shopper``, or what was counted of a token or session; its account is still to be found."""
    passed: Passed | None = request.environ.get(COUNTED)
    return passed.claims if passed else shopper()


def somebody() -> Account | tokens.Claims | None:
    """As ``someone``, or what a person's session claims: for those who can look for the account on their way.

    They say with ``now_known`` what they found.
    """
    claims = claims_of(session) if "account" not in g and not is_program() else None
    return claims or someone()


def now_known(account: Account | None) -> Account | None:
    """It is this account that is asking, or nobody."""
    g.account = account
    return account


def enter(account: Account) -> None:
    """Begin a person's session, a new one, so that nobody can have planted it."""
    session.clear()
    sessions.begin(session, account)
    login_user(Visitor(account))
    g.account = account


def leave() -> None:
    """End the session."""
    logout_user()
    session.clear()


def this_login() -> tuple[Login, int]:
    """By what the caller is known, and when that would run out (Unix ms). Raises InvalidToken."""
    if not is_program():
        return login_of(session), int((time.time() + current_app.permanent_session_lifetime.total_seconds()) * 1000)
    claims = tokens.read(given_token() or "", shop().config.secrets)
    return claims.login, int(claims.expires * 1000)


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
    """Note who is asking, for the limits. Costs no round trip; whether the account still exists is asked later.

    Who shows what was ended a moment ago is nobody: nobody shall be banned for a thief.
    """
    if passed := request.environ.get(COUNTED):
        g.asking, g.asking_name = passed.claims.id, passed.claims.name
    elif is_program():
        try:
            token = given_token()
            claims = tokens.read(token, shop().config.secrets) if token else None
        except Refused:  # the view will say what is wrong with it
            claims = None
        if claims:
            _note(claims.id, claims.name, claims.login)
        else:
            _note("", "", Login())
    else:
        account, _, name = session.get("_user_id", "").partition(" ")
        _note(account, name, login_of(session))


def _note(account: str, name: str, login: Login) -> None:
    is_somebody = account and not shop().snapshots.has_ended(account, login)
    g.asking, g.asking_name = (account, name) if is_somebody else (None, "")


def init_app(app: Flask) -> None:
    """Let ``app`` know its visitors."""
    app.session_interface = Sessions()
    login_manager.init_app(app, add_context_processor=False)
    app.before_request(recognise)

    @app.context_processor
    def visitor() -> dict[str, Any]:
        account = someone() if not is_program() else None
        return {"account": account, "may_open_sales": selling.may_open_sales(shop(), account)}

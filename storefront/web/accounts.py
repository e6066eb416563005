"""Registering, logging in and out."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from redis.exceptions import RedisError

from storefront.domain import text
from storefront.domain.account import Account
from storefront.domain.errors import Refused, TooManyGuesses
from storefront.domain.sale import PUT_BACK
from storefront.services import accounts
from storefront.web import crowding
from storefront.web.devices import device_of, is_stranger, remember
from storefront.web.faces import (
    checked,
    go_back_to,
    is_program,
    json_object,
    json_reply,
    pictures_from_anywhere,
    reply,
    say,
    shop,
    submitted,
)
from storefront.web.forms import LoginForm, LogoutForm, RegisterForm
from storefront.web.limits import by_address, is_allowed, limiter
from storefront.web.proving import asking_for_proof_of_registration, work_for_registration
from storefront.web.who import enter, leave, local_address, shopper, someone, this_login
from storefront.web.words import in_words

bp = Blueprint("accounts", __name__)


def named() -> str:
    """The account that one wants to log in to."""
    try:
        name = json_object().get("name") if is_program() else request.form.get("name")
    except Refused:  # the view will say what is wrong with it; the limiter would take a fault here for its storage's
        name = ""
    return text.normal(str(name))[:64]


def by_name_and_device() -> str:
    """Key of a limit on guessing one account's password with one device, or from one address."""
    return f"{device_of(named()) or by_address()} {named()}"


def by_name() -> str:
    """Key of a limit on guessing one account's password from wherever one likes."""
    return f"strangers {named()}"


def is_known() -> bool:
    """Whether this account was logged in from here before."""
    return not is_stranger(named())


@bp.get("/register")
def register() -> Any:
    """The form for a new account."""
    return render_template(
        "register.html",
        form=RegisterForm(formdata=None),
        next=request.args.get("next", ""),
        work=work_for_registration,
    )


@bp.post("/register")
@limiter.limit(lambda: shop().config.limit_register, exempt_when=is_allowed)
def do_register() -> Any:
    """Make an account. People are logged in at once."""
    form = checked(
        RegisterForm(submitted(RegisterForm)),
        "register.html",
        next=request.form.get("next", ""),
        work=work_for_registration,
    )
    with asking_for_proof_of_registration():
        account = accounts.register(
            shop(), form.profile(), form.data["password"], by_address(), form.data["proof"] or "",
            crowd=crowding.counted(),
        )  # fmt: skip
    remember(account.name)
    if not is_program():
        enter(account)
    say(gettext("Welcome, %(name)s!", name=account.name))
    answer = {"message": "user registered successfully"}
    if account.seniority.probation:
        answer["warning"] = gettext(
            "Many accounts were registered where yours was. Until %(moment)s it may buy %(seconds)s seconds after a "
            "sale has begun.",
            moment=in_words(datetime.fromtimestamp(account.seniority.probation / 1000, UTC)),
            seconds=PUT_BACK,
        )
        say(answer["warning"], "note")
    return reply(answer, then=_next())


@bp.get("/login")
def login() -> Any:
    """The form to log in."""
    if someone() is not None:
        return redirect(_next(), 303)
    return render_template("login.html", form=LoginForm(formdata=None), next=request.args.get("next", ""))


@bp.post("/login")
@limiter.limit(lambda: shop().config.limit_login, key_func=by_name_and_device)
@limiter.limit(
    lambda: shop().config.limit_login_strangers,
    key_func=by_name,
    exempt_when=is_known,
    error_message=TooManyGuesses.code,
)
def do_login() -> Any:
    """Log in: a token for programs, a session for people."""
    form = checked(LoginForm(submitted(LoginForm)), "login.html", next=request.form.get("next", ""))
    account = accounts.log_in(shop(), form.data["name"], form.data["pass"])
    remember(account.name)
    if is_program():
        return json_reply({"token": accounts.token_for(shop(), account)})
    enter(account)
    return redirect(_next(), 303)


@bp.post("/logout")
def logout() -> Any:
    """End this session or token before its time, or every one of the account."""
    everywhere = LogoutForm(submitted(LogoutForm)).data["everywhere"]
    asking = shopper() if is_program() else someone()
    if asking and everywhere:
        go_back_to(url_for(".account"))
        accounts.log_out_everywhere(shop(), asking.name)
    elif asking:
        _log_out_here(asking)
    leave()
    say(gettext("You are logged out everywhere.") if everywhere else gettext("You are logged out."))
    return reply({"message": "logged out everywhere" if everywhere else "logged out"}, then=url_for("selling.home"))


def _log_out_here(asking: Account) -> None:
    """End this one login. People's browsers forget it in any case, so for them a fault is no reason to stay."""
    login, until = this_login()
    try:
        accounts.log_out(shop(), asking, login, until)
    except (Refused, RedisError) as fault:
        if is_program():
            raise
        current_app.logger.warning("a session is forgotten by its browser alone: %s", fault)


@bp.get("/account")
def account() -> Any:
    """The caller's own account."""
    asking = shopper()
    profile = asking.profile
    pictures_from_anywhere()
    answer = {
        "name": profile.name,
        "age": profile.age,
        "address": profile.address,
        "avatar": profile.avatar,
        "merchant": asking.merchant,
    }
    return reply(answer, page="account.html")


def _next() -> str:
    return local_address(request.values.get("next")) or url_for("selling.home")

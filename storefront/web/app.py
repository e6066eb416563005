"""The web application. ``create_app`` assembles it and decides nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from storefront import cli
from storefront.config import Config
from storefront.shop import Shop
from storefront.web import (
    accounts,
    alike,
    assets,
    bans,
    buying,
    changing,
    drafting,
    faces,
    gate,
    limits,
    merchant_webhooks,
    metrics,
    ops,
    overseeing,
    pictures,
    policing,
    proving,
    proxies,
    sandbox,
    selling,
    show,
    traffic,
    waiting,
    watching,
    webhooks,
    who,
    words,
)
from storefront.web.openapi import views as openapi

ROOT = Path(__file__).parents[2]
LARGEST_BODY = 64 * 1024
LARGEST_FIELD = 4 * LARGEST_BODY
"""Bytes of a form's field that isn't a file. Werkzeug counts what it reads ahead of a file's end, so with no more than
it reads at once, a picture in which that falls badly would be refused."""


class Application(Flask):
    """Flask, which needn't look at each function that it calls, some twenty a request, for whether it is async."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """See ``Flask``. None here is."""
        return func


def create_app(config: Config) -> Flask:
    """The shop as a WSGI application. Connects to nothing; the first request does."""
    app = Application("storefront", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.update(
        SECRET_KEY=config.secret,
        SECRET_KEY_FALLBACKS=list(config.secrets[1:]),
        WTF_CSRF_SECRET_KEY=list(config.secrets[::-1]),  # the newest last, as itsdangerous has it
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_FIELD,
        SESSION_COOKIE_NAME="shop",
        SESSION_COOKIE_SECURE=config.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "storefront" / "translations"),
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["shop"] = shop = Shop(config)
    traffic.init_app(app, config)
    app.before_request(selling.let_pictures_in)
    app.before_request(faces.bound_body)
    show.init_app(app)
    alike.init_app(app)
    who.init_app(app)
    bans.init_app(app)
    limits.init_app(app, config)
    policing.init_app(app, shop)
    faces.init_app(app)
    assets.init_app(app)
    ops.babel.init_app(app, locale_selector=ops.chosen_language)
    words.init_app(app)
    app.context_processor(ops.page_language)
    for bp in (
        accounts.bp,
        selling.bp,
        drafting.bp,
        watching.bp,
        buying.bp,
        sandbox.bp,
        webhooks.bp,
        proving.bp,
        waiting.bp,
        overseeing.bp,
        changing.bp,
        merchant_webhooks.bp,
        bans.bp,
        pictures.bp,
        ops.bp,
        metrics.bp,
        openapi.bp,
    ):
        app.register_blueprint(bp)
    cli.init_app(app)
    if config.gate:
        gate.init_app(app, shop)
    if config.proxies:  # outermost, so that the gate, too, sees who is asking
        proxies.init_app(app, config.proxies)
    return app

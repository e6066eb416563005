"""For scripts, load balancers and people's taste: the clock, health, readiness, the language switch."""

import time
from typing import Any

from flask import Blueprint, current_app, redirect, request, url_for
from flask_babel import Babel, get_locale

from storefront.services import readiness
from storefront.web.faces import json_reply, shop
from storefront.web.limits import limiter
from storefront.web.who import local_address

bp = Blueprint("ops", __name__)

LANGUAGES = {"en": "English", "zh": "中文"}
LOCALES = {"en": "en", "zh": "zh_Hans"}
COOKIE = "language"


def chosen_language() -> str:
    """The visitor's locale: what they chose, else what their browser prefers."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen not in LANGUAGES:
        tags = [tag for tag, quality in request.accept_languages if quality]  # of none it would be: not that one
        wanted = (tag.replace("_", "-").partition("-")[0].lower() for tag in tags)
        chosen = next((language for language in wanted if language in LANGUAGES), "en")
    return LOCALES[chosen]


babel = Babel()


@bp.get("/time")
def clock() -> Any:
    """The clock by which sales open, Unix milliseconds, for countdowns."""
    return json_reply({"now": shop().memory.now_ms()})


@bp.get("/healthz")
@limiter.exempt
def healthz() -> Any:
    """This process answers."""
    return json_reply({"status": "ok"})


@bp.get("/readyz")
@limiter.exempt
def readyz() -> Any:
    """Whether this process can sell, and what of it is in order."""
    found = readiness.look(shop())
    answer = json_reply({"status": found.word, "checks": found.checks}, 200 if found.sells else 503)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/language")
def language() -> Any:
    """Remember the language that the visitor chose."""
    response = redirect(local_address(request.form.get("next")) or url_for("selling.home"), 303)
    wanted = request.form.get("language", "")
    if wanted in LANGUAGES:
        response.set_cookie(
            COOKIE, wanted, max_age=31_536_000, samesite="Lax", httponly=True,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )  # fmt: skip
    return response


def page_language() -> dict[str, Any]:
    """For templates: the language of this page and the ones there are; the server's clock at rendering."""
    return {"language": str(get_locale()).replace("_", "-"), "languages": LANGUAGES, "rendered_at": time.time()}

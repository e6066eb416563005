"""Bans at the door, and the operators' list of them."""

import math
import time
from typing import Any

from flask import Blueprint, Flask, current_app, request, url_for
from flask_babel import gettext

from storefront.domain.ban import Ban
from storefront.domain.errors import N_, Banned
from storefront.services import banning
from storefront.web import show
from storefront.web.faces import InvalidForm, checked, go_back_to, reply, say, shop, submitted
from storefront.web.forms import BanForm, LiftForm
from storefront.web.limits import by_account, by_address, is_allowed
from storefront.web.who import someone

bp = Blueprint("bans", __name__)

OPEN_TO_ALL = {"static", "ops.healthz", "ops.readyz", "metrics.metrics", "ops.language", "accounts.logout"}
"""What needs no permission: health, and what a banned person's page needs."""

SHOWN = 200
"""Bans that the list shows, the newest."""

REASONS = {
    "buying.buy": N_("The buy button was pressed too often."),
    "accounts.do_login": N_("There were too many log-ins."),
    "accounts.do_register": N_("Too many accounts were registered."),
}
OTHERWISE = N_("There were too many requests.")


def reason_of(ban: Ban) -> str:
    """Why somebody is banned, in the reader's language; an operator's own words as they are."""
    return ban.why if ban.by else gettext(REASONS.get(ban.why, OTHERWISE))


def refusal_for(ban: Ban) -> Banned:
    """What whoever is banned is told."""
    facts = {
        "until": show.rfc3339(ban.until),
        "since": show.rfc3339(ban.since),
        "reason": reason_of(ban),
        "limit": ban.limit,
        "refused": ban.refused,
        "contact": shop().config.contact,
    }
    return Banned(ban, max(1, math.ceil(ban.until / 1000 - time.time())), **facts)


def keep_out() -> None:
    """Raises Banned for whoever is."""
    if request.endpoint in OPEN_TO_ALL:
        return
    account = by_account()
    if account in (shop().snapshots.gone() or ()):
        account = ""
    if ban := shop().snapshots.ban_on(account, "" if is_allowed() else by_address()):
        raise refusal_for(ban)


@bp.get("/bans")
def bans() -> Any:
    """Who is banned, why and until when. For operators."""
    banning.require_operator(someone())
    return _listed(BanForm(formdata=None))


@bp.post("/bans")
def ban() -> Any:
    """Ban somebody. For operators."""
    operator = banning.require_operator(someone())
    form = checked(BanForm(submitted(BanForm)), "bans.html", **_context())
    asked = form.data
    made = banning.ban(shop(), asked["whom"], asked["minutes"], asked["why"], operator.name)
    say(gettext("%(name)s is banned now.", name=made.name))
    return reply(_for_programs(made), then=url_for(".bans"))


@bp.post("/bans/lift")
def lift() -> Any:
    """Lift a ban. For operators."""
    banning.require_operator(someone())
    go_back_to(url_for(".bans"))
    form = LiftForm(submitted(LiftForm))
    if not form.validate():
        raise InvalidForm({name: list(sentences) for name, sentences in form.errors.items() if name})
    lifted = banning.lift(shop(), form.data["whom"])
    current_app.extensions["police"].forgive(lifted.whom)
    say(gettext("The ban on %(name)s is lifted.", name=lifted.name))
    return reply({**_for_programs(lifted), "until": None}, then=url_for(".bans"))


def _context() -> dict[str, Any]:
    found = banning.listed(shop())
    return {"bans": found[:SHOWN], "more": len(found[SHOWN:]), "now": show.now()}


def _listed(form: BanForm) -> Any:
    context = _context()
    return reply({"bans": [_for_programs(one) for one in context["bans"]]}, page="bans.html", form=form, **context)


def _for_programs(ban: Ban) -> dict[str, Any]:
    return {
        "whom": ban.name,
        "id": ban.whom,
        "kind": ban.kind,
        "since": show.rfc3339(ban.since),
        "until": show.rfc3339(ban.until),
        "reason": reason_of(ban),
        "limit": ban.limit or None,
        "refused": ban.refused,
        "by": ban.by or None,
        "sale": ban.sale or None,
    }


def init_app(app: Flask) -> None:
    """Keep out of ``app`` whoever is banned. Must come behind ``who.init_app``, and before the limits."""
    app.before_request(keep_out)
    app.jinja_env.globals["reason_of"] = reason_of

"""A merchant changes a running sale. Each change is asked once more, on its own page, and stands in the history."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext

from storefront.domain.account import Account
from storefront.domain.errors import N_, ChangeLost, Ended, SaleCancelled
from storefront.domain.sale import Sale
from storefront.services import changing, overseeing
from storefront.services.changing import Said
from storefront.shop import Shop
from storefront.stores.changes import Line
from storefront.web import drafting, show
from storefront.web.faces import checked, is_program, json_reply, reply, say, shop, shown_again, submitted
from storefront.web.forms import CancelForm, ExtendForm, PauseForm, RestockForm, ShopForm
from storefront.web.limits import by_asker, limiter
from storefront.web.repeating import idempotency_key
from storefront.web.who import someone

bp = Blueprint("changing", __name__)


@dataclass(frozen=True)
class Action:
    """One thing that a merchant may do to a sale: its form, the use case, and the sentence that says it is done."""

    form: type[ShopForm]
    act: Callable[[Shop, Account | None, str, dict[str, Any], Said], Sale]
    done: str
    also_ended: bool = False


ACTIONS = {
    "pause": Action(
        PauseForm,
        lambda shop, who, sale, _, said: changing.pause(shop, who, sale, said),
        N_("The sale is paused."),
    ),
    "resume": Action(
        PauseForm,
        lambda shop, who, sale, _, said: changing.resume(shop, who, sale, said),
        N_("The sale goes on."),
    ),
    "restock": Action(
        RestockForm,
        lambda shop, who, sale, asked, said: changing.restock(shop, who, sale, asked["units"], said),
        N_("The number of units is changed."),
    ),
    "extend": Action(
        ExtendForm,
        lambda shop, who, sale, asked, said: changing.extend(shop, who, sale, asked["time_endkill"], said),
        N_("The sale ends later."),
    ),
    "cancel": Action(
        CancelForm,
        lambda shop, who, sale, _, said: changing.cancel(shop, who, sale, said),
        N_("The sale is cancelled. Its orders are being cancelled too, and what was paid is being returned."),
        also_ended=True,
    ),
}
"""By the last part of their address."""


def possible(sale: Sale, now: float) -> list[str]:
    """What can be done to a sale now, as a merchant reads it."""
    if sale.called_off:
        return []
    if now >= sale.terms.ends:
        return ["cancel"]
    return ["resume" if sale.paused else "pause", "restock", "extend", "cancel"]


ADDRESS = f"/dashboard/<sale_id>/<any({', '.join(ACTIONS)}):action>"


@bp.get(ADDRESS)
def ask(sale_id: str, action: str) -> Any:
    """Ask once more, and tell what will happen."""
    wanted = ACTIONS[action]
    sale = overseeing.sale_of(shop(), someone(), sale_id)
    now = show.now()
    if sale.called_off:
        raise SaleCancelled
    if now >= sale.terms.ends and not wanted.also_ended:
        raise Ended
    if is_program():
        return json_reply(show.sale_for_merchants(sale, now))
    form = wanted.form(formdata=None, zone=drafting.zone())
    return render_template("change.html", form=form, guess=not drafting.knows_zone(), **_context(sale, action))


@bp.post(ADDRESS)
@limiter.limit(lambda: shop().config.limit_sales, key_func=by_asker)
def do(sale_id: str, action: str) -> Any:
    """Do it."""
    wanted = ACTIONS[action]
    asking = someone()
    sale = overseeing.sale_of(shop(), asking, sale_id)
    form = checked(wanted.form(submitted(wanted.form)), "change.html", **_context(sale, action))
    asked: dict[str, Any] = form.data
    try:
        found = wanted.act(shop(), asking, sale_id, asked, Said(asked["why"] or "", _key(action, asked)))
    except ChangeLost:
        shown_again(once=show.new_key())  # the key that it had stands for what is over
        raise
    say(gettext(wanted.done))
    return reply(show.sale_for_merchants(found, show.now()), then=url_for("overseeing.sale", sale_id=sale_id))


def _key(action: str, asked: dict[str, Any]) -> str:
    """What makes a repeat harmless. Another change under the same key is no repeat, and must not be answered as one."""
    key = idempotency_key()
    return f"{key}\x1f{action}\x1f{asked.get('units', '')}\x1f{asked.get('time_endkill', '')}" if key else ""


def _context(sale: Sale, action: str) -> dict[str, Any]:
    once = request.form.get("once", "") or show.new_key()
    return {"sale": sale, "action": action, "once": once, "now": show.now()}


def history_for_programs(lines: list[Line]) -> list[dict[str, Any]]:
    """A sale's history as JSON, the last change in front."""
    return [
        {
            "what": WORDS[line.kind],
            "time": show.rfc3339(line.at),
            "who": line.by_name or None,
            "why": line.why or None,
            **{name: value for name, value in line.facts.items() if name in ("units", "ends")},
        }
        for line in lines
    ]


WORDS = {
    "Opened": "opened",
    "Paused": "paused",
    "Resumed": "resumed",
    "Restocked": "restocked",
    "Withdrew": "withdrawn",
    "Extended": "extended",
    "CalledOff": "cancelled",
}
"""What programs are told of each kind of change."""

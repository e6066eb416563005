"""The merchant's dashboard: their sales, where the units and the money of each are, how it went, and its orders."""

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask_babel import gettext

from storefront.domain.ban import ACCOUNT
from storefront.domain.errors import Malformed
from storefront.domain.sale import OVER, Sale
from storefront.services import buying, overseeing, pictures
from storefront.web import changing, exporting, show
from storefront.web.faces import InvalidForm, json_reply, reply, shop
from storefront.web.who import someone

bp = Blueprint("overseeing", __name__)

POINTS = 300
"""Buckets of a chart, at most."""

LINES = 30
"""Lines of the table that tells the same."""

BANNED = 50
"""Banned accounts that a sale's page names, the newest."""


@bp.get("/dashboard")
def sales() -> Any:
    """The caller's sales, or with ``all=1`` everybody's, for operators."""
    everybodys = {"": False, "1": True}.get(request.args.get("all", ""))
    if everybodys is None:
        raise Malformed
    asking = someone()
    found, following = overseeing.sales_of(shop(), asking, show.cursor(), everybodys=everybodys)
    now = show.now()
    narrowed = {"all": "1"} if everybodys else {}
    answer = {
        "sales": [show.sale_for_merchants(sale, now) for sale in found],
        "next": url_for(".sales", **narrowed, cursor=following, _external=True) if following else None,
    }
    return reply(
        answer,
        page="dashboard.html",
        sales=found,
        everybodys=everybodys,
        is_operator=asking is not None and asking.operator,
        has_nobodys=not everybodys and shop().config.sales_open_to == "anyone",
        narrowed=narrowed,
        next_cursor=following,
        now=now,
    )


@bp.get("/dashboard/<sale_id>")
def sale(sale_id: str) -> Any:
    """One sale. People see it change by itself, unless they asked it not to (``live=0``)."""
    asking = someone()
    found = overseeing.sale_of(shop(), asking, sale_id)
    now = show.now()
    units = found.units
    busy = units.reserved or units.unpaid or found.refunds.due or (found.called_off and units.paid)
    settled = found.phase(now) in OVER and not busy
    history = shop().changes.history(found.id)
    picture = pictures.standing(shop(), found.id, found.terms.image)
    refused, bans = shop().refusals.of(found.id), overseeing.banned_at(shop(), found)
    answer = {
        **show.sale_for_merchants(found, now),
        "refused": refused,
        "bans": show.bans_for_merchants(bans),
        "picture": show.standing_of_picture(picture),
    }
    accounts = [ban for ban in bans if ban.kind == ACCOUNT]
    return reply(
        answer | {"history": changing.history_for_programs(history)},
        page="dashboard_sale.html",
        sale=found,
        now=now,
        picture=picture,
        refused=refused,
        history=history,
        possible=changing.possible(found, now),
        banned=accounts[:BANNED],
        more_banned=len(accounts[BANNED:]),
        banned_addresses=len(bans) - len(accounts),
        is_operator=asking is not None and asking.operator,
        series=_series(found, LINES),
        view=_view(),
        settled=settled,
        live=not settled and request.args.get("live") != "0",
    )


@bp.get("/dashboard/<sale_id>/series")
def series(sale_id: str) -> Any:
    """How a sale went, as figures for a chart. ``view=start`` is of its first minutes alone. The same to both faces."""
    found = overseeing.sale_of(shop(), someone(), sale_id)
    return json_reply(show.series_for_programs(found, _series(found, POINTS)))


def _series(sale: Sale, most: int) -> overseeing.Series:
    return overseeing.series_of(shop(), sale, show.now(), most, beginning=_view() == "start")


def _view() -> str:
    """Of what the figures are wanted, from the query; empty for the whole. Raises Malformed."""
    view = request.args.get("view", "")
    if view not in ("", "start"):
        raise Malformed
    return view


@bp.get("/dashboard/<sale_id>/orders")
def orders(sale_id: str) -> Any:
    """A sale's orders: all, those in one state, or those that are searched for."""
    found = overseeing.sale_of(shop(), someone(), sale_id)
    state, wanted = request.args.get("state", ""), show.search()
    if state and state not in buying.STATES:
        raise InvalidForm({"state": [gettext("Choose one of these: %(choices)s.", choices=", ".join(buying.STATES))]})
    page, following = overseeing.orders_of(shop(), found, state, wanted, request.args.get("cursor", ""))
    narrowed = {name: value for name, value in (("state", state), ("q", wanted)) if value}
    further = url_for(".orders", sale_id=sale_id, **narrowed, cursor=following, _external=True) if following else None
    return reply(
        {"orders": [show.order_for_merchants(order) for order in page], "next": further},
        page="dashboard_orders.html",
        sale=found,
        orders=page,
        state=state,
        q=wanted,
        narrowed=narrowed,
        next_cursor=following,
        now=show.now(),
    )


@bp.get("/dashboard/<sale_id>/orders.csv")
def csv(sale_id: str) -> Response:
    """Every order of a sale as CSV, the same to both faces."""
    found = overseeing.sale_of(shop(), someone(), sale_id)
    return exporting.orders(found, overseeing.all_orders(shop(), found))

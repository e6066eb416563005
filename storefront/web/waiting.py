"""The waitlist of a sale: look where one stands, join, leave."""

from typing import Any

from flask import Blueprint, redirect, url_for
from flask_babel import gettext

from storefront.services import waiting
from storefront.services.waiting import Waiting
from storefront.web.buying import checked_nothing_else
from storefront.web.faces import go_back_to, is_program, reply, say, shop
from storefront.web.limits import by_account, is_allowed, is_nobody, limiter
from storefront.web.proving import asking_for_proof, given_proof
from storefront.web.suspicion import suspected
from storefront.web.who import shopper

bp = Blueprint("waiting", __name__)


@bp.get("/sales/<sale_id>/waitlist")
def place(sale_id: str) -> Any:
    """Where the shopper stands. People see that on the sale's page."""
    found = waiting.look(shop(), shopper(), sale_id)
    if not is_program():
        return redirect(_page(found))
    return reply(_for_programs(found))


@bp.post("/sales/<sale_id>/waitlist")
@limiter.limit(lambda: shop().config.limit_buy_account, key_func=by_account, exempt_when=is_nobody)
@limiter.limit(lambda: shop().config.limit_buy_address, exempt_when=is_allowed)
def join(sale_id: str) -> Any:
    """Wait for a unit to come back, or enter a draw."""
    asking = shopper()
    proof = given_proof()
    seen = waiting.look(shop(), asking, sale_id)
    go_back_to(_page(seen))
    with asking_for_proof(seen.sale.product, sale_id):
        found = waiting.join(shop(), asking, sale_id, proof, suspected=suspected(asking.id))
    if found.place and not found.is_in_draw:
        say(gettext("You are on the waitlist, at place %(place)s.", place=found.place))
    return reply(_for_programs(found), then=_page(found))


@bp.post("/sales/<sale_id>/waitlist/leave")
@limiter.limit(lambda: shop().config.limit_buy_account, key_func=by_account, exempt_when=is_nobody)
def leave(sale_id: str) -> Any:
    """Wait no longer."""
    asking = shopper()
    checked_nothing_else()
    go_back_to(_page(waiting.look(shop(), asking, sale_id)))
    found = waiting.leave(shop(), asking, sale_id)
    say(gettext("You are no longer on the waitlist."))
    return reply(_for_programs(found), then=_page(found))


def _page(found: Waiting) -> str:
    return url_for("selling.sale", product=found.sale.product)


def _for_programs(found: Waiting) -> dict[str, Any]:
    """``place`` is null for one who doesn't wait, or whose draw isn't over.

    ``orders`` are those with which they hold units, an offer too.
    """
    sale = found.sale
    here = url_for(".place", sale_id=sale.id, _external=True)
    return {
        "sale": sale.id,
        "product name": sale.product,
        "place": None if found.is_in_draw or sale.called_off else found.place,
        "in_draw": found.is_in_draw,
        "waiting": sale.waiting,
        "orders": list(found.orders),
        "offer_seconds": shop().config.offer_window,
        "links": {
            "self": here,
            "leave": f"{here}/leave",
            "sale": url_for("selling.sale", product=sale.product, _external=True),
        },
    }

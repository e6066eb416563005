"""What everybody may know of a sale, by its id: its status for those who watch, and a reminder for those who wait."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from storefront.domain.sale import Look
from storefront.services import selling
from storefront.web import reminder, show
from storefront.web.faces import json_reply, shop
from storefront.web.limits import limiter

bp = Blueprint("watching", __name__)


@bp.get("/sales/<sale_id>/status")
@limiter.exempt  # many watch behind one proxy, and mostly this process answers from what it remembers
def status(sale_id: str) -> Any:
    """Where a sale stands and where its units are: the same for everybody, so that proxies may answer it."""
    look = selling.glance_at(shop(), sale_id)
    response = json_reply(show.status_for_programs(look))
    share(response, look)
    response.add_etag()
    return response.make_conditional(request)


def share(response: Response, look: Look) -> None:
    """Let proxies keep what they were told for a second, and for one more while they ask anew.

    Never past the second at which the sale begins or ends: until then what is kept must have run out.
    """
    response.cache_control.public = True
    response.cache_control.max_age = 1 if look.until_turn >= 1 else 0
    if look.until_turn >= 2:
        response.cache_control.stale_while_revalidate = 1
    else:
        response.cache_control.must_revalidate = True


@bp.get("/sales/<sale_id>/reminder.ics")
def remind(sale_id: str) -> Any:
    """The sale as an event for calendars, with an alarm before it begins."""
    look = selling.glance_at(shop(), sale_id)
    address = url_for("selling.sale", product=look.sale.product, _external=True)
    return Response(
        reminder.of(look, address),
        mimetype="text/calendar",
        headers={"Content-Disposition": 'attachment; filename="reminder.ics"'},
    )

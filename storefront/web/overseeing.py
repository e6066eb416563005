"""The merchant's dashboard: their sales, and where the units and the money of each are."""

from typing import Any

from flask import Blueprint, request, url_for

from storefront.domain.sale import Phase
from storefront.services import overseeing, pictures
from storefront.web import show
from storefront.web.faces import reply, shop
from storefront.web.who import someone

bp = Blueprint("overseeing", __name__)


@bp.get("/dashboard")
def sales() -> Any:
    """The caller's sales."""
    found, following = overseeing.sales_of(shop(), someone(), show.cursor())
    now = show.now()
    answer = {
        "sales": [show.sale_for_merchants(sale, now) for sale in found],
        "next": url_for(".sales", cursor=following, _external=True) if following else None,
    }
    return reply(answer, page="dashboard.html", sales=found, next_cursor=following, now=now)


@bp.get("/dashboard/<sale_id>")
def sale(sale_id: str) -> Any:
    """One sale. People see it change by itself, unless they asked it not to (``live=0``)."""
    found = overseeing.sale_of(shop(), someone(), sale_id)
    now = show.now()
    settled = found.phase(now) is Phase.ENDED and not (found.units.reserved or found.units.unpaid or found.refunds.due)
    picture = pictures.standing(shop(), found.id, found.terms.image)
    return reply(
        {**show.sale_for_merchants(found, now), "picture": show.standing_of_picture(picture)},
        page="dashboard_sale.html",
        sale=found,
        now=now,
        picture=picture,
        settled=settled,
        live=not settled and request.args.get("live") != "0",
    )

"""The shop window, a sale's page, and opening a sale."""

import math
from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext

from storefront.domain.errors import (
    AllHeld,
    Drawing,
    Ended,
    LimitReached,
    NotAMerchant,
    NotStarted,
    Refused,
    SaleCancelled,
    SalePaused,
    SoldOut,
    UnitsLeft,
)
from storefront.domain.order import Order
from storefront.domain.sale import OVER, Look, Phase, Sale
from storefront.services import overseeing, selling
from storefront.services.drafting import pattern as pattern_of
from storefront.services.imaging import MOST_BYTES
from storefront.web import alike, drafting, show
from storefront.web.faces import checked, is_program, leave_word, reply, sentence_of, shop, show_form_again, submitted
from storefront.web.forms import SaleForm
from storefront.web.limits import by_asker, limiter
from storefront.web.proving import work_for_sale
from storefront.web.who import now_known, shopper, somebody, someone

bp = Blueprint("selling", __name__)

REASONS: dict[Phase, type[Refused]] = {
    Phase.UPCOMING: NotStarted,
    Phase.LIVE: UnitsLeft,
    Phase.DRAWING: Drawing,
    Phase.ALL_HELD: AllHeld,
    Phase.SOLD_OUT: SoldOut,
    Phase.PAUSED: SalePaused,
    Phase.ENDED: Ended,
    Phase.CANCELLED: SaleCancelled,
}
"""What to say in a phase to those who just couldn't buy."""


NO_MORE = OVER | {Phase.SOLD_OUT}
"""Nobody will buy any more."""

LARGEST_UPLOAD = MOST_BYTES + 4 * 1024 * 1024
"""Bytes of a form with a picture. A picture that is a little too large is then refused beside its field."""


def let_pictures_in() -> None:
    """Take a larger body where it may hold a picture, and from those alone who may open sales."""
    if (
        request.endpoint == "selling.do_create"
        and request.mimetype == "multipart/form-data"
        and selling.may_open_sales(shop(), someone())
    ):
        request.max_content_length = LARGEST_UPLOAD


@bp.get("/")
def home() -> Any:
    """The sales, or those that are searched for: live, upcoming, ended."""
    cursor, wanted = show.cursor(), show.search()
    window = selling.shop_window(shop(), cursor, wanted)
    looks, following = [*window.live, *window.upcoming, *window.ended], window.next_cursor

    def for_programs() -> dict[str, Any]:
        return {
            **({"found": window.found} if wanted else {}),
            "sales": [show.sale_for_programs(look.sale, look.now) for look in looks],
            "next": url_for(".home", q=wanted or None, cursor=following, _external=True) if following else None,
        }

    return reply(for_programs, page="home.html", window=window, now=window.now, wanted=wanted, first=not cursor)


def _why_not(look: Look, held: list[Order]) -> type[Refused] | None:
    """Why somebody who holds these orders can't buy now; None where that isn't so any more, or needs no word."""
    if held:
        return LimitReached if look.phase not in OVER and len(held) >= look.sale.terms.limit else None
    return REASONS.get(look.phase)


def _with_count_of_late(sale: Sale, *, entered: bool) -> Sale:
    """A sale that draws, with the number of entrants within the last second: each one more makes another page."""
    return replace(sale, waiting=max(selling.glance_at(shop(), sale.id).sale.waiting, int(entered)))


@bp.get("/miaosha/<product:product>")
def sale(product: str) -> Any:
    """One sale. Whoever pressed its button in vain is sent here, and told the reason as it is now."""
    visit = selling.visit(shop(), product, somebody())
    asking = now_known(visit.shopper)
    look, held, place, entered = visit.look, visit.held, visit.place, visit.entered
    found = look.sale
    if "refused" in request.args and not is_program() and (reason := _why_not(look, held)):
        leave_word(sentence_of(reason()), "refusal")
    may_buy_from = found.terms.open_from(asking.seniority) if asking else 0
    work = None if look.phase in NO_MORE or is_program() else work_for_sale(found, asking, look.now)
    yours = {"your_orders": [order.id for order in held], "your_place": place, "in_draw": entered}
    return reply(
        lambda: {**show.sale_for_programs(found, look.now), **yours},
        page="sale.html",
        render=render_template if held or visit.last or place or work else alike.render,
        picture_now=show.picture_of(found.id, found.terms.image),
        sale=_with_count_of_late(found, entered=entered) if look.phase is Phase.DRAWING else found,
        phase=look.phase,
        now=look.now,
        held=tuple(held),
        place=place,
        entered=entered,
        may_buy_from=math.ceil(may_buy_from / 1000) if may_buy_from > look.now * 1000 else None,
        put_back=asking is not None and found.terms.is_put_back(asking.seniority),
        work=work,
        offer_window=shop().config.offer_window,
        payment_window=shop().config.payment_window,
        last=visit.last,
        may_oversee=overseeing.may_oversee(shop(), asking, found),
        once=show.new_key(),
        why_cancelled=overseeing.why_called_off(shop(), found) if found.called_off else "",
    )


@bp.get("/createmiaosha")
def create() -> Any:
    """The form for a new sale."""
    merchant = _require_merchant()
    pattern = request.args.get("like")
    if pattern is None:
        return render_template("create.html", form=drafting.empty(), guess=not drafting.knows_zone())
    sale = pattern_of(shop(), merchant, pattern)
    return render_template("create.html", form=drafting.like(sale), pattern=sale)


@bp.post("/createmiaosha")
@limiter.limit(lambda: shop().config.limit_sales, key_func=by_asker)
def do_create() -> Any:
    """Open a sale; or, for people, show what is about to be opened, or the form again."""
    merchant = _require_merchant()
    form = SaleForm(submitted(SaleForm))
    show_form_again(form, "create.html")
    drafting.take_picture(form)
    if form.step.data == "change":
        return render_template("create.html", form=form)
    checked(form, "create.html")
    terms = form.terms()
    if form.step.data == "check":
        selling.require_free_name(shop(), terms)
        drafting.remember_zone(form.zone.data)
        return render_template(
            "confirm.html", form=form, terms=terms, typed=drafting.typed(form), now=show.now(), once=show.new_key()
        )
    terms = replace(terms, image=drafting.put_up_picture(form))
    opening = selling.open_sale(shop(), merchant, terms, key=request.form.get("once", ""))
    answer = {
        "message": "product created successfully",
        "product name": opening.sale.product,
        "sale": opening.sale.id,
        "links": {"sale": _address(opening.sale)},
    }
    if opening.over:
        answer["warning"] = gettext("The window of this sale is already over.")
    elif terms.draw and show.now() >= terms.draw_closes:
        answer["warning"] = gettext("Nobody can enter the draw any more: who presses first, buys first.")
    return reply(answer, then=url_for(".sale", product=opening.sale.product))


def _address(sale: Sale) -> str:
    return url_for("selling.sale", product=sale.product, _external=True)


def _require_merchant() -> Any:
    """The merchant who is asking, or None where anyone may open sales. Raises InvalidToken or NotAMerchant."""
    if shop().config.sales_open_to == "anyone":
        return someone()
    merchant = shopper()
    if not merchant.merchant:
        raise NotAMerchant
    return merchant

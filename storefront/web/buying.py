"""The buy button, and a shopper's orders: look, pay, cancel."""

from typing import Any
from urllib.parse import urljoin

from flask import Blueprint, current_app, redirect, request, session, url_for
from flask_babel import gettext

from storefront.domain.draw import Entering, Entry
from storefront.domain.errors import (
    AllHeld,
    Ended,
    LimitReached,
    NotStarted,
    Refused,
    SaleCancelled,
    SalePaused,
    SoldOut,
    TooFast,
)
from storefront.domain.order import OrderState
from storefront.services import buying, paying, waiting
from storefront.web import show
from storefront.web.faces import (
    InvalidForm,
    go_back_to,
    is_program,
    json_reply,
    reply,
    say,
    send_forms_to,
    shop,
    submitted,
)
from storefront.web.forms import EmptyForm
from storefront.web.limits import COUNTED, OVER, Passed, by_account, is_allowed, is_nobody, limiter
from storefront.web.proving import asking_for_proof, given_proof
from storefront.web.repeating import answered_once, idempotency_key
from storefront.web.sessions import claims_of
from storefront.web.suspicion import suspected
from storefront.web.tally import Tally, Verdict
from storefront.web.who import buyer, shopper

bp = Blueprint("buying", __name__)

TOLD_BY_THE_SALE = (NotStarted, Ended, SalePaused, SaleCancelled, AllHeld, SoldOut, LimitReached)
"""Why nobody can buy now, or nobody who holds so much: a sale's page tells it by itself. A sentence that waits in the
session for the page is lost where two tabs press at once."""


@bp.url_value_preprocessor
def return_to_the_button(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Whoever presses a button and is refused, be it at the door, is led back to the page that has it."""
    if request.method == "POST" and values and not is_program():
        go_back_to(lambda: url_for(".order" if "order_id" in values else "selling.sale", **values))


@bp.before_request
def count_person() -> None:
    """Count a person's purchase where the gate counts programs', mostly without a round trip. Raises TooFast.

    The gate can't: it would have to judge the form, which was done only by now.
    """
    tally: Tally | None = current_app.extensions.get("tally")
    if tally is None or request.endpoint != "buying.buy" or COUNTED in request.environ or is_nobody() or is_program():
        return
    if claims := claims_of(session):
        verdict: Verdict | None = request.environ.get(OVER)
        if verdict is None:
            sale = shop().sales.last_id_of((request.view_args or {})["product"]) or ""
            verdict = tally.count(claims.id, claims.name, request.remote_addr or "", at_once=True, sale=sale)
            if verdict.wait and sale:
                shop().refusals.note(sale, TooFast.code)
        request.environ[COUNTED] = Passed(claims, verdict.fields, verdict.wait)
        if verdict.wait:
            raise TooFast


@bp.post("/miaosha/<product:product>")
@limiter.limit(lambda: shop().config.limit_buy_account, key_func=by_account, exempt_when=is_nobody)
@limiter.limit(lambda: shop().config.limit_buy_address, exempt_when=is_allowed)
@answered_once
def buy(product: str) -> Any:
    """Buy one unit; or, while a sale draws, enter its draw."""
    asking = buyer()
    proof, key = given_proof(), idempotency_key()
    try:
        with asking_for_proof(product):
            purchase = buying.buy(shop(), asking, product, key, proof, suspected=suspected(asking.id))
    except Entering as entering:
        waiting.enter(shop(), entering.entry)
        return _entered(entering.entry, product)
    except Refused as refusal:
        if sale := shop().sales.last_id_of(product):
            shop().refusals.note(sale, refusal.code)
        if is_program() or not isinstance(refusal, TOLD_BY_THE_SALE):
            raise
        return back_to_the_sale(product)
    if not is_program():
        return redirect(url_for(".order", order_id=purchase.order), 303)
    order = show.order_address(purchase.order)
    answer = {
        "success": "订单创建成功",
        "time": show.rfc3339(purchase.at),
        "username": asking.name,
        "product name": product,
        "注意": show.notice(shop().config.payment_window),
        "order": purchase.order,
        "pay_by": show.rfc3339(purchase.pay_by),
        "links": {"order": order, "pay": f"{order}/pay", "cancel": f"{order}/cancel"},
    }
    return json_reply(answer)


def _entered(entry: Entry, product: str) -> Any:
    """Nobody has bought anything yet: hence 202, and no ``success``. The sale's page says it to people."""
    if not is_program():
        return redirect(url_for("selling.sale", product=product), 303)
    answer = {
        "message": "entered the draw",
        "username": entry.record.shopper_name,
        "product name": product,
        "sale": entry.record.sale,
        "draw_closes": show.rfc3339(entry.closes),
        "links": {
            "waitlist": url_for("waiting.place", sale_id=entry.record.sale, _external=True),
            "sale": url_for("selling.sale", product=product, _external=True),
        },
    }
    return json_reply(answer, 202)


def back_to_the_sale(product: str) -> Any:
    """Nobody can buy now. The sale's page tells why, the same to all, so the answer needs no session."""
    return redirect(url_for("selling.sale", product=product, refused=1), 303)


def checked_nothing_else() -> None:
    """Raises InvalidForm if the request carries fields that nobody asked for."""
    submitted(EmptyForm)


@bp.get("/orders")
def orders() -> Any:
    """The shopper's orders, all or those in one state."""
    asking, state = shopper(), request.args.get("state", "")
    if state and state not in buying.STATES:
        raise InvalidForm({"state": [gettext("Choose one of these: %(choices)s.", choices=", ".join(buying.STATES))]})
    found, following = buying.orders_of(shop(), asking, state, request.args.get("cursor", ""))
    narrowed = {"state": state} if state else {}
    answer = {
        "orders": [show.order_for_programs(order) for order in found],
        "next": url_for(".orders", **narrowed, cursor=following, _external=True) if following else None,
    }
    return reply(
        answer, page="orders.html", orders=found, state=state, narrowed=narrowed, next_cursor=following, now=show.now()
    )


@bp.get("/orders/<order_id>")
def order(order_id: str) -> Any:
    """One order. Paid, it is a receipt."""
    found = buying.order_of(shop(), shopper(), order_id)
    sale, elsewhere = shop().sales.get(found.sale), shop().payments.pages
    send_forms_to(elsewhere)
    return reply(
        show.order_for_programs(found), page="order.html", order=found, sale=sale, now=show.now(), elsewhere=elsewhere,
        awaited="awaited" in request.args,
    )  # fmt: skip


@bp.post("/orders/<order_id>/pay")
@limiter.limit(lambda: shop().config.limit_buy_account, key_func=by_account, exempt_when=is_nobody)
@answered_once
def pay(order_id: str) -> Any:
    """Pay an order."""
    asking = shopper()
    checked_nothing_else()
    here = show.order_address(order_id)
    ways = paying.Ways(here, f"{here}/returned")
    begun = paying.pay(shop(), asking, order_id, ways, repeatable=bool(idempotency_key()))
    found = begun.order
    if begun.page:
        page = urljoin(request.url_root, begun.page)
        return reply({**show.order_for_programs(found), "payment": page}, then=page)
    say(gettext("Paid. Thank you!") if found.amount else gettext("Confirmed. Thank you!"))
    return reply(show.order_for_programs(found), then=url_for(".order", order_id=order_id))


@bp.get("/orders/<order_id>/returned")
@limiter.limit(lambda: shop().config.limit_buy_account, key_func=by_account, exempt_when=is_nobody)
def returned(order_id: str) -> Any:
    """A shopper comes back from the payment provider's page."""
    found = paying.returned(shop(), shopper(), order_id)
    if found.state is OrderState.PAID:
        say(gettext("Paid. Thank you!"))
    elif found.state is OrderState.PENDING:
        say(gettext("Your payment is not confirmed yet. This page shows it as soon as it is."))
    awaited = 1 if found.state is OrderState.PENDING else None
    return reply(show.order_for_programs(found), then=url_for(".order", order_id=order_id, awaited=awaited))


@bp.post("/orders/<order_id>/cancel")
@limiter.limit(lambda: shop().config.limit_buy_account, key_func=by_account, exempt_when=is_nobody)
@answered_once
def cancel(order_id: str) -> Any:
    """Cancel an unpaid order."""
    asking = shopper()
    checked_nothing_else()
    found = paying.cancel(shop(), asking, order_id)
    say(gettext("The order is cancelled."))
    return reply(show.order_for_programs(found), then=url_for(".order", order_id=order_id))

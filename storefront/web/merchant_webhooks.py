"""A merchant's webhooks: where they are told of their orders, by which secret, and what became of each attempt."""

from typing import Any

from flask import Blueprint, url_for
from flask_babel import gettext

from storefront.domain.account import Account
from storefront.domain.errors import N_, AddressNotAllowed, NothingFetched
from storefront.domain.event import Event, EventType
from storefront.services import selling, webhooks
from storefront.services.webhooks import Standing
from storefront.stores.webhooks import Attempt
from storefront.web import show
from storefront.web.buying import checked_nothing_else
from storefront.web.faces import InvalidForm, checked, go_back_to, reply, say, shop, submitted
from storefront.web.forms import RedeliverForm, WebhookForm
from storefront.web.limits import by_account, limiter
from storefront.web.who import merchant, shopper

bp = Blueprint("merchant_webhooks", __name__)

WORDS = {
    EventType.PLACED: N_("Order placed"),
    EventType.PAID: N_("Order paid"),
    EventType.EXPIRED: N_("Order expired"),
    EventType.CANCELLED: N_("Order cancelled"),
    EventType.REFUNDED: N_("Money given back"),
    EventType.TEST: N_("Test"),
}
FAULTS = {
    AddressNotAllowed.code: N_("The address is not allowed"),
    NothingFetched.code: N_("There was no answer"),
}

TESTS = "10/minute"
"""How many tests a merchant may send."""


def told() -> Account:
    """Who asks, if they are a merchant, or were one and are still told. Raises InvalidToken or OnlyMerchantsAreTold."""
    account = shopper()
    return account if shop().webhooks.endpoint(account.id) else merchant()


@bp.get("/webhooks")
def standing() -> Any:
    """Where the caller is told of their orders, and the last attempts to do so."""
    asking = told()
    found = webhooks.standing(shop(), asking.id)
    form = WebhookForm(formdata=None)
    form.address.data = found.endpoint.address if found.endpoint else ""
    return reply(_for_programs(found), page="webhooks.html", form=form, **_context(found))


@bp.post("/webhooks")
def put() -> Any:
    """Be told at another address, or nowhere. The latter is open to who is no merchant any more."""
    asking = told()
    context = _context(webhooks.standing(shop(), asking.id))
    form = checked(WebhookForm(submitted(WebhookForm)), "webhooks.html", **context)
    if address := form.data["address"] or "":
        merchant()
    webhooks.set_address(shop(), asking.id, address)
    say(gettext("You are told of your orders there now.") if address else gettext("You are told of nothing any more."))
    then = ".standing" if selling.may_open_sales(shop(), asking) else "overseeing.sales"
    return reply(_for_programs(webhooks.standing(shop(), asking.id)), then=url_for(then))


@bp.post("/webhooks/secret")
def renew_secret() -> Any:
    """Have webhooks signed with another secret."""
    asking = merchant()
    go_back_to(url_for(".standing"))
    checked_nothing_else()
    webhooks.renew_secret(shop(), asking.id)
    say(gettext("Webhooks are signed with another secret now: give it to your receiver."))
    return _answer(asking.id)


@bp.post("/webhooks/redeliver")
def redeliver() -> Any:
    """Be told of an event once more."""
    asking = merchant()
    go_back_to(url_for(".standing"))
    form = RedeliverForm(submitted(RedeliverForm))
    if not form.validate():
        raise InvalidForm({name: list(sentences) for name, sentences in form.errors.items() if name})
    webhooks.redeliver(shop(), asking.id, form.data["event"])
    say(gettext("It is sent once more; look here again in a moment."))
    return _answer(asking.id)


@bp.post("/webhooks/test")
@limiter.limit(TESTS, key_func=by_account)
def send_test() -> Any:
    """Be told of nothing, to see whether webhooks come through."""
    asking = merchant()
    go_back_to(url_for(".standing"))
    checked_nothing_else()
    webhooks.send_test(shop(), asking.id)
    say(gettext("A test is on its way; look here again in a moment."))
    return _answer(asking.id)


def _answer(asking: str) -> Any:
    return reply(_for_programs(webhooks.standing(shop(), asking)), then=url_for(".standing"))


def _context(found: Standing) -> dict[str, Any]:
    return {
        "standing": found,
        "rows": [(attempt, Event(attempt.event, attempt.at)) for attempt in found.attempts],
        "words": WORDS,
        "faults": FAULTS,
        "now": show.now(),
    }


def _for_programs(found: Standing) -> dict[str, Any]:
    endpoint = found.endpoint
    return {
        "address": endpoint.address if endpoint else None,
        "secret": found.secret or None,
        "switched_off": endpoint is not None and endpoint.is_off,
        "waiting": found.waiting,
        "attempts": [_attempt_for_programs(attempt) for attempt in found.attempts],
    }


def _attempt_for_programs(attempt: Attempt) -> dict[str, Any]:
    event = Event(attempt.event, attempt.at)
    return {
        "event": event.id,
        "type": event.type.value,
        "order": event.order,
        "time": show.rfc3339(attempt.at),
        "attempt": attempt.number,
        "status": attempt.status or None,
        "error": attempt.fault or None,
        "taken": attempt.is_good,
        "next_attempt": show.rfc3339(attempt.next_at) if attempt.next_at else None,
    }

"""The page of the hosted sandbox (``gateways/sandbox.py``): people pay, decline, or leave, as with a real provider.

It stands for another company's page, so it knows nobody: whoever has its address may use it.
"""

import logging
from contextvars import Context
from functools import partial
from typing import Any

from flask import Blueprint, current_app, url_for
from flask_babel import gettext
from werkzeug.test import Client
from wtforms import StringField
from wtforms.validators import AnyOf, InputRequired

from storefront.config import Config
from storefront.domain.errors import NoSuchPage
from storefront.gateways.payments import Bill
from storefront.gateways.sandbox import FAILED, SUCCEEDED, HostedSandbox
from storefront.web.faces import checked, reply, shop, submitted
from storefront.web.forms import ShopForm

bp = Blueprint("sandbox", __name__)

log = logging.getLogger(__name__)


def warn_of_no_money(config: Config) -> None:
    """Say in the log that payments move no money, where the shop isn't for loopback alone: it may be in earnest."""
    if config.payments != "stripe" and config.secure_cookies:
        log.warning(
            "PAYMENTS MOVE NO MONEY: whoever presses “Pay” has paid, since STOREFRONT_PAYMENTS is %s. "
            "For real sales set it to stripe (docs/operations.md, “Payments”)",
            config.payments,
        )


class Choice(ShopForm):
    """What somebody does with a payment."""

    action = StringField(validators=[InputRequired(), AnyOf(["pay", "decline", "leave"])])


def _found(payment: str) -> tuple[HostedSandbox, Bill]:
    books = shop().payments
    bill = books.bill(payment) if isinstance(books, HostedSandbox) else None
    if not isinstance(books, HostedSandbox) or bill is None:
        raise NoSuchPage
    return books, bill


@bp.get("/sandbox/<payment>")
def page(payment: str) -> Any:
    """What is to be paid."""
    _, bill = _found(payment)
    return _shown(bill, "")


@bp.post("/sandbox/<payment>")
def choose(payment: str) -> Any:
    """Pay, decline, or leave."""
    books, bill = _found(payment)
    form = checked(Choice(submitted(Choice)), "sandbox.html", bill=bill, declined="")
    if form.action.data == "decline" and not books.look(payment):
        _tell(books, payment, FAILED)
        return _shown(bill, gettext("The payment was declined. Nothing was charged."))
    if form.action.data != "pay":
        return reply({"back": bill.page}, then=bill.page)
    books.charge(payment, bill.amount, bill.currency)
    _tell(books, payment, SUCCEEDED)
    return reply({"back": bill.back}, then=bill.back)


def _shown(bill: Bill, declined: str) -> Any:
    answer = {"amount": bill.amount, "currency": bill.currency, "back": bill.page, "error": declined or None}
    return reply(answer, page="sandbox.html", bill=bill, declined=declined)


def _tell(books: HostedSandbox, payment: str, kind: str) -> None:
    """Send the shop a webhook: to this application, since nobody knows its address but who called it.

    That request is another, so it may see nothing of this one.
    """
    headers, body = books.webhook(payment, kind, shop().memory.now_ms() // 1000)
    address = url_for("webhooks.receive", provider=books.name)
    send = Client(current_app.wsgi_app, use_cookies=False).post
    answer = Context().run(partial(send, address, data=body, headers=headers, content_type="application/json"))
    if answer.status_code != 200:
        log.warning("the sandbox's webhook was answered with %s", answer.status)

"""A sale's orders as CSV (RFC 4180), for spreadsheets: written piece by piece, so that any number of them fits.

With a byte order mark, without which Excel takes UTF-8 for something else; and nothing that a shopper chose is taken
for a formula (OWASP, "CSV Injection").
"""

import csv
import io
import logging
import re
from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from flask import Response
from flask_babel import gettext
from redis.exceptions import RedisError

from storefront.domain.errors import Refused
from storefront.domain.order import Order
from storefront.domain.sale import Sale
from storefront.web import show

log = logging.getLogger(__name__)

BYTE_ORDER_MARK = "\ufeff"

FORMULA = re.compile("[=+\\-@＝＋－＠\t\r\n]")
"""How a cell begins that a spreadsheet takes for a formula; some take full width for half."""

NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
"""What file systems don't take in a file's name."""

LONGEST_NAME = 80


def orders(sale: Sale, pieces: Iterator[list[Order]]) -> Response:
    """The orders as a file to be kept, named for the product.

    The first piece is read at once: a fault that shows there is still told as any other. A later one can only be told
    in the file, whose last line then says so: a browser takes an answer that breaks off for a whole one.
    """
    first = next(pieces, [])
    incomplete = gettext("This file is not complete: the shop's memory stopped answering. Export it again.")
    response = Response(_lines(_headings(), _words(), chain([first], pieces), incomplete), mimetype="text/csv")
    name = NOT_IN_NAMES.sub("_", sale.product)[:LONGEST_NAME]
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"orders-{sale.id}.csv\"; filename*=UTF-8''{quote(f'{name}.csv', safe='')}"
    )
    return response


def _headings() -> list[str]:
    return [
        gettext("Order number"), gettext("Shopper"), gettext("Product"), gettext("Time"), gettext("State"),
        gettext("Amount"), gettext("Currency"), gettext("Pay by"), gettext("Paid at"), gettext("Refund"),
    ]  # fmt: skip


def _words() -> dict[str, str]:
    """States in the reader's language."""
    return {
        "reserved": gettext("Processing"), "releasing": gettext("Processing"), "pending": gettext("Unpaid"),
        "paid": gettext("Paid"), "expired": gettext("Hold expired"), "cancelled": gettext("Cancelled"),
        "released": gettext("Did not go through"), "refused": gettext("Did not go through"),
        "withdrawn": gettext("Did not go through"), "due": gettext("due"), "done": gettext("made"), "": "",
    }  # fmt: skip


def _lines(headings: list[str], words: dict[str, str], pieces: Iterator[list[Order]], incomplete: str) -> Iterator[str]:
    """The file. It must not need the request, which is over by then."""
    yield BYTE_ORDER_MARK + _written([headings])
    try:
        for piece in pieces:
            yield _written([_cells(order, words) for order in piece])
    except (RedisError, Refused) as fault:
        log.warning("an export of orders broke off: %s", fault)
        yield _written([[incomplete]])


def _cells(order: Order, words: dict[str, str]) -> list[str]:
    return [
        order.id,
        safe(order.shopper_name),
        safe(order.product),
        show.rfc3339(order.at),
        words[order.state],
        f"{show.major(order.amount, order.currency):f}",
        order.currency,
        show.rfc3339(order.pay_by),
        show.rfc3339(order.paid_at) if order.paid_at else "",
        words[order.refund],
    ]


def _written(rows: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def safe(text: str) -> str:
    """The text as no spreadsheet takes it for a formula: one that begins like one gets an apostrophe in front."""
    return f"'{text}" if FORMULA.match(text) else text

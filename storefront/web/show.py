"""How values are shown: sales and orders as JSON, money, moments and notices in words.

Filters take the template's context only so that Jinja doesn't compute them once, in the first reader's language.
"""

import math
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from babel import numbers
from babel.dates import get_month_names
from babel.numbers import get_currency_precision
from flask import Flask, request, url_for
from flask_babel import (
    format_datetime,
    format_decimal,
    format_timedelta,
    gettext,
)
from jinja2 import pass_context
from jinja2.runtime import Context
from limits import parse
from werkzeug.routing import PathConverter

from storefront.domain import draw, text, zoned
from storefront.domain.ban import ACCOUNT, ADDRESS, Ban
from storefront.domain.errors import Malformed
from storefront.domain.order import Order
from storefront.domain.picture import Picture
from storefront.domain.sale import Look, Sale
from storefront.services import pictures
from storefront.services.overseeing import Series
from storefront.web import assets, zones
from storefront.web.faces import InvalidForm, sentence_of, shop
from storefront.web.words import in_words, language, span_in_words


class ProductConverter(PathConverter):
    """A product's name in an address: any text, percent-encoded whole, so that slashes and dots survive."""

    regex = ".+"
    part_isolating = False

    def to_python(self, value: str) -> str:
        """The name, in normal form."""
        return text.normal(value)

    def to_url(self, value: str) -> str:
        """The name, percent-encoded whole."""
        return quote(value, safe="")


def cursor() -> int:
    """Where a page of a list begins, from the query. Raises Malformed."""
    given = request.args.get("cursor", "0")
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise Malformed
    return int(given)


LONGEST_SEARCH = 100


def search() -> str:
    """What is searched for, from the query; empty for nothing. Raises InvalidForm."""
    wanted = text.normal(request.args.get("q", ""))
    if len(wanted) > LONGEST_SEARCH:
        raise InvalidForm({"q": [gettext("This is too long: %(max)d characters at most.", max=LONGEST_SEARCH)]})
    return wanted


def new_key() -> str:
    """A fresh idempotency key for a form."""
    return secrets.token_urlsafe(12)


def now() -> float:
    """Redis's clock, Unix seconds."""
    return shop().memory.now_ms() / 1000


def rfc3339(ms: int) -> str:
    """A moment in Unix ms, as RFC 3339 in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_NUMERALS = "零一二三四五六七八九十"


def notice(window: int) -> str:
    """The document's notice, for a payment window of so many seconds. One hour reads exactly as it has it."""
    for length, unit in ((3600, "小时"), (60, "分钟")):
        if window % length == 0:
            count = window // length
            return f"未支付的订单将在{_counted(count)}{'个' if length == 3600 else ''}{unit}之后失效"
    return f"未支付的订单将在{window}秒之后失效"


def _counted(count: int) -> str:
    if count == 2:
        return "两"
    return _NUMERALS[count] if count <= 10 else str(count)


def major(minor: int, currency: str) -> Decimal:
    """An amount in minor units as one in the currency's own."""
    return Decimal(minor).scaleb(-get_currency_precision(currency))


@pass_context
def money(_: Context, minor: int, currency: str) -> str:
    """An amount in minor units, in the reader's way of writing money."""
    return _money(minor, currency, language())


@lru_cache(1000)
def _money(minor: int, currency: str, language: str) -> str:
    return str(numbers.format_currency(major(minor, currency), currency, locale=language))


@pass_context
def decimal(_: Context, value: float) -> str:
    """A number with two decimals at most, in the reader's way of writing numbers."""
    return str(format_decimal(round(value, 2)))


@pass_context
def moment(_: Context, seconds: float) -> str:
    """A moment in Unix seconds, in the reader's way of writing dates, in UTC; script turns it into local time."""
    return in_words(datetime.fromtimestamp(int(min(seconds, 253402300799)), UTC))


@pass_context
def on_clocks(_: Context, seconds: int, zone: str) -> str:
    """A moment in Unix seconds as the clocks of a zone show it, and how far they are ahead of UTC."""
    there = zoned.moment_in(seconds, ZoneInfo(zone))
    shown = format_datetime(there, "medium", rebase=False)
    return f"{shown} {zones.offset_in_words(there.utcoffset() or timedelta())}"


@pass_context
def place(_: Context, zone: str) -> str:
    """The reader's word for the place whose clocks a zone's are."""
    return zones.place_of(zone)


@pass_context
def limit(_: Context, given: str) -> str:
    """A rate limit (such as ``5 per 1 second``) in words."""
    one = parse(given)
    return str(
        gettext(
            "%(count)s in %(time)s",
            count=one.amount,
            time=format_timedelta(timedelta(seconds=one.get_expiry()), threshold=99),
        )
    )


def months() -> list[str]:
    """The reader's short names of the months, January first."""
    return _months(language())


@cache
def _months(language: str) -> list[str]:
    return list(get_month_names("abbreviated", locale=language).values())


@pass_context
def relative(_: Context, seconds: float, moment_now: float) -> str:
    """How long ago a moment was, or in how long it will be, in words; both in Unix seconds."""
    left = math.floor(seconds - moment_now)
    unit = next((unit for unit in (86400, 3600, 60) if abs(left) >= 2 * unit), 1)
    whole = timedelta(seconds=int(left / unit) * unit)  # cut, so that nobody is promised more time than there is
    return str(format_timedelta(whole, threshold=2, add_direction=True))


@pass_context
def span(_: Context, seconds: int) -> str:
    """A length of time in words."""
    return span_in_words(seconds)


def picture_of(sale_id: str, image: str = "") -> Picture | None:
    """The stored picture of a sale, or None; ``image`` is what its terms say, where they are at hand."""
    return pictures.of_sale(shop(), sale_id, image)


def address_of(picture: Picture, width: int = 0, *, external: bool = False) -> str:
    """The address of one of a picture's files, the largest if no ``width`` is given."""
    return url_for("pictures.picture", file=picture.file(width or picture.width), _external=external)


def standing_of_picture(standing: pictures.Standing) -> dict[str, str]:
    """Where a sale's picture stands, as JSON."""
    fault = standing.fault
    return {"state": standing.state.value, **({"code": fault.code, "error": sentence_of(fault)} if fault else {})}


def sale_for_programs(sale: Sale, moment_now: float) -> dict[str, Any]:
    """A sale as JSON: the document's names, and what a buyer may know.

    ``image`` is the address of the picture in this shop; as long as it isn't stored, or if it never can be, it is what
    was given.
    """
    terms = sale.terms
    picture = picture_of(sale.id, terms.image)
    return {
        "name": terms.product,
        "num": terms.num,
        "producter": terms.producter,
        "time_begintokill": terms.begins,
        "time_endkill": terms.ends,
        "price": terms.price,
        "currency": terms.currency,
        "limit": terms.limit,
        "proof": terms.proof,
        "min_account_age": terms.min_account_age,
        "draw": terms.draw,
        "seal": draw.seal_of(sale.seed) if sale.seed else None,
        "seed": told_seed(sale, moment_now),
        "description": terms.description,
        "image": address_of(picture, external=True) if picture else terms.image,
        "merchant": sale.merchant_name or None,
        "sale": sale.id,
        "state": sale.phase(moment_now).value,
        "units": _units(sale),
        "links": {
            "self": url_for("selling.sale", product=terms.product, _external=True),
            "status": url_for("watching.status", sale_id=sale.id, _external=True),
            "reminder": url_for("watching.remind", sale_id=sale.id, _external=True),
            "waitlist": url_for("waiting.place", sale_id=sale.id, _external=True),
            "proof": url_for("proving.challenge", sale_id=sale.id, _external=True),
        },
        "waiting": sale.waiting,
    }


def told_seed(sale: Sale, moment_now: float) -> str | None:
    """What decided a sale's draw, once that is closed; nobody may know it before."""
    return sale.seed if sale.seed and moment_now >= sale.terms.draw_closes else None


def _units(sale: Sale) -> dict[str, int]:
    units = sale.units
    return {
        "total": units.total,
        "left": units.left,
        "reserved": units.reserved,
        "unpaid": units.unpaid,
        "paid": units.paid,
        "expired": units.expired,
    }


def status_for_programs(look: Look) -> dict[str, Any]:
    """What changes of a sale, as JSON. No clock in it: the same state must be the same bytes."""
    terms = look.sale.terms
    return {
        "sale": look.sale.id,
        "state": look.phase.value,
        "time_begintokill": terms.begins,
        "time_endkill": terms.ends,
        "units": _units(look.sale),
        "waiting": look.sale.waiting,
    }


def sale_for_merchants(sale: Sale, moment_now: float) -> dict[str, Any]:
    """A sale as JSON, with what only its merchant may know: amounts in minor units of its currency."""

    def counted(orders: int) -> dict[str, int]:
        return {"orders": orders, "amount": sale.worth(orders)}

    shown = sale_for_programs(sale, moment_now)
    return {
        **shown,
        "adds_up": sale.adds_up,
        "paused": sale.paused,
        "revenue": counted(sale.units.paid),
        "refunds": {"due": counted(sale.refunds.due), "done": counted(sale.refunds.done)},
        "links": {
            **shown["links"],
            "dashboard": url_for("overseeing.sale", sale_id=sale.id, _external=True),
            "orders": url_for("overseeing.orders", sale_id=sale.id, _external=True),
            "csv": url_for("overseeing.csv", sale_id=sale.id, _external=True),
            "series": url_for("overseeing.series", sale_id=sale.id, _external=True),
        },
    }


def series_for_programs(sale: Sale, series: Series) -> dict[str, Any]:
    """How a sale went, as JSON, a column for each figure: moments in Unix seconds, amounts in minor units.

    ``orders`` are those made in a bucket, ``paid`` and ``revenue`` what was paid for by its end since the beginning.
    """
    return {
        "sale": sale.id,
        "currency": sale.terms.currency,
        "width": series.width,
        "start": [bucket.start for bucket in series.buckets],
        "end": [bucket.end for bucket in series.buckets],
        "orders": [bucket.orders for bucket in series.buckets],
        "paid": [bucket.paid for bucket in series.buckets],
        "revenue": [sale.worth(bucket.paid) for bucket in series.buckets],
    }


def bans_for_merchants(bans: list[Ban]) -> dict[str, Any]:
    """Who was banned at a sale, as JSON: accounts by their names, of addresses only how many."""
    return {
        "accounts": [
            {
                "name": ban.name,
                "since": rfc3339(ban.since),
                "until": rfc3339(ban.until),
                "refused": ban.refused,
            }
            for ban in bans
            if ban.kind == ACCOUNT
        ],
        "addresses": sum(ban.kind == ADDRESS for ban in bans),
    }


ANY_ORDER = "an-order"

ROOT_OF_ADDRESSES = ("wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")
"""Of what an address's beginning is made (PEP 3333)."""


def order_address(order_id: str) -> str:
    """Where a program finds an order."""
    here = tuple(map(request.environ.get, ROOT_OF_ADDRESSES))
    return _address_of_any_order(here).replace(ANY_ORDER, order_id)


@lru_cache(64)
def _address_of_any_order(_here: tuple[str | None, ...]) -> str:
    return url_for("buying.order", order_id=ANY_ORDER, _external=True)


def order_for_programs(order: Order) -> dict[str, Any]:
    """An order as JSON."""
    here = order_address(order.id)
    return {
        "order": order.id,
        "product name": order.product,
        "sale": order.sale,
        "state": order.state.value,
        "time": rfc3339(order.at),
        "pay_by": rfc3339(order.pay_by),
        "amount": order.amount,
        "currency": order.currency,
        "charge": order.charge or None,
        "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
        "refund": order.refund or None,
        "links": {"self": here, "pay": f"{here}/pay", "cancel": f"{here}/cancel"},
    }


def order_for_merchants(order: Order) -> dict[str, Any]:
    """An order as JSON, as the sale's merchant sees it."""
    return {
        "order": order.id,
        "username": order.shopper_name,
        "product name": order.product,
        "sale": order.sale,
        "state": order.state.value,
        "time": rfc3339(order.at),
        "pay_by": rfc3339(order.pay_by),
        "amount": order.amount,
        "currency": order.currency,
        "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
        "refund": order.refund or None,
    }


def _place_of(endpoint: str, **values: Any) -> str:
    """``url_for`` for templates. A page has some twenty links, most of which it had a moment ago.

    Whole addresses depend on the caller's as well, and those of static files on the files.
    """
    if "_external" in values:
        return url_for(endpoint, **values)
    if endpoint == "static":
        values["v"] = assets.version(values["filename"])
    return _lasting_place(endpoint, request.script_root, **values)


@lru_cache(1000, typed=True)
def _lasting_place(endpoint: str, _root: str, /, **values: Any) -> str:
    return url_for(endpoint, **values)


def init_app(app: Flask) -> None:
    """Let templates show values this way."""
    app.url_map.converters["product"] = ProductConverter
    app.url_map.merge_slashes = False
    app.jinja_env.globals.update(
        url_for=_place_of,
        picture_of=picture_of,
        address_of=address_of,
        fault_of=sentence_of,
        months=months,
        digits_of=get_currency_precision,
        seal_of=draw.seal_of,
        told_seed=told_seed,
    )
    app.jinja_env.filters.update(
        money=money, decimal=decimal, moment=moment, relative=relative, span=span, rfc3339=rfc3339, limit=limit
    )
    app.jinja_env.filters.update(on_clocks=on_clocks, place=place, offset=zones.offset_in_words)

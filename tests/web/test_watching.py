"""What everybody may know of a sale: its status, which proxies may keep, and its reminder; and files kept for good."""

import gzip
import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from storefront.domain.account import Account
from storefront.domain.errors import NoSaleOfThisId
from storefront.domain.sale import Sale
from storefront.services import buying
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import eventually, unique
from tests.faces import Face, Person


def status_of(app: Flask, sale: Sale, **headers: str) -> TestResponse:
    client = app.test_client(use_cookies=False)
    return client.get(f"/sales/{sale.id}/status", headers={name.replace("_", "-"): headers[name] for name in headers})


def kept_for(answer: TestResponse) -> int:
    """Seconds for which a proxy may answer this, without or while asking anew."""
    return sum(int(seconds) for seconds in re.findall(r"(?:max-age|revalidate)=(\d+)", answer.headers["Cache-Control"]))


def test_a_status_is_the_same_bytes_for_everybody_and_says_nothing_of_anybody(
    app: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account]
) -> None:
    sale, person = a_sale(num=3), Person(app)
    person.log_in(somebody().name)
    known = person.client.get(f"/sales/{sale.id}/status", headers={"Accept-Language": "zh"})
    unknown = status_of(app, sale)
    assert known.data == unknown.data
    assert known.get_etag() == unknown.get_etag()
    assert not known.get_etag()[1]  # it is a strong one
    for answer in (known, unknown):
        assert "Set-Cookie" not in answer.headers
        assert "Vary" not in answer.headers
        assert answer.headers["Cache-Control"] == "public, max-age=1, stale-while-revalidate=1"
    assert unknown.json == {
        "sale": sale.id,
        "state": "live",
        "time_begintokill": sale.terms.begins,
        "time_endkill": sale.terms.ends,
        "units": {"total": 3, "left": 3, "reserved": 0, "unpaid": 0, "paid": 0, "expired": 0},
        "waiting": 0,
    }


def test_a_status_that_did_not_change_is_not_sent_again(
    app: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account], shop: Shop
) -> None:
    sale = a_sale(num=3)
    etag = status_of(app, sale).headers["ETag"]
    again = status_of(app, sale, If_None_Match=etag)
    assert (again.status_code, again.data) == (304, b"")
    buying.buy(shop, somebody(), sale.product)
    changed = eventually(lambda: (new := status_of(app, sale, If_None_Match=etag)).status_code == 200 and new)
    assert changed.json["units"]["left"] == 2


def test_a_status_opens_at_the_second_and_no_proxy_may_keep_it_longer(
    app: Flask, a_sale: Callable[..., Sale], shop: Shop
) -> None:
    sale = a_sale(begins=3)

    def opened() -> bool:
        before = shop.memory.now_ms() / 1000
        answer = status_of(app, sale)
        left = sale.terms.begins - before
        state = str((answer.json or {})["state"])
        if state == "upcoming":
            assert left > 0
            assert kept_for(answer) <= left
        return state == "live"

    eventually(opened)


def test_an_unknown_sale_has_neither_status_nor_reminder(face: Face) -> None:
    for path in ("/sales/00000000000000/status", "/sales/x/status", "/sales/00000000000000/reminder.ics"):
        answer = face.get(path)
        assert answer.status == 404
        assert answer.says(NoSaleOfThisId)


def test_while_the_shop_recovers_a_sale_stays_on_show_and_gives_the_reason(
    app: Flask, a_sale: Callable[..., Sale], shop: Shop
) -> None:
    sale, person = a_sale(), Person(app)
    signed = shop.memory.field(keys.sale(sale.id), "signed")
    assert signed
    shop.memory.redis.hset(keys.sale(sale.id), "signed", "an epoch that is over")
    try:
        page = person.get(f"/miaosha/{sale.product}")
        assert page.status == 200
        assert "putting itself in order" in page.text
        assert "Check again" in page.text
        assert 'aria-disabled="true"' in page.text
        assert (status_of(app, sale).json or {})["state"] == "recovering"
    finally:
        shop.memory.redis.hset(keys.sale(sale.id), "signed", signed)
    eventually(lambda: (status_of(app, sale).json or {})["state"] == "live")


def test_a_hold_that_expired_is_told_where_one_can_buy_again(
    app_with: Callable[..., Flask], a_sale: Callable[..., Sale], somebody: Callable[..., Account]
) -> None:
    sale, person = a_sale(), Person(app_with(payment_window=1))
    person.log_in(somebody().name)
    person.buy(sale.product)
    # A page that reads the sale just before the unit is back, and the order just after, doesn't know of the unit yet.
    told = ("hold on a unit expired", "You can buy again")
    eventually(lambda: all(words in text for text in [person.get(f"/miaosha/{sale.product}").text] for words in told))


NAMES = ["手机" * 40, r"a;b,c\d", "x\u2028y", "END:VEVENT", "Café ½", "a" * 100]


@pytest.mark.parametrize("name", NAMES)
def test_a_reminder_is_a_calendar_file_that_no_name_can_break(
    app: Flask, a_sale: Callable[..., Sale], name: str
) -> None:
    sale = a_sale(begins=3600, ends=7200, product=unique(name))
    answer = app.test_client().get(f"/sales/{sale.id}/reminder.ics")
    assert answer.content_type == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="reminder.ics"'
    folded = answer.data.split(b"\r\n")
    assert folded.pop() == b""
    assert all(len(line) <= 75 and line.decode().isprintable() for line in folded)  # no character is cut in two
    lines = [line.split(":", 1) for line in answer.text.replace("\r\n ", "").split("\r\n")[:-1]]
    assert [value for key, value in lines if key in ("BEGIN", "END")] == [
        "VCALENDAR", "VEVENT", "VALARM", "VALARM", "VEVENT", "VCALENDAR",
    ]  # fmt: skip
    event = dict(lines)
    title = re.sub(r"\\([\\;,])", r"\1", event["SUMMARY"].replace("\\n", "\u2028"))
    assert title == f"Flash sale: {sale.product}"
    assert event["UID"].startswith(sale.id)
    assert event["URL"] == f"http://localhost/miaosha/{quote(sale.product, safe='')}"
    assert (event["TRIGGER"], event["ACTION"]) == ("-PT5M", "DISPLAY")
    moments = [datetime.strptime(event[key], "%Y%m%dT%H%M%S%z").timestamp() for key in ("DTSTART", "DTEND", "DTSTAMP")]
    assert moments[:2] == [sale.terms.begins, sale.terms.ends]
    assert moments[2] < sale.terms.begins


def test_a_file_is_kept_for_good_under_the_address_that_names_its_content(
    app: Flask, somebody: Callable[..., Account]
) -> None:
    person = Person(app)
    person.log_in(somebody().name)
    address = re.search(r'href="(/static/style\.css\?v=\w+)"', person.get("/").text)
    assert address
    named = person.client.get(address.group(1))
    assert named.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert named.headers.get("Vary") == "Accept-Encoding"
    assert "Set-Cookie" not in named.headers
    small = person.client.get(address.group(1), headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(small.data) == named.data
    for other in ("/static/style.css", "/static/style.css?v=old"):
        assert "immutable" not in person.client.get(other).headers["Cache-Control"]

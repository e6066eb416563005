"""What a merchant sees of a sale besides its units: its orders, how they came in, who was banned; who may see it."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from flask import Flask
from redis.exceptions import ConnectionError as RedisGone

from storefront.domain.account import Account
from storefront.domain.ban import ACCOUNT, ADDRESS, Ban
from storefront.domain.errors import InvalidToken, Malformed, NotYourSale, Recovering
from storefront.domain.ids import new_order_id
from storefront.domain.order import Order
from storefront.domain.sale import Sale, Terms
from storefront.services import accounts, banning, buying, overseeing, paying, selling
from storefront.shop import Shop
from storefront.stores import keys
from storefront.web import exporting
from tests.conftest import eventually, unique
from tests.faces import FACES, Face, Person, Program

MANY = 100_000
PLACES = ["", "/series", "/orders", "/orders.csv"]
"""What a merchant alone may see of a sale, by the end of its address."""


@pytest.fixture
def own_sale(shop: Shop, merchant: Account) -> Sale:
    """A merchant's live sale without orders."""
    now = shop.memory.now_ms() // 1000
    return selling.open_sale(shop, merchant, Terms(unique("帽子"), 99, "x", now - 60, now + 3600, price=1050)).sale


@pytest.fixture
def bought(shop: Shop, own_sale: Sale, somebody: Callable[..., Account]) -> Callable[..., str]:
    """Has somebody buy of the merchant's sale, and ``then`` pay or cancel. Returns the order."""

    def make(name: str = "", then: str = "") -> str:
        shopper = somebody(name)
        order = buying.buy(shop, shopper, own_sale.product).order
        buying.placed_order_of(shop, shopper, order)
        if then == "paid":
            paying.pay(shop, shopper, order)
        if then == "cancelled":
            paying.cancel(shop, shopper, order)
        return order

    return make


@pytest.fixture
def strict(app_with: Callable[..., Flask]) -> Flask:
    """A shop in which merchants alone open sales."""
    return app_with(sales_open_to="merchants")


def listed(answer: Any) -> list[str]:
    if answer.json:
        return [order["order"] for order in answer.json["orders"]]
    return re.findall(r'class="code">([0-9a-z]{20})<', answer.text)


# Who may see it


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("place", PLACES)
def test_a_sale_is_seen_by_its_merchant_and_operators_alone(
    strict: Flask, shop: Shop, somebody: Callable[..., Account], merchant: Account, own_sale: Sale, place: str,
    kind: type[Face],
) -> None:  # fmt: skip
    address = f"/dashboard/{own_sale.id}{place}"
    answer = kind(strict).get(address)
    assert answer.says(InvalidToken)
    other, operator = somebody(), somebody()
    accounts.grant_merchant(shop, other.name)
    accounts.grant_operator(shop, operator.name)
    for account, status in ((other, 403), (merchant, 200), (operator, 200)):
        face = kind(strict)
        face.log_in(account.name)
        answer = face.get(address)
        assert answer.status == status
        assert answer.says(NotYourSale) is (status == 403)


@pytest.mark.parametrize("kind", FACES)
def test_everybodys_sales_are_listed_for_operators_alone(
    strict: Flask, shop: Shop, somebody: Callable[..., Account], merchant: Account, own_sale: Sale, kind: type[Face]
) -> None:
    operator, face, other = somebody(), kind(strict), kind(strict)
    accounts.grant_operator(shop, operator.name)
    assert other.get("/dashboard?all=1").says(InvalidToken)
    other.log_in(merchant.name)
    assert other.get("/dashboard?all=1").status == 403
    assert other.get("/dashboard?all=2").status == 400
    face.log_in(operator.name)
    own = face.get("/dashboard")
    assert own_sale.product not in own.text
    assert own.json or 'href="/dashboard?all=1"' in face.get("/").text
    pages, cursor = "", 0
    while own_sale.product not in pages:  # other tests' sales may have begun later
        pages += (page := face.get(f"/dashboard?all=1&cursor={cursor}")).text
        cursor += overseeing.PAGE
        assert f"cursor={cursor}" in page.text or own_sale.product in pages


def test_where_anyone_opens_sales_the_list_says_that_it_holds_everybodys(
    app_with: Callable[..., Flask], strict: Flask, merchant: Account
) -> None:
    sentence = "Anyone may open sales in this shop."
    assert sentence in Person(app_with(sales_open_to="anyone")).get("/dashboard").text
    face = Person(strict)
    face.log_in(merchant.name)
    assert sentence not in face.get("/dashboard").text


# Its orders


@pytest.mark.parametrize("kind", FACES)
def test_orders_are_narrowed_and_searched_for(
    app: Flask, merchant: Account, own_sale: Sale, bought: Callable[..., str], kind: type[Face]
) -> None:
    anna, annabel, bert = (unique(name).replace(" ", "") for name in ("anna", "annabel", "bert"))
    paid, ended, unpaid = bought(anna, "paid"), bought(annabel, "cancelled"), bought(bert)
    face = kind(app)
    face.log_in(merchant.name)

    def found(query: str = "") -> list[str]:
        return listed(face.get(f"/dashboard/{own_sale.id}/orders{query}"))

    assert found() == [unpaid, ended, paid]
    for state, order in {"paid": paid, "ended": ended, "unpaid": unpaid}.items():
        assert found(f"?state={state}") == [order]
    assert found(f"?q={paid}") == [paid]
    assert found(f"?q={bert.upper()}") == [unpaid]
    assert found("?q=ann") == [ended, paid]
    assert found("?q=ann&state=paid") == [paid]
    assert found("?q=nobody") == []
    assert face.get(f"/dashboard/{own_sale.id}/orders?state=nothing").status == 400
    assert face.get(f"/dashboard/{own_sale.id}/orders?cursor=nothing").says(Malformed)


def test_an_order_of_another_sale_is_not_found(
    app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], merchant: Account,
    own_sale: Sale,
) -> None:  # fmt: skip
    shopper, face = somebody(), Program(app)
    other = buying.buy(shop, shopper, a_sale().product).order
    buying.placed_order_of(shop, shopper, other)
    face.log_in(merchant.name)
    assert listed(face.get(f"/dashboard/{own_sale.id}/orders?q={other}")) == []
    assert listed(face.get(f"/dashboard/{own_sale.id}/orders?q={shopper.name}")) == []
    assert face.get(f"/dashboard/{own_sale.id}/orders?cursor={other}").status == 400


def written(shop: Shop, sale: Sale, size: int, at: Callable[[int], int], name: str = "shopper") -> list[str]:
    """Orders that stand in Redis as the scripts write them, made when ``at`` says. Returns their ids, as numbered."""
    ids = [new_order_id(sale.id) for _ in range(size)]
    fields: dict[Any, Any] = {
        "state": "paid", "sale": sale.id, "product": sale.product, "shopper": "x", "amount": 1050, "currency": "CNY",
        "pay_by": 1, "paid_at": 1,
    }  # fmt: skip
    pipeline = shop.memory.redis.pipeline(transaction=False)
    for number, order in enumerate(ids):
        made = at(number)
        pipeline.hset(keys.order(order), mapping={**fields, "shopper_name": f"{name} {number}", "at": made})
        pipeline.zadd(keys.sale_orders(sale.id), {order: made})
        if number % 2000 == 1999:
            pipeline.execute()
    pipeline.execute()
    return ids


def test_pages_show_each_order_once_while_others_come_in_and_where_many_were_made_at_once(
    app: Flask, shop: Shop, merchant: Account, own_sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overseeing, "LOOK", 7)
    face, begin = Program(app), shop.memory.now_ms()
    face.log_in(merchant.name)
    made = written(shop, own_sale, 50, lambda number: begin + number // 30)
    for query in ("", "?state=paid", "?q=shopper", f"?q={quote('shopper 1')}"):
        seen, address = list[str](), f"/dashboard/{own_sale.id}/orders{query}"
        while address:
            page = face.get(address)
            seen += listed(page)
            address = (page.json["next"] or "").removeprefix("http://localhost")
            written(shop, own_sale, 5, lambda _: begin + 100, "late")
        wanted = [one for number, one in enumerate(made) if "1" not in query or f"{number}".startswith("1")]
        assert sorted(one for one in seen if one in made) == sorted(wanted)
        assert len(set(seen)) == len(seen)


def test_a_shopper_of_just_this_name_is_found_first_however_many_ordered_since(
    app: Flask, merchant: Account, own_sale: Sale, bought: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overseeing, "LOOK", 2)
    anna = unique("anna")
    hers, other = bought(anna), bought(f"{anna} b")
    for _ in range(3):
        bought()
    face, pages = Program(app), list[list[str]]()
    face.log_in(merchant.name)
    address = f"/dashboard/{own_sale.id}/orders?q={quote(anna)}"
    while address:
        page = face.get(address)
        pages.append(listed(page))
        address = (page.json["next"] or "").removeprefix("http://localhost")
    assert pages == [[hers], [other], []]


# As CSV


def exported(face: Face, sale: Sale, language: str = "en") -> tuple[list[list[str]], Any]:
    headers = {"Accept-Language": language}
    if isinstance(face, Program):
        headers["Authorization"] = f"Bearer {face.token}"
    response = face.client.get(f"/dashboard/{sale.id}/orders.csv", headers=headers)
    assert response.data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(response.data.decode("utf-8-sig"), newline=""))), response


@pytest.mark.parametrize("kind", FACES)
def test_orders_are_had_as_csv(
    app: Flask, shop: Shop, merchant: Account, own_sale: Sale, bought: Callable[..., str], kind: type[Face]
) -> None:
    paid, unpaid = bought("", "paid"), bought()
    face = kind(app)
    face.log_in(merchant.name)
    rows, response = exported(face, own_sale)
    assert response.data.count(b"\r\n") == response.data.count(b"\n") == 3
    assert response.mimetype == "text/csv"
    assert f"filename*=UTF-8''{quote(f'{own_sale.product}.csv')}" in response.headers["Content-Disposition"]
    head, *lines = [dict(zip(rows[0], row, strict=True)) for row in rows]
    assert [line["Order number"] for line in lines] == [unpaid, paid]
    order = shop.orders.get(paid)
    assert order
    assert lines[1] | head == head
    assert (lines[1]["Shopper"], lines[1]["State"], lines[1]["Amount"], lines[1]["Currency"]) == (
        order.shopper_name, "Paid", "10.50", "CNY",
    )  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[1]["Paid at"])
    assert lines[0]["Paid at"] == ""
    assert exported(face, own_sale, "zh-CN")[0][0][:2] == ["订单编号", "买家"]


def test_asked_for_its_head_a_csv_has_none_of_its_lines(app: Flask, merchant: Account, own_sale: Sale) -> None:
    face = Person(app)
    face.log_in(merchant.name)
    response = face.client.head(f"/dashboard/{own_sale.id}/orders.csv", headers=face.headers)
    assert (response.status_code, response.data, response.mimetype) == (200, b"", "text/csv")


@pytest.mark.parametrize("fault", [RedisGone("gone"), Recovering()], ids=repr)
def test_a_csv_that_breaks_off_says_so(
    app: Flask, shop: Shop, own_sale: Sale, bought: Callable[..., str], fault: Exception
) -> None:
    order = shop.orders.get(bought())
    assert order

    def pieces() -> Iterator[list[Order]]:
        yield [order]
        raise fault

    with app.test_request_context():
        lines = exporting.orders(own_sale, pieces()).get_data(as_text=True).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith(order.id)
    assert "not complete" in lines[2]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_no_spreadsheet_takes_a_name_for_a_formula(begin: str) -> None:
    assert exporting.safe(f"{begin}1+1") == f"'{begin}1+1"
    assert exporting.safe(f"a{begin}1") == f"a{begin}1"


@pytest.mark.timeout(120)
def test_many_orders_are_exported_without_holding_them(app: Flask, shop: Shop, merchant: Account) -> None:
    now = shop.memory.now_ms() // 1000
    sale = selling.open_sale(shop, merchant, Terms(unique("很多"), MANY, "x", now - 60, now + 3600)).sale
    made = written(shop, sale, MANY, lambda number: now * 1000 - number // 3)
    face, seen, memory = Person(app), bytearray(MANY), psutil.Process()
    face.log_in(merchant.name)
    response = face.client.get(f"/dashboard/{sale.id}/orders.csv", headers=face.headers, buffered=False)
    before, most = 0, 0
    for piece, text in enumerate(response.iter_encoded()):
        for line in str(text, "utf-8").splitlines():
            if found := re.search(r",shopper (\d+),", line):
                seen[int(found[1])] += 1
        if piece == 20:
            before = memory.memory_info().rss
            written(shop, sale, 3, lambda _: now * 1000 + 5000, "late")
        if piece >= 20 and piece % 10 == 0:
            most = max(most, memory.memory_info().rss)
    response.close()
    for start in range(0, MANY, 5000):
        shop.memory.redis.unlink(*map(keys.order, made[start : start + 5000]))
    shop.memory.redis.unlink(keys.sale_orders(sale.id))
    assert seen == b"\x01" * MANY
    assert most - before < 6_000_000  # the file itself has 15 MB


# How it went


@pytest.mark.parametrize("kind", FACES)
def test_a_series_tells_when_orders_and_money_came(
    app: Flask, shop: Shop, merchant: Account, own_sale: Sale, bought: Callable[..., str], kind: type[Face]
) -> None:
    for then in ("paid", "", "cancelled", "paid"):
        bought("", then)
    face = kind(app)
    face.log_in(merchant.name)
    response = face.client.get(
        f"/dashboard/{own_sale.id}/series",
        headers={"Authorization": f"Bearer {face.token}"} if isinstance(face, Program) else {},
    )
    told = response.json
    assert told
    assert told["width"] == 1
    assert told["start"][0] == own_sale.terms.begins
    assert sum(told["orders"]) == 4
    assert (told["paid"][0], told["paid"][-1], told["revenue"][-1]) == (0, 2, 2100)
    page = face.get(f"/dashboard/{own_sale.id}")
    if not page.json:
        assert page.text.count('<th scope="row">') <= 31
        assert "CN¥21.00" in page.text


@pytest.mark.parametrize(
    ("age", "width", "buckets"), [(10, 1, 10), (300, 1, 300), (301, 5, 61), (86_400, 300, 288), (10**8, 604_800, 166)]
)
def test_buckets_are_as_wide_as_the_sale_is_long(
    shop: Shop, merchant: Account, age: int, width: int, buckets: int
) -> None:
    now = shop.memory.now_ms() // 1000
    sale = selling.open_sale(shop, merchant, Terms(unique("茶"), 9, "x", now - age, now + 10**6)).sale
    series = overseeing.series_of(shop, sale, now, 300)
    assert (series.width, len(series.buckets)) == (width, buckets)
    assert series.is_longer is (age > 300)
    assert len(overseeing.series_of(shop, sale, now, 300, beginning=True).buckets) == min(age, 300)


def test_a_sale_that_is_over_or_yet_to_come_has_no_buckets_beyond_its_time(shop: Shop, merchant: Account) -> None:
    now = shop.memory.now_ms() // 1000
    over = selling.open_sale(shop, merchant, Terms(unique("茶"), 9, "x", now - 900, now - 880)).sale
    later = selling.open_sale(shop, merchant, Terms(unique("茶"), 9, "x", now + 900, now + 980)).sale
    assert len(overseeing.series_of(shop, over, now, 300).buckets) == 20
    assert overseeing.series_of(shop, later, now, 300).buckets == []
    written(shop, over, 1, lambda _: (now - 870) * 1000)  # offered to one who waited
    assert len(overseeing.series_of(shop, over, now, 300).buckets) == 31
    assert sum(bucket.orders for bucket in overseeing.series_of(shop, over, now, 300).buckets) == 1
    called_off = replace(over, called_off=True, terms=replace(over.terms, ends=now + 900))
    assert len(overseeing.series_of(shop, called_off, now, 300).buckets) == 31


# Who was banned


@pytest.mark.parametrize("kind", FACES)
def test_a_merchant_sees_who_was_banned_at_a_sale_but_nobodys_address(
    app: Flask, shop: Shop, merchant: Account, own_sale: Sale, somebody: Callable[..., Account], kind: type[Face]
) -> None:
    now, pusher, lifted, face = shop.memory.now_ms(), somebody(), somebody(), kind(app)
    for whom, what, name in ((pusher.id, ACCOUNT, pusher.name), (lifted.id, ACCOUNT, lifted.name)):
        for refused in (51, 151):
            shop.bans.write([Ban(whom, what, name, now, now + 60_000, "buying.buy", "5/s", refused, sale=own_sale.id)])
    shop.bans.write([Ban("192.0.2.77", ADDRESS, "192.0.2.77", now, now + 60_000, "buying.buy", sale=own_sale.id)])
    banning.lift(shop, lifted.name)
    face.log_in(merchant.name)
    answer = face.get(f"/dashboard/{own_sale.id}")
    for name in (pusher.name, lifted.name, "192.0.2.77"):
        banning.lift(shop, name) if name != lifted.name else None
    assert pusher.name in answer.text
    assert lifted.name not in answer.text
    assert "192.0.2" not in answer.text
    if answer.json:
        assert [(one["name"], one["refused"]) for one in answer.json["bans"]["accounts"]] == [(pusher.name, 151)]
        assert answer.json["bans"]["addresses"] == 1
    else:
        assert "refused 151 times" in answer.text


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("kind", FACES)
def test_who_presses_a_sales_button_too_often_is_listed_there(
    app_with: Callable[..., Flask], shop: Shop, merchant: Account, own_sale: Sale, somebody: Callable[..., Account],
    kind: type[Face], gate: bool,
) -> None:  # fmt: skip
    app, pusher = app_with(gate=gate, limit_buy_account="1/minute", bans="3/minute"), somebody()
    face = kind(app)
    face.log_in(pusher.name)

    def is_banned() -> bool:
        return any(ban.name == pusher.name for ban in shop.bans.of_sale(own_sale.id, 9))

    def is_banned_after_one_more() -> bool:
        face.buy(own_sale.product)
        return is_banned()

    eventually(lambda: is_banned() or is_banned_after_one_more())
    banning.lift(shop, pusher.name)
    assert not is_banned()

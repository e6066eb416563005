"""Opening sales and looking at them, in both faces."""

import html
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.errors import NoSuchSale, NotAMerchant, SaleNameTaken
from storefront.domain.sale import Sale
from storefront.services import accounts
from storefront.shop import Shop
from tests.conftest import unique
from tests.faces import FACES, Face, Person, Program

EXAMPLE = {
    "name": "iPhone 13",
    "num": 100,
    "producter": "Apple",
    "time_begintokill": 1640995200,
    "time_endkill": 1641081600,
}


def live(**changes: object) -> dict[str, object]:
    now = int(time.time())
    return {**EXAMPLE, "name": unique("iPhone"), "time_begintokill": now - 60, "time_endkill": now + 3600, **changes}


def test_the_documents_example_is_accepted_with_a_warning(app: Flask) -> None:
    answer = Program(app).post("/createmiaosha", EXAMPLE)
    assert answer.status == 200
    assert answer.json["message"] == "product created successfully"
    assert "over" in answer.json["warning"]


def test_a_sale_is_opened_and_can_be_seen(face: Face) -> None:
    fields = live(
        price=599900, limit=2, description="Line one\nline two", proof="suspicion", min_account_age=86400, draw=30
    )
    answer = face.post("/createmiaosha", fields)
    assert answer.status == 200
    assert "Nobody can enter the draw any more" in answer.json.get("warning", "Nobody can enter the draw any more")
    page = face.get(f"/miaosha/{quote(str(fields['name']))}")
    assert str(fields["name"]) in page.text
    if page.json:
        assert page.json["units"] == {"total": 100, "left": 100, "reserved": 0, "unpaid": 0, "paid": 0, "expired": 0}
        assert (page.json["state"], page.json["price"], page.json["limit"]) == ("live", 599900, 2)
        terms = [page.json[name] for name in ("proof", "min_account_age", "draw")]
        assert terms == ["suspicion", 86400, 30]


def test_a_name_whose_sale_has_not_ended_is_refused(face: Face) -> None:
    fields = live()
    assert face.post("/createmiaosha", fields).status == 200
    answer = face.post("/createmiaosha", fields)
    assert answer.status == 409
    assert answer.says(SaleNameTaken)


def test_two_who_open_the_same_sale_at_once_open_one(app: Flask) -> None:
    fields = live()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: Program(app).post("/createmiaosha", fields), range(4)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


def test_a_sale_that_is_over_takes_the_name_from_no_running_one(app: Flask) -> None:
    program, fields = Program(app), live()
    program.post("/createmiaosha", fields)
    over = {**fields, "time_begintokill": 1640995200, "time_endkill": 1641081600}
    assert program.post("/createmiaosha", over).status == 200
    assert program.get(f"/miaosha/{quote(str(fields['name']))}").json["state"] == "live"


@pytest.mark.parametrize("name", ["a/b", "//a", "a/../b", "..a", "50% off?", "#1", "a+b&c=d", "😀 手机", "x" * 100])
def test_any_name_has_an_address(face: Face, name: str) -> None:
    name = f"{name} {unique('')}"
    assert face.post("/createmiaosha", live(name=name)).status == 200
    answer = face.get(f"/miaosha/{quote(name, safe='')}")
    assert answer.status == 200


def test_the_window_lists_live_upcoming_and_ended_sales(face: Face, a_sale: Callable[..., Sale]) -> None:
    sales = [a_sale(), a_sale(begins=600), a_sale(begins=-100, ends=-50)]
    pages = ""
    address: str | None = "/"
    while address:
        page = face.get(address)
        pages += page.text
        more = re.search(r'href="(/\?cursor=\d+)"', page.text)
        address = page.json.get("next") if page.json else more and more.group(1)
    for sale in sales:
        assert sale.product in pages


def test_the_newest_live_sale_stands_in_front(app: Flask, a_sale: Callable[..., Sale]) -> None:
    older, newest = a_sale(begins=-30), a_sale(begins=-1)
    listed = [sale["name"] for sale in Program(app).get("/").json["sales"] if sale["state"] == "live"]
    assert listed.index(newest.product) < listed.index(older.product)  # other tests' sales begin, too


def test_a_search_finds_every_sale_whose_name_holds_its_words(face: Face, a_sale: Callable[..., Sale]) -> None:
    word = unique("Q").replace(" ", "")
    sales = [
        a_sale(product=f"{word} 降噪 Kopfhörer"),
        a_sale(product=f"KOPFHÖRER {word.upper()}", begins=600),
        a_sale(product=f"Ｋopfhörer für {word}", begins=-100, ends=-50),
    ]
    a_sale(product=f"{word} Lampe")
    page = face.get(f"/?q={quote(f'  kopfhörer {word.lower()} ')}")
    assert all(sale.product in page.text for sale in sales)
    assert "Lampe" not in page.text
    if page.json:
        assert (page.json["found"], page.json["next"]) == (3, None)
    else:
        assert "Found: 3" in page.text
        assert f'value="kopfhörer {word.lower()}"' in page.text  # what was typed stays


def test_a_search_goes_on_over_its_pages(face: Face, a_sale: Callable[..., Sale]) -> None:
    word = unique("page").replace(" ", "")
    names = {a_sale(product=f"{word} {number}", ends=-10 if number % 2 else 3600).product for number in range(26)}
    first = face.get(f"/?q={word}")
    more = re.search(r'href="(/\?[^"]*cursor=\d+[^"]*)"', first.text)
    assert first.json or more
    second = face.get(first.json["next"] if more is None else html.unescape(more.group(1)))
    found = {name for name in names if any(re.search(rf"{name}\b", page.text) for page in (first, second))}
    assert found == names
    assert "cursor" not in str(second.json.get("next", ""))


def test_a_search_that_finds_nothing_says_so_and_one_that_is_too_long_is_refused(face: Face) -> None:
    nothing = face.get("/?q=no-such-thing")
    assert nothing.status == 200
    assert nothing.json.get("found") == 0 if nothing.json else "No product" in nothing.text
    assert face.get(f"/?q={'x' * 101}").status == 400


def test_an_unknown_product_is_not_found(face: Face) -> None:
    answer = face.get("/miaosha/nothing%20here")
    assert answer.status == 404
    assert answer.says(NoSuchSale)


@pytest.mark.parametrize("kind", FACES)
def test_only_merchants_open_sales_in_production(
    kind: type[Face], app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account]
) -> None:
    account = somebody()
    face = kind(app_with(sales_open_to="merchants"))
    answer = face.post("/createmiaosha", live())
    if isinstance(face, Program):
        assert (answer.status, answer.json["error"]) == (401, "Invalid token")
    else:
        assert answer.first == 303  # to the log-in page
    face.log_in(account.name)
    answer = face.post("/createmiaosha", live())
    assert answer.status == 403
    assert answer.says(NotAMerchant)
    accounts.grant_merchant(shop, account.name)
    fields = live()
    assert face.post("/createmiaosha", fields).status == 200
    assert shop.sales.of_product(str(fields["name"])).merchant == account.id  # type: ignore[union-attr]
    accounts.revoke_merchant(shop, account.name)
    assert face.post("/createmiaosha", live()).status == 403


def test_a_merchant_types_local_times(app: Flask, shop: Shop) -> None:
    fields = live(time_begintokill="2030-01-01T10:00", time_endkill="2030-01-01T12:00:30", zone="Asia/Shanghai")
    assert Person(app).post("/createmiaosha", fields).status == 200
    sale = shop.sales.of_product(str(fields["name"]))
    assert sale is not None
    assert (sale.terms.begins, sale.terms.ends) == (1893463200, 1893470430)  # 02:00:00Z and 04:00:30Z

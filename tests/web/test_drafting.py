"""Opening a sale as people do: checked first, then opened; money, clocks and the picture on the way."""

import html
import io
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from PIL import Image

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.errors import NoSaleOfThisId, NotYourSale, SaleNameTaken
from storefront.domain.picture import Picture
from storefront.domain.sale import Sale
from storefront.services import accounts
from storefront.shop import Shop
from storefront.stores import drafts
from storefront.web.forms import LAST_SECOND
from tests.conftest import unique
from tests.faces import Person, Program
from tests.web.test_pictures import file, png, shown_in
from tests.web.test_sales import live

PATH = "/createmiaosha"


def hidden(page: str) -> dict[str, str]:
    """What a page's own form would send, from its last form's hidden fields."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.rpartition("<form")[2])
    return {name: html.unescape(value) for name, value in found if name != "csrf_token"}


def filled_in(page: str) -> dict[str, str]:
    """What is filled in in the form for a new sale."""
    form = page.rpartition('enctype="multipart/form-data"')[2]
    texts = re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', form.replace('type="checkbox" value="y"', ""))
    choices = re.findall(r'<select[^>]* name="(\w+)".*?<option[^>]* selected value="([^"]*)"', form, re.DOTALL)
    return {name: html.unescape(value) for name, value in [*texts, *choices]}


def check(person: Person, **fields: object) -> dict[str, str]:
    """Send the form, and return what the page that asks whether all is right would send."""
    answer = person.post(PATH, live(step="check", **fields))
    assert answer.status == 200, answer.text
    assert "Check the sale" in answer.text
    return hidden(answer.text)


def test_a_person_sees_the_sale_before_it_opens_and_can_go_back(app: Flask, shop: Shop) -> None:
    person = Person(app)
    sent = check(person, amount="1,059.90", description="one\ntwo <b>", limit="2")
    assert shop.sales.of_product(sent["name"]) is None
    form = person.post(PATH, {**sent, "step": "change"})
    assert form.status == 200
    for value in (sent["name"], "1,059.90", "one\ntwo &lt;b&gt;", sent["time_begintokill"]):
        assert value in form.text
    assert 'id="summary"' not in form.text
    assert person.post(PATH, {**sent, "step": "open"}).first == 303
    sale = shop.sales.of_product(sent["name"])
    assert sale is not None
    assert (sale.terms.price, sale.terms.description, sale.terms.limit) == (105_990, "one\ntwo <b>", 2)


def test_a_second_press_leads_to_the_sale_that_the_first_opened(app: Flask, shop: Shop) -> None:
    person = Person(app)
    sent = check(person) | {"step": "open"}
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: person.client.post(PATH, data=typed_by(person, sent)), range(3)))
    assert {answer.status_code for answer in answers} == {303}
    assert person.post(PATH, sent).first == 303
    over = check(person, time_begintokill=1, time_endkill=2) | {"step": "open"}  # whose name is free all the time
    assert [person.post(PATH, over).first for _ in range(2)] == [303, 303]
    assert len(shop.sales.named([over["name"].casefold().split()[-1]], 5000)) == 1


def typed_by(person: Person, fields: dict[str, str]) -> dict[str, str]:
    return {"csrf_token": person.csrf(), **fields}


def test_what_was_hidden_is_judged_again(app: Flask, shop: Shop) -> None:
    person = Person(app)
    sent = check(person)
    assert person.post(PATH, {**sent, "step": "open", "num": "0"}).status == 400
    assert person.post(PATH, {**sent, "step": "something"}).status == 400
    assert shop.sales.of_product(sent["name"]) is None


def test_a_name_that_is_taken_is_told_when_the_form_is_checked(app: Flask, a_sale: Callable[..., Sale]) -> None:
    answer = Person(app).post(PATH, live(step="check", name=a_sale().product))
    assert (answer.status, answer.says(SaleNameTaken)) == (409, True)


@pytest.mark.parametrize(
    ("begins", "ends", "told"),
    [(-7200, -3600, "is already over: it ended 1 hour ago"), (-7200, 60, "has begun already: it began 2 hours ago")],
)
def test_a_window_that_is_over_or_has_begun_is_pointed_out(app: Flask, begins: int, ends: int, told: str) -> None:
    now = int(time.time())
    fields = live(time_begintokill=now + begins - 5, time_endkill=now + ends - 5, step="check")
    answer = Person(app).post(PATH, fields)
    assert told in answer.text.replace("60 minutes", "1 hour").replace("120 minutes", "2 hours")


# Money


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("59.99", "CNY", 5999), ("1,234", "USD", 123_400), ("500", "JPY", 500), ("５９．９０", "CNY", 5990)],
)  # fmt: skip
def test_people_type_money_as_they_write_it(app: Flask, shop: Shop, amount: str, currency: str, minor: int) -> None:
    fields = live(amount=amount, currency=currency)
    assert Person(app).post(PATH, fields).first == 303
    sale = shop.sales.of_product(str(fields["name"]))
    assert sale is not None
    assert sale.terms.price == minor


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [
        ("59.999", "CNY", "Prices in CNY have at most 2 digits behind the point."),
        ("59.5", "JPY", "Prices in JPY are whole numbers."),
        ("59,99", "CNY", "Write the price as a number, for example 59.99."),
        ("12_3", "CNY", "Write the price as a number, for example 59.99."),
        ("1e5", "CNY", "Write the price as a number, for example 59.99."),
        ("NaN", "CNY", "Write the price as a number, for example 59.99."),
        ("0", "EUR", "The price must be between €0.01 and €10,000,000,000.00."),
        ("9" * 40, "EUR", "The price must be between €0.01 and €10,000,000,000.00."),
        ("-3", "CNY", "The price must be between"),
    ],
)
def test_other_money_is_refused_in_a_sentence_and_stays_as_typed(
    app: Flask, amount: str, currency: str, told: str
) -> None:
    answer = Person(app).post(PATH, live(amount=amount, currency=currency))
    assert answer.status == 400
    assert f'id="amount-error">{told}' in answer.text
    assert f'name="amount" type="text" value="{amount}"' in answer.text


@pytest.mark.parametrize("field", ["amount", "draft", "no_picture", "step"])
def test_what_people_alone_are_asked_is_unknown_to_programs(app: Flask, field: str) -> None:
    answer = Program(app).post(PATH, live(**{field: "1"}))
    assert (answer.status, list(answer.json["fields"])) == (400, [field])


# Clocks


def test_a_time_that_no_clock_shows_is_refused_with_the_nearest_that_are(app: Flask) -> None:
    fields = live(time_begintokill="2031-03-30T02:30", time_endkill="2031-03-31T00:00", zone="Europe/Berlin")
    answer = Person(app).post(PATH, fields)
    assert answer.status == 400
    said = re.search(r'id="time_begintokill-error">([^<]+)<', answer.text)
    assert said
    told = re.sub(r"\s", " ", html.unescape(said[1]))
    assert "in Berlin: the clocks go forward that day from 2:00 AM to 3:00 AM." in told
    assert "The nearest times are 1:59 AM and 3:00 AM." in told
    assert 'value="2031-03-30T02:30"' in answer.text
    assert Person(app).post(PATH, {**fields, "zone": "Asia/Shanghai"}).first == 303


@pytest.mark.parametrize(
    ("begins", "ends", "zone", "status"),
    [
        ("2011-12-30T10:00", "2031-01-01T00:00", "Pacific/Apia", 400),  # a day that Samoa left out
        ("0001-01-01T00:00", "9999-12-31T23:59", "Asia/Shanghai", 400),
        ("9999-12-31T23:00", "9999-12-31T23:59", "America/New_York", 400),
        ("1970-01-02T00:00", str(LAST_SECOND), "Pacific/Kiritimati", 200),
    ],
)
def test_the_ends_of_time_are_judged_too(app: Flask, begins: str, ends: str, zone: str, status: int) -> None:
    fields = live(time_begintokill=begins, time_endkill=ends, zone=zone, step="check")
    assert Person(app).post(PATH, fields).status == status


def test_a_time_that_comes_twice_is_the_first_and_that_is_said(app: Flask, shop: Shop) -> None:
    person = Person(app)
    fields = live(time_begintokill="2031-10-26T02:30", time_endkill="2031-10-27T00:00", zone="Europe/Berlin")
    answer = person.post(PATH, {**fields, "step": "check"})
    assert "Clocks in Berlin show this time twice that day." in answer.text
    assert "at UTC+2, not the second, at UTC+1." in answer.text
    person.post(PATH, hidden(answer.text) | {"step": "open"})
    sale = shop.sales.of_product(str(fields["name"]))
    assert sale is not None
    assert sale.terms.begins == datetime.fromisoformat("2031-10-26T02:30+02:00").timestamp()


@pytest.mark.parametrize("zone", ["America/Argentina/San_Juan", "Asia/Calcutta", "Pacific/Kiritimati"])
def test_every_zone_can_be_chosen_under_any_of_its_names(app: Flask, zone: str) -> None:
    person, fields = Person(app), live(time_begintokill="2031-01-01T10:00", time_endkill="2031-01-01T11:00", zone=zone)
    assert person.post(PATH, fields).first == 303
    assert person.post(PATH, live(zone="Mars/Olympus")).status == 400


def test_where_no_zone_is_given_it_is_the_first_of_those_offered(app: Flask, shop: Shop) -> None:
    fields = live(time_begintokill="2031-01-01T10:00", time_endkill="2031-01-01T11:00", zone="")
    assert Person(app).post(PATH, fields).first == 303
    sale = shop.sales.of_product(str(fields["name"]))
    assert sale is not None
    assert sale.terms.begins == datetime.fromisoformat("2031-01-01T10:00+08:00").timestamp()


# The picture


def test_an_uploaded_picture_survives_mistakes_and_both_steps(app: Flask, shop: Shop) -> None:
    person, fields = Person(app), live(num=0, step="check")
    wrong = person.post(PATH, {**fields, "picture": file(png(3))})
    assert wrong.status == 400
    draft = hidden(wrong.text)["draft"]
    shown = person.client.get(f"{PATH}/pictures/{draft}")
    assert (shown.status_code, shown.mimetype) == (200, "image/webp")
    assert "private" in shown.headers["Cache-Control"]
    assert Person(app).client.get(f"{PATH}/pictures/{draft}").status_code == 404  # it is nobody else's
    asked = person.post(PATH, {**fields, "num": 3, "draft": draft})
    assert f"{PATH}/pictures/{draft}" in asked.text
    assert person.post(PATH, hidden(asked.text) | {"step": "open"}).first == 303
    sale = shop.sales.of_product(str(fields["name"]))
    assert sale is not None
    assert sale.terms.image == f"picture:{draft}"
    kept = shop.pictures.of_sale(sale.id)  # so that a shopper's orders show it
    assert kept
    assert kept.name == draft
    assert person.client.get(shown_in(person.get(f"/miaosha/{fields['name']}").text)[0]).status_code == 200


def test_a_picture_can_be_left_out_again_and_nobody_elses_is_taken(app: Flask) -> None:
    person = Person(app)
    sent = check(person, picture=file(png(4)))
    assert "draft" not in hidden(person.post(PATH, {**sent, "step": "check", "no_picture": "y"}).text)
    answer = Person(app).post(PATH, {**sent, "step": "open"})
    assert answer.status == 400
    assert "This picture is kept no longer. Please choose the file again." in answer.text


def test_drafts_are_few_and_do_not_grow_old(shop: Shop, config: Config) -> None:
    folder = Path(config.pictures, "drafts")
    pictures = []
    for seed in range(drafts.MOST_OF_ONE + 2):
        picture, files = redrawn(seed)
        shop.drafts.keep("a hoarder", picture, files)
        pictures.append(picture)
    assert [shop.drafts.path("a hoarder", picture) is not None for picture in pictures[:3]] == [False, False, True]
    places = {place for place in folder.iterdir() if place.name.endswith(pictures[-1].name)}
    for place in places:
        os.utime(place, (1, 1))
    shop.drafts.keep("somebody else", *redrawn(99))
    assert shop.drafts.path("a hoarder", pictures[-1]) is None


def redrawn(seed: int) -> tuple[Picture, dict[str, bytes]]:
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "WEBP")
    picture = Picture(f"{seed:032x}", 40, 30)
    return picture, {picture.file(40): out.getvalue()}


# Once more


def test_a_sale_is_duplicated_for_a_day_ahead_with_its_picture(
    app_with: Callable[..., Flask], shop: Shop, merchant: Account
) -> None:
    person = Person(app_with(sales_open_to="merchants"))
    person.log_in(merchant.name)
    name = unique("灯 & lamp")
    fields = {
        "num": 7,
        "limit": 2,
        "amount": "12.50",
        "currency": "EUR",
        "min_account_age": 86400,
        "proof": "on",
        "draw": 30,
    }
    window = {"time_begintokill": "2024-05-01T10:00", "time_endkill": "2024-05-01T12:30", "zone": "Asia/Shanghai"}
    assert person.post(PATH, live(name=name, picture=file(png(5)), **fields, **window)).first == 303
    old = shop.sales.of_product(name)
    assert old is not None
    page = person.get(f"{PATH}?like={old.id}").text
    begins = datetime.fromisoformat(filled_in(page)["time_begintokill"])
    now = datetime.now(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None)
    assert timedelta() < begins - now <= timedelta(days=1)
    assert (begins.hour, begins.minute) == (10, 0)
    asked = person.post(PATH, {**filled_in(page), "step": "check"})
    assert person.post(PATH, hidden(asked.text) | {"step": "open"}).first == 303
    new = shop.sales.of_product(name)
    assert new is not None
    assert new.id != old.id
    assert new.terms.ends - new.terms.begins == 9000
    same = ("num", "limit", "price", "currency", "min_account_age", "proof", "draw", "image", "producter")
    assert [getattr(new.terms, field) for field in same] == [getattr(old.terms, field) for field in same]


def test_a_sale_is_duplicated_by_its_merchant_or_an_operator_alone(
    app_with: Callable[..., Flask], shop: Shop, merchant: Account, somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:  # fmt: skip
    person, sale = Person(app_with(sales_open_to="merchants")), a_sale()
    person.log_in(merchant.name)
    assert person.get(f"{PATH}?like={sale.id}").says(NotYourSale)
    assert person.get(f"{PATH}?like=nothing").says(NoSaleOfThisId)
    accounts.grant_operator(shop, merchant.name)
    assert sale.product in person.get(f"{PATH}?like={sale.id}").text

"""The buy button, and one's orders, in both faces."""

import html
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.errors import (
    AllHeld,
    AlreadyPaid,
    Cancelled,
    Ended,
    Expired,
    InFlight,
    LimitReached,
    NoSuchOrder,
    NoSuchSale,
    NotStarted,
    Recovering,
    SoldOut,
)
from storefront.domain.sale import Sale
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import eventually
from tests.faces import FACES, Face, Person, Program


@pytest.fixture
def shopper(face: Face, somebody: Callable[..., Account]) -> Face:
    """A logged-in caller of each face in turn."""
    face.log_in(somebody().name)
    return face


def state_of(shop: Shop, order: str) -> str:
    found = shop.orders.get(order)
    return found.state if found else "none"


def test_a_purchase_is_answered_as_the_document_writes_it(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    program, account, sale = Program(app), somebody(), a_sale()
    program.log_in(account.name)
    answer = program.buy(sale.product)
    assert answer.status == 200
    documented = {name: answer.json[name] for name in ("success", "username", "product name", "注意")}
    assert documented == {
        "success": "订单创建成功",
        "username": account.name,
        "product name": sale.product,
        "注意": "未支付的订单将在一个小时之后失效",
    }
    made, pay_by = (datetime.fromisoformat(answer.json[name]) for name in ("time", "pay_by"))
    assert pay_by - made == timedelta(hours=1)
    assert program.get(answer.json["links"]["order"]).json["order"] == answer.order
    assert "订单创建成功" in answer.text  # as UTF-8, not as escapes


@pytest.mark.parametrize(
    ("window", "words"), [(7200, "两个小时"), (90, "90秒"), (600, "十分钟"), (900, "15分钟"), (5, "5秒")]
)
def test_the_notice_follows_the_payment_window(
    app_with: Callable[..., Flask],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    window: int,
    words: str,
) -> None:
    program = Program(app_with(payment_window=window))
    program.log_in(somebody().name)
    assert program.buy(a_sale().product).json["注意"] == f"未支付的订单将在{words}之后失效"


def test_a_person_is_led_to_the_order(
    shop: Shop, app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    person = Person(app)
    person.log_in(somebody().name)
    answer = person.buy(a_sale().product)
    assert (answer.first, answer.status) == (303, 200)
    eventually(lambda: state_of(shop, answer.order) == "pending")
    assert f"/orders/{answer.order}/pay" in person.get(f"/orders/{answer.order}").text


def test_buying_asks_who_one_is(app: Flask, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale()
    answer = Program(app).buy(sale.product)
    assert (answer.status, answer.json["error"]) == (401, "Invalid token")
    person = Person(app)
    address = f"/miaosha/{quote(sale.product)}"
    response = person.client.post(address, data={"csrf_token": person.csrf()}, headers=person.headers)
    assert response.status_code == 303
    assert response.headers["Location"].startswith("/login?next=/miaosha/")


def test_a_sale_that_has_not_begun_is_refused(shopper: Face, a_sale: Callable[..., Sale]) -> None:
    assert shopper.buy(a_sale(begins=600).product).says(NotStarted)


def test_a_sale_that_is_over_is_refused(shopper: Face, a_sale: Callable[..., Sale]) -> None:
    assert shopper.buy(a_sale(begins=-600, ends=-60).product).says(Ended)


def test_an_unknown_product_cannot_be_bought(shopper: Face) -> None:
    answer = shopper.buy("nothing here")
    assert answer.status == 404
    assert answer.says(NoSuchSale)


def test_a_shopper_at_the_limit_is_told_which_order_they_hold(shopper: Face, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(num=5, limit=2)
    held = [shopper.buy(sale.product).order for _ in range(2)]
    answer = shopper.buy(sale.product)
    assert answer.says(LimitReached)
    if answer.json:
        assert answer.status == 409
        assert (answer.json["order"], answer.json["orders"]) == (held[-1], held)


def test_who_holds_all_they_may_is_told_so_though_another_tab_sets_its_cookie_meanwhile(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    person, sale = Person(app), a_sale(num=2)
    person.log_in(somebody().name)
    person.buy(sale.product)
    before = person.client.get_cookie("shop")
    assert before
    pressed = person.client.post(f"/miaosha/{quote(sale.product)}", data={"csrf_token": person.csrf()})
    person.client.set_cookie("shop", before.value)
    page = person.client.get(pressed.headers["Location"], headers={"Accept": "text/html"}).text
    assert html.escape(LimitReached.sentence) in page


def test_held_units_may_return_and_paid_ones_do_not(
    shopper: Face, app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, other = a_sale(num=1), Program(app)
    other.log_in(somebody().name)
    order = other.buy(sale.product).order
    assert shopper.buy(sale.product).says(AllHeld)
    assert other.post(f"/orders/{order}/pay").status == 200
    assert shopper.buy(sale.product).says(SoldOut)


def test_a_cancelled_unit_is_sold_again_also_to_the_same_shopper(
    shopper: Face, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(num=1)
    first = shopper.buy(sale.product).order
    assert shopper.post(f"/orders/{first}/cancel").status == 200
    assert state_of(shop, first) == "cancelled"
    second = shopper.buy(sale.product).order
    assert second
    assert second != first


def test_paying_and_what_comes_after(shopper: Face, shop: Shop, a_sale: Callable[..., Sale]) -> None:
    order = shopper.buy(a_sale(num=2, limit=2).product).order
    assert shopper.post(f"/orders/{order}/pay").status == 200
    assert state_of(shop, order) == "paid"
    assert shopper.post(f"/orders/{order}/pay").says(AlreadyPaid)
    assert shopper.post(f"/orders/{order}/cancel").says(AlreadyPaid)
    assert state_of(shop, order) == "paid"


def test_a_cancelled_order_cannot_be_paid_and_cancelling_twice_is_once(
    shopper: Face, a_sale: Callable[..., Sale]
) -> None:
    order = shopper.buy(a_sale().product).order
    assert shopper.post(f"/orders/{order}/cancel").status == 200
    assert shopper.post(f"/orders/{order}/cancel").status == 200
    assert shopper.post(f"/orders/{order}/pay").says(Cancelled)


def test_a_sale_without_a_price_is_confirmed_for_nothing(
    shopper: Face, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    order = shopper.buy(a_sale(price=None).product).order
    assert shopper.post(f"/orders/{order}/pay").status == 200
    found = shop.orders.get(order)
    assert found is not None
    assert (found.state, found.amount, found.charge) == ("paid", 0, "free")


def test_an_unpaid_order_expires_and_its_unit_is_sold_again(
    shop: Shop,
    app: Flask,
    app_with: Callable[..., Flask],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:
    sale, hurried = a_sale(num=1), Program(app_with(payment_window=1))
    hurried.log_in(somebody().name)
    order = hurried.buy(sale.product).order
    eventually(lambda: state_of(shop, order) == "expired")
    assert hurried.post(f"/orders/{order}/pay").says(Expired)
    other = Program(app)
    other.log_in(somebody().name)
    assert other.buy(sale.product).status == 200


@pytest.mark.parametrize("kind", FACES)
def test_nobody_sees_pays_or_cancels_anothers_order(
    kind: type[Face], app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    owner, thief = Program(app), kind(app)
    owner.log_in(somebody().name)
    thief.log_in(somebody().name)
    order = owner.buy(a_sale().product).order
    for answer in (
        thief.get(f"/orders/{order}"),
        thief.post(f"/orders/{order}/pay"),
        thief.post(f"/orders/{order}/cancel"),
    ):
        assert answer.status == 404
        assert answer.says(NoSuchOrder)
    eventually(lambda: state_of(shop, order) == "pending")


@pytest.mark.parametrize("order", ["x", "0" * 20, "%2e%2e", "a" * 5000, "😀", "{x}:order:y"])
def test_an_order_that_is_none_is_not_found(shopper: Face, order: str) -> None:
    assert shopper.get(f"/orders/{quote(order)}").status == 404


def test_the_same_key_is_the_same_purchase(shopper: Face, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(num=5, limit=5)
    answers = [shopper.buy(sale.product, "one click") for _ in range(3)]
    assert len({answer.order for answer in answers}) == 1
    if answers[0].json:
        assert answers[0].json == answers[1].json == answers[2].json
    assert shopper.buy(sale.product, "another click").order != answers[0].order


def test_one_key_pressed_many_times_at_once_takes_one_unit(
    app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, account = a_sale(num=20, limit=20), somebody()
    programs = [Program(app) for _ in range(8)]
    for program in programs:
        program.log_in(account.name)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda program: program.buy(sale.product, "k"), programs))
    assert {answer.json.get("code", "sold") for answer in answers} <= {"sold", InFlight.code}
    answers = [program.buy(sale.product, "k") for program in programs]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.order for answer in answers}) == 1
    found = eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid and now)
    assert found.units.left == 19


def test_a_purchase_while_the_shop_recovers_is_asked_to_come_back(
    shopper: Face, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale()
    shop.memory.redis.hset(keys.sale(sale.id), "signed", "an epoch that is over")
    answer = shopper.buy(sale.product)
    assert answer.says(Recovering)
    if answer.json:
        assert answer.status == 503


def test_my_orders_are_listed_newest_first_and_paged(
    app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    program, account, sale = Program(app), somebody(), a_sale(num=30, limit=30)
    program.log_in(account.name)
    made = [program.buy(sale.product).order for _ in range(23)]
    eventually(lambda: len(shop.orders.of_shopper(account.id, 100) or ()) == 23)
    first = program.get("/orders").json
    second = program.get(first["next"]).json
    listed = [order["order"] for order in first["orders"] + second["orders"]]
    assert listed == made[::-1]
    assert second["next"] is None


def test_a_form_without_its_csrf_token_changes_nothing(
    app: Flask, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    person, sale = Person(app), a_sale()
    person.log_in(somebody().name)
    response = person.client.post(f"/miaosha/{quote(sale.product)}", data={}, headers=person.headers)
    assert response.status_code == 303
    assert "expired" in person.get(response.headers["Location"]).text
    untouched = shop.sales.get(sale.id)
    assert untouched is not None
    assert untouched.units == sale.units


def test_a_bearer_token_makes_a_plain_get_a_programs(app: Flask, somebody: Callable[..., Account]) -> None:
    program = Program(app)
    program.log_in(somebody().name)
    response = program.client.get("/orders", headers={"Accept": "*/*", "Authorization": f"Bearer {program.token}"})
    assert (response.status_code, response.mimetype) == (200, "application/json")


def test_a_key_that_is_too_long_is_refused(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    program = Program(app)
    program.log_in(somebody().name)
    assert program.buy(a_sale().product, "k" * 256).status == 400


def test_a_json_call_is_not_helped_by_a_session(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    person, sale = Person(app), a_sale()
    person.log_in(somebody().name)
    assert person.client.post(f"/miaosha/{quote(sale.product)}", json={}).status_code == 401
    assert person.client.get("/orders", headers={"Accept": "application/json"}).status_code == 401

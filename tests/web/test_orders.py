"""A shopper's orders: the history and how it is narrowed, the receipt, and buttons that are pressed more than once."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import buying, paying
from storefront.shop import Shop
from tests.conftest import eventually
from tests.faces import FACES, Face, Person, Program


@pytest.fixture
def account(somebody: Callable[..., Account]) -> Account:
    return somebody()


@pytest.fixture
def order(shop: Shop, account: Account, a_sale: Callable[..., Sale]) -> str:
    """An unpaid order of the account."""
    made = buying.buy(shop, account, a_sale(num=3, limit=3).product).order
    buying.placed_order_of(shop, account, made)
    return made


def listed(answer: Any) -> list[str]:
    """The orders of a list, in either face."""
    if answer.json:
        return [order["order"] for order in answer.json["orders"]]
    return list(dict.fromkeys(re.findall(r'href="/orders/([0-9a-z]{20})"', answer.text)))


@pytest.mark.parametrize("kind", FACES)
def test_orders_are_narrowed_to_those_in_one_state(
    kind: type[Face], app: Flask, shop: Shop, account: Account, a_sale: Callable[..., Sale]
) -> None:
    caller, sale = kind(app), a_sale(num=9, limit=9)
    caller.log_in(account.name)
    paid, cancelled, unpaid = (buying.buy(shop, account, sale.product).order for _ in range(3))
    paying.pay(shop, account, paid)
    buying.placed_order_of(shop, account, cancelled)
    paying.cancel(shop, account, cancelled)
    assert listed(caller.get("/orders")) == [unpaid, cancelled, paid]
    for state, wanted in {"unpaid": unpaid, "paid": paid, "ended": cancelled}.items():
        assert listed(caller.get(f"/orders?state={state}")) == [wanted]


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("query", ["state=nothing", "state=PAID", "cursor=0", "cursor=%00", "cursor={x}"])
def test_a_list_that_there_is_not_is_a_400(kind: type[Face], app: Flask, account: Account, query: str) -> None:
    caller = kind(app)
    caller.log_in(account.name)
    assert caller.get(f"/orders?{query}").status == 400


def test_a_cursor_is_no_good_for_somebody_else(app: Flask, somebody: Callable[..., Account], order: str) -> None:
    program = Program(app)
    program.log_in(somebody().name)
    assert program.get(f"/orders?cursor={order}").status == 400


def test_following_the_pages_of_a_narrowed_list_shows_each_order_once(
    app: Flask, shop: Shop, account: Account, a_sale: Callable[..., Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "PAGE", 2)
    monkeypatch.setattr(buying, "LOOK", 3)
    program, person, sale = Program(app), Person(app), a_sale(num=20, limit=20)
    program.log_in(account.name)
    person.log_in(account.name)
    made = [buying.buy(shop, account, sale.product).order for _ in range(9)]
    eventually(lambda: len(shop.orders.of_shopper(account.id, 99) or ()) == 9)
    for order in made[:5]:  # the oldest: the newest three, which are looked at first, have none of them
        paying.pay(shop, account, order)
    page = program.get("/orders?state=paid").json
    assert page["orders"] == []
    assert "None among your newer orders." in person.get("/orders?state=paid").text
    found = []
    while page["next"]:
        buying.buy(shop, account, sale.product)  # what is new moves nothing
        page = program.get(page["next"]).json
        found += [order["order"] for order in page["orders"]]
    bought = {order: placed.at for order in made[:5] if (placed := shop.orders.get(order))}
    assert found == sorted(bought, key=lambda order: (bought[order], order), reverse=True)


def test_a_list_says_how_long_ago_in_the_readers_language(app: Flask, account: Account, order: str) -> None:
    person = Person(app)
    person.log_in(account.name)
    shown = r'<time datetime="[^"]+Z" title="[^"]+UTC">%s</time>'
    assert re.search(shown % r"\d+ seconds? ago", person.get("/orders").text)
    person.headers["Accept-Language"] = "zh-CN"
    text = person.get("/orders").text
    assert re.search(shown % r"\d+秒钟?前", text)
    assert re.search(r"未付款将于" + shown % r"\d+分钟后" + "释放", text)


def test_a_receipt_says_who_bought_what_from_whom(app: Flask, shop: Shop, account: Account, order: str) -> None:
    paying.pay(shop, account, order)
    person, program = Person(app), Program(app)
    person.log_in(account.name)
    program.log_in(account.name)
    charge = program.get(f"/orders/{order}").json["charge"]
    text = person.get(f"/orders/{order}").text
    for fact in (account.name, "Apple", "CN¥10.00", order, charge):
        assert f">{fact}<" in text


@pytest.mark.parametrize("kind", FACES)
def test_paying_again_under_a_key_is_told_the_same_and_charges_nothing(
    kind: type[Face], app: Flask, shop: Shop, account: Account, order: str
) -> None:
    caller = kind(app)
    caller.log_in(account.name)

    def press() -> Any:
        if isinstance(caller, Program):
            return caller.post(f"/orders/{order}/pay", key="a key")
        return caller.post(f"/orders/{order}/pay", {"once": "a key"})

    answers = [press() for _ in range(3)]
    if isinstance(caller, Program):
        assert answers[0].status == 200
        assert answers[0].json == answers[1].json == answers[2].json
    else:
        assert ["Paid. Thank you!" in answer.text for answer in answers] == [True] * 3
    assert len(shop.payments.verify([order])[order]) == 1


def test_a_pay_button_pressed_many_times_at_once_charges_once(
    app: Flask, shop: Shop, account: Account, order: str
) -> None:
    programs = [Program(app) for _ in range(6)]
    for program in programs:
        program.log_in(account.name)
    with ThreadPoolExecutor(6) as pool:
        pressed = [pool.submit(one.post, f"/orders/{order}/pay", key=f"k{n}") for n, one in enumerate(programs)]
        answers = [one.result() for one in pressed]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["charge"] for answer in answers}) == 1
    found = shop.orders.get(order)
    assert found is not None
    assert (found.state, found.refund) == ("paid", "")  # a second charge would be due back


@pytest.mark.parametrize("button", ["pay", "cancel"])
def test_whoever_is_refused_at_the_door_comes_back_to_the_order(
    app: Flask, shop: Shop, account: Account, order: str, button: str
) -> None:
    person = Person(app)
    person.log_in(account.name)
    answer = person.post(f"/orders/{order}/{button}", {"csrf_token": "of another session"})
    assert (answer.first, answer.status) == (303, 200)
    assert "This form has expired. Please try again." in answer.text
    assert f'action="/orders/{order}/{button}"' in answer.text
    found = shop.orders.get(order)
    assert found is not None
    assert found.state == "pending"

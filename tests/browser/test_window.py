"""The shop window as it is watched: it changes by itself, until it is told not to, and its clock is the shop's."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import buying, paying
from storefront.shop import Shop
from tests.browser.conftest import Visitor
from tests.conftest import unique


def at(sale: Sale) -> str:
    return f"/miaosha/{quote(sale.product, safe='')}"


@pytest.mark.parametrize("where", ["home", "sale"])
def test_the_bar_moves_as_units_go_and_nothing_else_does(
    visitor: Visitor, somebody: Callable[..., Account], a_sale: Callable[..., Sale], shop: Shop, where: str
) -> None:
    sale, page, buyer = a_sale(num=10, limit=9, product=unique("Bar")), visitor(), somebody()
    page.goto(at(sale) if where == "sale" else f"/?q={quote(sale.product)}")
    page.evaluate(
        """() => { window.untouched = true; window.moved = 0; new PerformanceObserver((list) => {
          for (const shift of list.getEntries()) window.moved += shift.value;
        }).observe({ type: "layout-shift", buffered: true }); }"""
    )
    main = page.locator("main").element_handle()
    expect(page.get_by_text("10 left")).to_be_visible()
    buying.buy(shop, buyer, sale.product)
    expect(page.get_by_text("9 left")).to_be_visible()
    expect(page.get_by_text("10% taken")).to_be_visible()
    assert page.locator("progress").evaluate("bar => bar.value") == 1
    assert page.evaluate("window.untouched")
    assert main.evaluate("main => main.isConnected")
    assert page.evaluate("window.moved") < 0.001


def test_a_sale_that_sells_out_says_so_by_itself_and_keeps_what_is_typed(
    visitor: Visitor, somebody: Callable[..., Account], a_sale: Callable[..., Sale], shop: Shop
) -> None:
    sale, page, buyer = a_sale(product=unique("Rare")), visitor(), somebody()
    page.goto(f"/?q={quote(sale.product)}")
    page.get_by_role("searchbox").fill("half a wo")
    paying.pay(shop, buyer, buying.buy(shop, buyer, sale.product).order)
    expect(page.get_by_role("link", name="Sold out")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("half a wo")


def test_the_switch_stops_live_updates_and_is_remembered(
    visitor: Visitor, somebody: Callable[..., Account], a_sale: Callable[..., Sale], shop: Shop
) -> None:
    sale, page, other, buyer = a_sale(num=10, limit=9), visitor(), visitor(), somebody()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(at(sale))
    other.goto(at(sale))
    again = page.get_by_role("link", name="Check again")
    expect(again).to_be_hidden()
    page.get_by_role("button", name="Stop live updates").click()
    page.reload()
    expect(again).to_be_visible()
    expect(page.get_by_text(re.compile(r"^As of \d\d:\d\d:\d\d$"))).to_be_visible()
    for left in ("9 left", "8 left"):
        buying.buy(shop, buyer, sale.product)
        expect(other.get_by_text(left)).to_be_visible()  # to whom it goes on
    assert not [address for address in asked if "/status" in address]
    expect(page.get_by_text("10 left")).to_be_visible()
    again.click()
    expect(page.get_by_text("8 left")).to_be_visible()
    page.get_by_role("button", name="Start live updates").click()
    buying.buy(shop, buyer, sale.product)
    expect(page.get_by_text("7 left")).to_be_visible()


def test_a_machine_that_slept_shows_the_right_time_when_it_wakes(visitor: Visitor, a_sale: Callable[..., Sale]) -> None:
    sale, page = a_sale(begins=7000, ends=9000), visitor()
    page.add_init_script(
        """const now = performance.now.bind(performance);
        window.missed = 0; // ms for which this clock stood still with the machine
        performance.now = () => now() - window.missed;"""
    )
    page.goto(at(sale))
    hours = page.locator("time[data-until] b").nth(1)
    expect(hours).to_have_text("01")
    page.route("**/time", lambda route: route.abort())  # no network yet
    page.evaluate("window.missed = 1800 * 1000")
    expect(hours).to_have_text("02")
    page.unroute("**/time")
    expect(hours).to_have_text("01")

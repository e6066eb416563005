"""The shop window as it is watched: it changes by itself, until it is told not to."""

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
from tests.browser.stage import at
from tests.conftest import unique


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


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_press_that_is_under_way_when_the_page_is_renewed_still_counts(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    shop: Shop, by: str,
) -> None:  # fmt: skip
    sale, page = a_sale(), visitor()
    log_in(page, somebody())
    page.goto(at(sale))
    button = page.locator("#buy")
    button.focus()
    button.hover()
    if by == "mouse":
        page.mouse.down()
    else:
        page.keyboard.down("Space")
    main = page.locator("main").element_handle()
    with page.expect_response(lambda told: told.url.endswith(at(sale))) as renewed:
        buying.buy(shop, somebody(), sale.product)
    renewed.value.finished()
    with page.expect_response(lambda told: told.url.endswith("/status")):  # it goes on, and leaves the page alone
        pass
    assert main.evaluate("main => main.isConnected")
    if by == "mouse":
        page.mouse.up()
    else:
        page.keyboard.up("Space")
    expect(page.get_by_role("alert")).to_contain_text("All units are taken.")


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

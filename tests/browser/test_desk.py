"""A merchant at work: what they do to a sale, shoppers see at once on the pages that they have open."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import buying, paying
from storefront.shop import Shop
from tests.browser.conftest import Visitor
from tests.browser.hands import Keyboard, words_of
from tests.browser.stage import at
from tests.conftest import eventually


@pytest.mark.parametrize("language", ["en", "zh"])
def test_shoppers_see_a_sale_paused_resumed_and_cancelled(
    visitor: Visitor,
    log_in: Callable[[Page, Account], None],
    shop: Shop,
    a_sale: Callable[..., Sale],
    somebody: Callable[..., Account],
    language: str,
) -> None:
    said = words_of(language)
    sale, holder = a_sale(num=9, limit=9), somebody()
    order = buying.buy(shop, holder, sale.product).order
    buying.placed_order_of(shop, holder, order)
    paying.pay(shop, holder, order)
    merchant, shopper = visitor(language=language), visitor(language="en")
    log_in(shopper, somebody())
    shopper.goto(at(sale))
    expect(shopper.get_by_role("button", name="Buy now")).to_be_visible()

    merchant.goto(f"/dashboard/{sale.id}?live=0")
    merchant.get_by_role("link", name=said("Pause"), exact=True).click()
    merchant.get_by_role("button", name=said("Yes, pause it")).click()
    expect(merchant.get_by_text(said("The sale is paused."))).to_be_visible()
    expect(shopper.get_by_text("The merchant has paused this sale.")).to_be_visible()

    merchant.get_by_role("link", name=said("Resume"), exact=True).click()
    merchant.get_by_role("button", name=said("Yes, resume it")).click()
    expect(shopper.get_by_role("button", name="Buy now")).to_be_visible()

    merchant.get_by_role("link", name=said("Cancel the sale")).click()
    button = merchant.get_by_role("button", name=said("Yes, cancel the sale for good"))
    button.click()
    expect(merchant.locator("#summary a")).to_have_attribute("href", "#why")
    merchant.get_by_label(said("Reason")).fill("Broken in transit")
    button.click()
    expect(merchant.get_by_role("heading", name=said("History"))).to_be_visible()
    expect(merchant.get_by_text("Broken in transit")).to_be_visible()
    expect(shopper.get_by_text("Broken in transit")).to_be_visible()
    eventually(lambda: buying.order_of(shop, holder, order).refund == "done")


def test_units_are_changed_by_keyboard_alone(visitor: Visitor, shop: Shop, a_sale: Callable[..., Sale]) -> None:
    sale, page, shopper = a_sale(num=5), visitor(), visitor()
    shopper.goto(at(sale))
    keys = Keyboard(page)
    page.goto(f"/dashboard/{sale.id}?live=0")
    keys.press(page.get_by_role("link", name="Change the units"))
    keys.fill(page.get_by_label("Units more or less"), "-6")
    keys.fill(page.get_by_label("Reason"), "Two fell off the shelf")
    keys.press(page.get_by_role("button", name="Change the number"))
    expect(page.get_by_text("Free units: 5.").first).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("Two fell off the shelf")
    keys.fill(page.get_by_label("Units more or less"), "-2")
    keys.press(page.get_by_role("button", name="Change the number"))
    expect(page.get_by_text("Units taken out: 2")).to_be_visible()
    found = shop.sales.get(sale.id)
    assert found
    assert (found.terms.num, found.units.left) == (3, 3)
    expect(shopper.get_by_text("3 left")).to_be_visible()
    expect(shopper.locator("progress")).to_have_js_property("max", 3)


def test_a_sale_ends_later_without_script(visitor: Visitor, shop: Shop, a_sale: Callable[..., Sale]) -> None:
    sale, page = a_sale(), visitor(script=False)
    page.goto(f"/dashboard/{sale.id}")
    page.get_by_role("link", name="End later").click()
    page.get_by_label("New end").fill("2099-12-31T23:59")
    page.get_by_label("Time zone").select_option("UTC")
    page.get_by_role("button", name="Set the new end").click()
    expect(page.get_by_text("The sale ends later.")).to_be_visible()
    found = shop.sales.get(sale.id)
    assert found
    assert found.terms.ends == 4102444740


def test_a_new_end_is_meant_on_the_merchants_own_clocks(
    visitor: Visitor, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    """As in the form for a new sale: a date that is read in another zone ends the sale hours too early or too late."""
    sale, page = a_sale(), visitor(timezone_id="Europe/Berlin")
    page.goto(f"/dashboard/{sale.id}/extend")
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    page.get_by_label("New end").fill("2099-12-31T23:59")
    page.get_by_role("button", name="Set the new end").click()
    expect(page.get_by_text("The sale ends later.")).to_be_visible()
    found = shop.sales.get(sale.id)
    assert found
    assert found.terms.ends == 4102441140

"""A merchant opens a sale once more: with a keyboard alone, and without script."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from storefront.domain.sale import Sale
from storefront.local import art
from storefront.shop import Shop
from tests.browser.conftest import Visitor
from tests.browser.hands import Keyboard, Mouse
from tests.conftest import unique


@pytest.mark.parametrize("hand", [Keyboard, Mouse], ids=["keyboard alone", "no script"])
def test_a_merchant_duplicates_a_sale_checks_it_and_opens_it_once(
    visitor: Visitor, a_sale: Callable[..., Sale], shop: Shop, hand: type[Keyboard | Mouse]
) -> None:
    sale = a_sale(product=unique("lamp"), num=4, begins=-300, ends=-10, price=1250, currency="EUR")
    page = visitor(script=hand is Keyboard, width=390)
    hands = hand(page)
    page.goto(f"/dashboard/{sale.id}?live=0")
    hands.press(page.get_by_role("link", name="Duplicate this sale"))
    expect(page.get_by_label("Time zone", exact=True)).to_have_value("Asia/Shanghai")
    expect(page.get_by_label("Price")).to_have_value("12.50")
    hands.press(page.get_by_role("button", name="Continue"))
    asked = page.locator(".confirm")
    expect(asked).to_contain_text("€12.50")
    expect(asked).to_contain_text("4 min 50 s")
    expect(asked.get_by_text("Your device").first).to_be_visible(visible=hand is Keyboard)
    hands.press(page.get_by_role("button", name="Change something"))
    expect(page.locator("#summary")).to_have_count(0)
    hands.fill(page.get_by_label("Limit per shopper"), "9")
    hands.press(page.get_by_role("button", name="Continue"))
    hands.press(page.get_by_role("alert").get_by_role("link", name="Limit per shopper"))
    expect(page.get_by_label("Limit per shopper")).to_be_focused()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("2")
    hands.press(page.get_by_role("button", name="Continue"))
    button = page.get_by_role("button", name="Open the sale")
    if hand is Mouse:
        button.dblclick()
    else:
        hands.press(button)
    expect(page.get_by_role("heading", level=1)).to_have_text(sale.product)
    opened = shop.sales.of_product(sale.product)
    assert opened is not None
    assert opened.id != sale.id
    assert (opened.terms.ends - opened.terms.begins, opened.terms.price, opened.terms.limit) == (290, 1250, 2)
    assert timedelta() < datetime.fromtimestamp(opened.terms.begins, UTC) - datetime.now(UTC) < timedelta(days=1)


@pytest.mark.parametrize(("device", "chosen"), [("Asia/Calcutta", "Asia/Kolkata"), ("Europe/Kiev", "Europe/Kyiv")])
def test_a_device_may_have_another_name_for_its_zone(visitor: Visitor, device: str, chosen: str) -> None:
    page = visitor(timezone_id=device)
    page.goto("/createmiaosha")
    expect(page.get_by_label("Time zone", exact=True)).to_have_value(chosen)


def test_the_form_begins_with_the_devices_zone_and_keeps_what_was_chosen(visitor: Visitor) -> None:
    page = visitor(timezone_id="Europe/Berlin")
    page.goto("/createmiaosha")
    zone = page.get_by_label("Time zone", exact=True)
    expect(zone).to_have_value("Europe/Berlin")
    page.get_by_label("Picture (file)").set_input_files(
        {"name": "a.webp", "mimeType": "image/webp", "buffer": art.phone()}
    )
    expect(page.get_by_role("img", name="The picture that you chose")).to_be_visible()
    zone.select_option("America/Argentina/Salta")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#summary")).to_be_visible()
    expect(zone).to_have_value("America/Argentina/Salta")
    shown = page.get_by_role("img", name="The picture so far")
    expect(shown).to_have_js_property("complete", value=True)
    assert shown.evaluate("(image) => image.naturalWidth") > 0

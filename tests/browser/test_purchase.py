"""The whole purchase, and the waitlist, as people make them: by keyboard alone, without script, in both languages."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as TooLate

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import buying, paying
from storefront.shop import Shop
from tests.browser.conftest import PASSWORD, Visitor
from tests.browser.hands import Keyboard, Mouse, words_of
from tests.browser.stage import at
from tests.conftest import unique

ORDER = re.compile(r"/orders/[0-9a-z]{20}$")


def press_until(link: Locator, found: Locator) -> None:
    """Follow a link to the same page anew, as one does without script, until something is there."""
    while not found.count():
        expect(link.or_(found).first).to_be_visible()
        with suppress(TooLate):  # what comes meanwhile may be what is looked for, and has no such link
            link.click(timeout=2000)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("hand", [Keyboard, Mouse], ids=["keyboard alone", "no script"])
def test_a_person_registers_logs_in_finds_buys_pays_and_keeps_the_receipt(
    visitor: Visitor, a_sale: Callable[..., Sale], hand: type[Keyboard | Mouse], language: str
) -> None:
    sale, name, _ = a_sale(num=3, price=599900), unique("Ann"), words_of(language)
    page = visitor(script=hand is Keyboard, language=language, width=390)
    hands = hand(page)

    def link(words: str) -> Locator:
        return page.get_by_role("link", name=_(words), exact=True)

    def button(words: str) -> Locator:
        return page.get_by_role("button", name=_(words), exact=True)

    page.goto("/")
    hands.press(link("Register"))
    for field, typed in (
        ("name", name), ("password", PASSWORD), ("age", "30"), ("address", "1 Main Street"),
        ("avatar", "http://127.0.0.1:9/none.png"),
    ):  # fmt: skip
        hands.fill(page.locator(f"[name={field}]"), typed)
    hands.press(button("Register"))
    expect(page.get_by_role("status").filter(has_text=name)).to_be_visible()
    hands.press(button("Log out"))
    hands.press(link("Log in"))
    hands.fill(page.locator("[name=name]"), name)
    hands.fill(page.locator("[name=pass]"), PASSWORD)
    hands.press(button("Log in"))

    hands.fill(page.get_by_role("searchbox"), sale.product)
    hands.press(button("Search"))
    hands.press(page.get_by_role("link", name=_("Buy now: %(product)s") % {"product": sale.product}))
    hands.press(button("Buy now"))
    page.wait_for_url(ORDER)
    pay = page.locator("#pay")
    if hand is Mouse:
        press_until(link("Check status"), pay)
    expect(pay).to_have_text(_("Pay %(amount)s") % {"amount": {"en": "CN¥5,999.00", "zh": "¥5,999.00"}[language]})
    hands.press(pay)
    expect(page.get_by_role("heading", name=_("Paid"), exact=True)).to_be_visible()
    expect(page.locator("main")).to_contain_text(page.url.rpartition("/")[2])

    hands.press(link("My orders").first)
    row = page.locator("main li").filter(has_text=sale.product)
    expect(row).to_contain_text(_("Paid"))
    hands.press(row.get_by_role("link", name=sale.product))
    expect(page.get_by_text(_("It is yours. This page is your receipt."))).to_be_visible()
    hands.press(button("Log out"))
    expect(link("Log in")).to_be_visible()


def test_without_script_who_waits_joins_is_offered_a_unit_and_pays(
    visitor: Visitor, log_in: Callable[[Page, Account], None], shop: Shop, somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:  # fmt: skip
    sale, buyer, page = a_sale(), somebody(), visitor(script=False, width=390)
    bought = buying.buy(shop, buyer, sale.product)
    page.goto(at(sale))
    page.get_by_role("link", name="Log in to join the waitlist").click()
    log_in(page, somebody())
    page.goto(at(sale))
    page.get_by_role("button", name="Join the waitlist").click()
    expect(page.get_by_text("You are at place 1 of 1")).to_be_visible()
    again = page.get_by_role("link", name="Check again")
    again.click()
    expect(page.get_by_text("You are at place 1 of 1")).to_be_visible()
    paying.cancel(shop, buyer, bought.order)
    pay = page.get_by_role("link", name="Pay CN¥10.00")
    press_until(again, pay)
    pay.click()
    press_until(page.get_by_role("link", name="Check status"), page.locator("#pay"))
    page.locator("#pay").click()
    expect(page.get_by_role("heading", name="Paid")).to_be_visible()


def test_a_keyboard_skips_to_the_content(visitor: Visitor) -> None:
    page = visitor()
    hands = Keyboard(page)
    page.goto("/")
    hands.press(page.get_by_role("link", name="Skip to content"))
    expect(page.locator("#main")).to_be_focused()

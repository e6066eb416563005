"""The shop's clock on the page: right though the reader's is wrong or their machine slept, and without script."""

import re
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from playwright.sync_api import expect

from storefront.domain.account import Account, Profile
from storefront.domain.sale import PUT_BACK, Sale
from storefront.services import accounts, buying
from storefront.shop import Shop
from tests.browser.conftest import PASSWORD, Visitor
from tests.browser.stage import at
from tests.conftest import eventually, unique

ORDER = re.compile(r"/orders/[0-9a-z]{20}$")
WRONG_CLOCK = """
  const RightDate = Date, rightNow = performance.now.bind(performance);
  window.wrong = {minutes} * 60000; // ms by which the reader's clock is wrong
  window.missed = 0; // ms for which the machine slept and performance.now stood still
  performance.now = () => rightNow() - window.missed;
  Date = class extends RightDate {
    constructor(...given) { if (given.length) super(...given); else super(Date.now()); }
    static now() { return RightDate.now() + window.wrong; }
  };
  window.opened = null; // when the button could first be pressed, in ms by the right clock
  window.shown = 0; // the seconds that the countdown showed last
  setInterval(() => {
    const button = document.querySelector("#buy:not([aria-disabled])");
    if (button) window.opened ??= RightDate.now();
    const digits = [...document.querySelectorAll("time[data-until] b")].map((digit) => Number(digit.textContent));
    window.shown = digits.reduce((sum, digit, place) => sum + digit * [86400, 3600, 60, 1][place], 0);
    window.left = (document.querySelector("time[data-until]")?.dataset.until - RightDate.now()) / 1000;
  }, 20);
"""


@pytest.mark.parametrize(
    ("minutes", "slept"), [(10, 0), (-10, 0), (0, 10)], ids=["ahead", "behind", "slept on the way"]
)
def test_the_button_opens_at_zero_by_the_shops_clock_and_never_before(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    minutes: int, slept: int,
) -> None:  # fmt: skip
    account, page = somebody(), visitor()
    page.add_init_script(WRONG_CLOCK.replace("{minutes}", str(minutes)))
    log_in(page, account)
    sale = a_sale(begins=7, ends=3600)
    page.goto(at(sale))
    button = page.locator("#buy")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(re.compile("^Opens on "))
    page.evaluate(f"window.missed = {slept} * 60000")
    eventually(lambda: page.evaluate("window.left > 2 && Math.abs(window.shown - window.left) < 1.5"))
    button.focus()
    expect(page.get_by_role("button", name="Buy now")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("The sale is live. You can buy now.")
    assert 0 <= page.evaluate("window.opened") / 1000 - sale.terms.begins < 5
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)


def test_the_button_is_ready_at_zero_before_the_page_is_asked_for_anew(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    page = visitor()
    log_in(page, somebody())
    page.add_init_script("window.setInterval = () => 0")  # no tick: a timer of its own is set for the opening
    sale = a_sale(begins=4, ends=3600)
    page.goto(at(sale))
    page.route("**", lambda route: route.abort() if route.request.resource_type == "fetch" else route.continue_())
    page.locator("#buy").press("Enter")
    expect(page.get_by_role("button", name="Not open yet")).to_be_visible()
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)


def test_the_button_comes_alive_when_the_account_is_old_enough(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    page, sale = visitor(), a_sale(min_account_age=12)
    log_in(page, somebody())
    page.goto(at(sale))
    expect(page.get_by_role("button", name="Your account is too new")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)


def test_whoever_is_put_back_joins_the_waitlist_of_the_open_page_in_time(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], shop: Shop,
    a_sale: Callable[..., Sale],
) -> None:  # fmt: skip
    page, profile = visitor(), Profile(unique("x"), 30, "y", "http://example.com/a.jpg")
    log_in(page, accounts.register(shop, profile, PASSWORD, crowd=nullcontext(enter_result=True)))
    sale = a_sale(begins=4 - PUT_BACK)
    buying.buy(shop, somebody(), sale.product)
    page.goto(at(sale))
    join = page.get_by_role("button", name="Join the waitlist")
    expect(join).to_have_attribute("aria-disabled", "true")
    expect(join).not_to_have_attribute("aria-disabled", "true")
    join.click()
    expect(page.get_by_text("You are at place 1 of 1")).to_be_visible()


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


def test_a_listener_hears_milestones_and_not_every_second(visitor: Visitor, a_sale: Callable[..., Sale]) -> None:
    sale, page = a_sale(begins=33, ends=3600), visitor()
    page.goto(at(sale))
    expect(page.get_by_role("timer")).to_have_count(1)
    expect(page.locator("#announcer")).to_have_text("The sale starts in 30 seconds.")
    assert page.locator("[aria-live]").count() == 0


def test_moments_are_in_the_readers_time_or_say_that_they_are_utc(
    visitor: Visitor, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(begins=3600, ends=7200)
    for script, zone in ((True, "GMT+8"), (False, "UTC")):
        page = visitor(script=script)
        page.goto(at(sale))
        expect(page.locator("dd time").first).to_have_text(re.compile(re.escape(zone) + "$"))


def test_without_script_no_countdown_stands_still(visitor: Visitor, a_sale: Callable[..., Sale]) -> None:
    sale, page = a_sale(begins=3600, ends=7200), visitor(script=False)
    page.goto(at(sale))
    expect(page.locator(".countdown")).to_be_hidden()
    expect(page.get_by_role("link", name="Check again")).to_be_visible()

"""A purchase as a person makes it, and the ways it can go crooked."""

import os
import re
import signal
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local.shop import LocalShop
from storefront.services import buying, paying
from storefront.shop import Shop
from tests.browser.conftest import PASSWORD, Visitor
from tests.conftest import unique

ORDER = re.compile(r"/orders/[0-9a-z]{20}$")
SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


def address(sale: Sale) -> str:
    return f"/miaosha/{quote(sale.product, safe='')}"


def until(page: Page, wanted: str, *, script: bool) -> None:
    """Wait for an element; without script by pressing "Check status", as a person would."""
    found = page.locator(wanted)
    status = page.get_by_role("link", name="Check status")
    while not script and status.count():
        status.click()
    expect(found).to_be_visible()


@SCRIPT
def test_a_person_registers_buys_pays_and_keeps_the_receipt(
    visitor: Visitor, a_sale: Callable[..., Sale], script: bool
) -> None:
    sale = a_sale(num=3, price=599900)
    page = visitor(script=script)
    page.goto("/")
    page.get_by_role("link", name="Register").click()
    page.get_by_label("Name", exact=True).fill(unique("Ann"))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Age", exact=True).fill("30")
    page.get_by_label("Address", exact=True).fill("1 Main Street")
    page.get_by_label("Picture").fill("http://127.0.0.1:9/none.png")
    page.locator("main").get_by_role("button", name="Register").click()
    expect(page.get_by_role("status").filter(has_text="Welcome")).to_be_visible()

    page.get_by_role("link", name=f"Buy now: {sale.product}").click()
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)
    until(page, "#pay", script=script)
    expect(page.locator("#pay")).to_have_text("Pay CN¥5,999.00")
    page.locator("#pay").click()
    expect(page.get_by_role("heading", name="Paid")).to_be_visible()
    number = page.url.rpartition("/")[2]
    expect(page.locator("main")).to_contain_text(number)

    page.get_by_role("link", name="My orders").first.click()
    row = page.locator("main li").filter(has_text=sale.product)
    expect(row).to_contain_text("Paid")
    row.get_by_role("link", name=sale.product).click()
    expect(page.get_by_text("This page is your receipt.")).to_be_visible()


@SCRIPT
def test_an_order_is_cancelled_only_when_asked_twice(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    script: bool,
) -> None:  # fmt: skip
    sale, page = a_sale(), visitor(script=script)
    log_in(page, somebody())
    page.goto(address(sale))
    page.get_by_role("button", name="Buy now").click()
    until(page, "#pay", script=script)
    sure = page.get_by_role("button", name="Yes, cancel it")
    expect(sure).to_be_hidden()
    page.get_by_text("Cancel this order").click()
    sure.click()
    expect(page.get_by_role("heading", name="Order cancelled")).to_be_visible()
    page.get_by_role("link", name="Back to the sale").click()
    expect(page.get_by_role("button", name="Buy now")).to_be_visible()


def test_who_is_not_logged_in_comes_back_to_the_sale_after_logging_in(
    visitor: Visitor, somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, page, account = a_sale(product=unique("50% off / 手机?")), visitor(), somebody()
    page.goto(address(sale))
    page.get_by_role("link", name="Log in to buy").click()
    page.get_by_label("Name", exact=True).fill(account.name)
    page.get_by_label("Password", exact=True).fill("wrong password")
    page.locator("main form button").click()
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("main form button").click()
    expect(page.get_by_role("heading", name=sale.product)).to_be_visible()
    expect(page.get_by_role("button", name="Buy now")).to_be_visible()


def test_what_costs_nothing_is_confirmed_and_shows_no_money(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, page = a_sale(price=None), visitor()
    log_in(page, somebody())
    page.goto(address(sale))
    page.get_by_role("button", name="Buy now").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
    assert "¥" not in page.locator("main").inner_text()


@pytest.mark.parametrize("minutes", [10, -10], ids=["ahead", "behind"])
def test_the_button_opens_at_zero_though_the_readers_clock_is_wrong(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    minutes: int,
) -> None:  # fmt: skip
    account, page = somebody(), visitor()
    page.add_init_script(
        f"""const shift = {minutes} * 60000, RightDate = Date;
        Date = class extends RightDate {{
          constructor(...given) {{ if (given.length) super(...given); else super(RightDate.now() + shift); }}
          static now() {{ return RightDate.now() + shift; }}
        }};"""
    )
    log_in(page, account)
    sale = a_sale(begins=4, ends=3600)
    page.goto(address(sale))
    button = page.locator("#buy")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(re.compile("^Opens on "))
    expect(page.locator("time[data-until] b").nth(2)).to_have_text("00")  # minutes
    button.focus()
    expect(page.get_by_role("button", name="Buy now")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("The sale is live. You can buy now.")
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)


def test_a_page_that_comes_back_from_the_browsers_memory_is_asked_for_anew(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, page = a_sale(num=2), visitor()
    log_in(page, somebody())
    page.goto(address(sale))
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)
    page.go_back()
    expect(page.locator("#buy")).to_have_text(re.compile("^(Pay |View your order)"))


def test_two_tabs_that_buy_at_once_end_with_one_order(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, one = a_sale(num=5), visitor()
    log_in(one, somebody())
    two = one.context.new_page()
    for tab in (one, two):
        tab.goto(address(sale))
    for tab in (one, two):
        tab.locator("#buy").evaluate("button => setTimeout(() => button.click())")
    for tab in (one, two):
        expect(tab.locator("#pay, a#buy")).to_be_visible()  # the order, or the way to it
    one.goto("/orders")
    expect(one.locator("main li").filter(has_text=sale.product)).to_have_count(1)


@SCRIPT
def test_a_double_click_buys_once(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    script: bool,
) -> None:  # fmt: skip
    sale, page = a_sale(num=5, limit=5), visitor(script=script)
    log_in(page, somebody())
    page.goto(address(sale))
    page.get_by_role("button", name="Buy now").dblclick()
    page.wait_for_url(ORDER)
    page.goto("/orders")
    expect(page.locator("main li").filter(has_text=sale.product)).to_have_count(1)


def test_a_button_whose_request_was_lost_can_be_pressed_again(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, page = a_sale(), visitor()
    log_in(page, somebody())
    page.goto(address(sale))
    page.route("**/miaosha/**", lambda route: route.fulfill(status=204), times=1)  # the browser stays where it is
    button = page.locator("#buy")
    button.click()
    expect(button).to_have_text("Processing…")
    expect(button).to_have_text("Buy now")
    button.click()
    page.wait_for_url(ORDER)


@SCRIPT
def test_an_order_that_is_being_placed_waits_and_then_asks_for_the_payment(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    real_shop: LocalShop, script: bool,
) -> None:  # fmt: skip
    sale, page = a_sale(), visitor(script=script)
    log_in(page, somebody())
    page.goto(address(sale))
    worker = real_shop.processes["orders"].pid
    assert worker
    os.kill(worker, signal.SIGSTOP)
    try:
        page.get_by_role("button", name="Buy now").click()
        expect(page.get_by_role("heading", name="Your order is being placed")).to_be_visible()
    finally:
        os.kill(worker, signal.SIGCONT)
    until(page, "#pay", script=script)
    if script:
        expect(page.locator("#announcer")).to_have_text("Your order is placed.")


def test_an_order_that_is_being_placed_can_be_looked_at_again_though_the_script_did_not_come(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    real_shop: LocalShop,
) -> None:  # fmt: skip
    sale, page = a_sale(), visitor()
    page.route("**/shop.js*", lambda route: route.abort())
    log_in(page, somebody())
    page.goto(address(sale))
    worker = real_shop.processes["orders"].pid
    assert worker
    os.kill(worker, signal.SIGSTOP)
    try:
        page.get_by_role("button", name="Buy now").click()
        expect(page.get_by_role("link", name="Check status")).to_be_visible()
    finally:
        os.kill(worker, signal.SIGCONT)
    until(page, "#pay", script=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_receipt_prints_black_on_white_on_one_sheet(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    shop: Shop, scheme: str,
) -> None:  # fmt: skip
    account, sale, page = somebody(), a_sale(product="长" * 100 + unique("名")), visitor(color_scheme=scheme)
    order = buying.buy(shop, account, sale.product).order
    paying.pay(shop, account, order)
    log_in(page, account)
    page.goto(f"/orders/{order}")
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Print the receipt").click()
    assert page.evaluate("window.printed")
    sheet = page.pdf(format="A4")
    assert len(re.findall(rb"/Type /Page\b", sheet)) == 1
    page.emulate_media(media="print")
    expect(page.locator(".letterhead")).to_be_visible()
    expect(page.get_by_role("button", name="Print the receipt")).to_be_hidden()
    assert page.locator(".panel").evaluate("panel => getComputedStyle(panel).color") == "rgb(29, 27, 26)"
    plain = visitor(script=False)
    log_in(plain, account)
    plain.goto(f"/orders/{order}")
    expect(plain.get_by_text("This page is your receipt.")).to_be_visible()
    expect(plain.get_by_role("button", name="Print the receipt")).to_be_hidden()


@SCRIPT
def test_a_pay_button_that_is_pressed_again_is_no_fault(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    shop: Shop, script: bool,
) -> None:  # fmt: skip
    account, page = somebody(), visitor(script=script)
    order = buying.buy(shop, account, a_sale().product).order
    buying.placed_order_of(shop, account, order)
    log_in(page, account)
    stale = page.context.new_page()
    for tab in (page, stale):
        tab.goto(f"/orders/{order}")
    page.locator("#pay").dblclick()  # without script the browser drops the first answer
    expect(page.locator("#messages")).to_have_text("Paid. Thank you!")
    stale.locator("#pay").click()
    expect(stale.locator("#messages")).to_have_text("Paid. Thank you!")
    expect(stale.get_by_role("heading", name="Paid")).to_be_visible()


def test_a_listener_hears_milestones_and_not_every_second(visitor: Visitor, a_sale: Callable[..., Sale]) -> None:
    sale, page = a_sale(begins=33, ends=3600), visitor()
    page.goto(address(sale))
    expect(page.get_by_role("timer")).to_have_count(1)
    expect(page.locator("#announcer")).to_have_text("The sale starts in 30 seconds.")
    assert page.locator("[aria-live]").count() == 0


def test_every_end_of_a_sale_says_why_there_is_nothing_to_buy(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    shop: Shop,
) -> None:  # fmt: skip
    other, page = somebody(), visitor(language="zh")
    held, sold, over = a_sale(), a_sale(), a_sale(begins=-100, ends=-10)
    buying.buy(shop, other, held.product)
    paying.pay(shop, other, buying.buy(shop, other, sold.product).order)
    log_in(page, somebody())
    page.goto(address(held))
    expect(page.get_by_role("button", name="已抢完，1 件待付款")).to_have_attribute("aria-disabled", "true")
    page.goto(address(sold))
    expect(page.get_by_role("button", name="已抢光")).to_have_attribute("aria-disabled", "true")
    page.goto(address(over))
    expect(page.locator("main")).to_contain_text("秒杀已于")
    expect(page.locator("#buy")).to_have_count(0)


def test_who_waits_is_told_on_the_page_when_a_unit_is_theirs(
    visitor: Visitor,
    log_in: Callable[..., None],
    shop: Shop,
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:
    sale, buyer, waiter = a_sale(), somebody(), somebody()
    bought = buying.buy(shop, buyer, sale.product)
    page = visitor(width=390)
    log_in(page, waiter)
    page.goto(f"/miaosha/{sale.product}")
    page.get_by_role("button", name="Join the waitlist").click()
    expect(page.get_by_text("You are at place 1 of 1")).to_be_visible()
    paying.cancel(shop, buyer, bought.order)
    expect(page.locator("#buy", has_text="Pay CN¥10.00")).to_be_visible()  # without a reload by hand
    expect(page).to_have_title(re.compile("^Pay now"))
    page.locator("#buy", has_text="Pay CN¥10.00").click()
    page.locator("#pay").click()
    expect(page.get_by_role("heading", name="Paid")).to_be_visible()

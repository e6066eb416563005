"""The ways a purchase can go crooked, and what people see then."""

import os
import re
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from playwright.sync_api import Page, Route, expect

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.draw import number_of
from storefront.domain.sale import Sale
from storefront.local.shop import LocalShop
from storefront.services import buying, paying
from storefront.shop import Shop
from tests.browser.conftest import PASSWORD, Visitor
from tests.browser.stage import at
from tests.conftest import unique

ORDER = re.compile(r"/orders/[0-9a-z]{20}$")
SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


def until(page: Page, wanted: str, *, script: bool) -> None:
    """Wait for an element; without script by pressing "Check status", as a person would."""
    found, status = page.locator(wanted), page.get_by_role("link", name="Check status")
    while not script:
        expect(found.or_(status).first).to_be_visible()
        if found.count():
            break
        status.click()
    expect(found).to_be_visible()


@SCRIPT
def test_an_order_is_cancelled_only_when_asked_twice(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    script: bool,
) -> None:  # fmt: skip
    sale, page = a_sale(), visitor(script=script)
    log_in(page, somebody())
    page.goto(at(sale))
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
    page.goto(at(sale))
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
    page.goto(at(sale))
    page.get_by_role("button", name="Buy now").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
    assert "¥" not in page.locator("main").inner_text()


def test_a_page_that_comes_back_from_the_browsers_memory_is_asked_for_anew(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, page = a_sale(num=2), visitor()
    log_in(page, somebody())
    page.goto(at(sale))
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)
    page.go_back()
    expect(page.locator("#buy")).to_have_text(re.compile("^(Pay |View your order)"))


@SCRIPT
def test_a_double_click_buys_once(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    script: bool,
) -> None:  # fmt: skip
    sale, page = a_sale(num=5, limit=5), visitor(script=script)
    log_in(page, somebody())
    page.goto(at(sale))
    page.get_by_role("button", name="Buy now").dblclick()
    page.wait_for_url(ORDER)
    page.goto("/orders")
    expect(page.locator("main li").filter(has_text=sale.product)).to_have_count(1)


def test_a_button_whose_request_was_lost_can_be_pressed_again(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    sale, page = a_sale(), visitor()
    log_in(page, somebody())
    page.goto(at(sale))
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
    page.goto(at(sale))
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
    page.goto(at(sale))
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


def test_every_end_of_a_sale_says_why_there_is_nothing_to_buy(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    shop: Shop,
) -> None:  # fmt: skip
    other, page = somebody(), visitor(language="zh")
    held, sold, over = a_sale(), a_sale(), a_sale(begins=-100, ends=-10)
    buying.buy(shop, other, held.product)
    paying.pay(shop, other, buying.buy(shop, other, sold.product).order)
    log_in(page, somebody())
    page.goto(at(held))
    expect(page.get_by_role("button", name="已抢完，1 件待付款")).to_have_attribute("aria-disabled", "true")
    page.goto(at(sold))
    expect(page.get_by_role("button", name="已抢光")).to_have_attribute("aria-disabled", "true")
    page.goto(at(over))
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
    page.goto(at(sale))
    page.get_by_role("button", name="Join the waitlist").click()
    expect(page.get_by_text("You are at place 1 of 1")).to_be_visible()
    paying.cancel(shop, buyer, bought.order)
    expect(page.locator("#buy", has_text="Pay CN¥10.00")).to_be_visible()  # without a reload by hand
    expect(page).to_have_title(re.compile("^Pay now"))
    page.locator("#buy", has_text="Pay CN¥10.00").click()
    page.locator("#pay").click()
    expect(page.get_by_role("heading", name="Paid")).to_be_visible()


def test_a_draw_is_entered_and_decided_without_a_reload_by_hand(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    people = [somebody() for _ in range(2)]
    pages = [visitor(width=390) for _ in people]
    for page, one in zip(pages, people, strict=True):
        log_in(page, one)
    sale = a_sale(begins=4, draw=6)
    for page in pages:
        page.goto(at(sale))
        expect(page.get_by_text("The units are drawn by lot.")).to_be_visible()
    for number, page in enumerate(pages, start=1):
        page.get_by_role("button", name="Enter the draw").click()
        expect(page.get_by_text("You are in the draw", exact=True)).to_be_visible()
        expect(page.get_by_text(f"{number} in the draw", exact=True)).to_be_visible()
    ranked = sorted(zip(people, pages, strict=True), key=lambda pair: number_of(sale.seed, pair[0].name))
    expect(ranked[0][1].locator("#buy", has_text="Pay CN¥10.00")).to_be_visible(timeout=20_000)
    expect(ranked[0][1]).to_have_title(re.compile("^Pay now"))
    expect(ranked[1][1].get_by_text("You are at place 1 of 1")).to_be_visible(timeout=20_000)


def unless_it_asks_anew(route: Route) -> None:
    """Let a page through that somebody opens, not one by which a page brings itself up to date."""
    if route.request.resource_type == "fetch":
        route.abort()
    else:
        route.continue_()


def test_two_tabs_that_buy_at_once_end_with_one_order_and_both_say_so(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    shop: Shop,
) -> None:  # fmt: skip
    sale, one, account = a_sale(num=5), visitor(), somebody()
    log_in(one, account)
    two = one.context.new_page()
    for tab in (one, two):
        tab.goto(at(sale))
        # neither learns of the other's order before it presses, however slow the machine is
        tab.route(f"**{at(sale)}", unless_it_asks_anew)
    for tab in (one, two):
        tab.locator("#buy").evaluate("button => setTimeout(() => button.click())")
    for tab in (one, two):
        expect(tab.locator("#pay, a#buy:text('Pay')")).to_be_visible()  # the order, or the way to it
    (order,) = shop.orders.held(sale.id, account.id)
    for tab in (one, two):
        if not ORDER.search(tab.url):
            expect(tab.get_by_role("alert")).to_have_text("You already hold as many as one shopper may buy.")
            tab.locator("a#buy").click()
        tab.wait_for_url(f"**/orders/{order}")
    now = shop.sales.get(sale.id)
    assert now
    assert now.units.left == 4


def test_an_order_that_is_not_paid_in_time_says_so_in_view_and_its_unit_is_for_sale_again(
    visitor: Visitor, log_in: Callable[..., None], somebody: Callable[..., Account], a_sale: Callable[..., Sale],
    config: Config,
) -> None:  # fmt: skip
    account, sale, page, other = somebody(), a_sale(), visitor(), visitor()
    for visiting, who in ((page, account), (other, somebody())):
        log_in(visiting, who)
    with closing(Shop(replace(config, payment_window=6))) as hurried:
        order = buying.buy(hurried, account, sale.product).order
        buying.placed_order_of(hurried, account, order)
    page.goto(f"/orders/{order}")
    other.goto(at(sale))
    expect(page.locator("#pay")).to_be_visible()
    expect(other.get_by_role("button", name="All taken, 1 unpaid")).to_be_visible()
    page.evaluate("window.untouched = true")
    expect(page.get_by_role("alert")).to_contain_text("Hold expired")
    expect(page.locator("#pay")).to_have_count(0)
    assert page.evaluate("window.untouched")  # it was not loaded anew
    expect(other.get_by_role("button", name="Buy now")).to_be_visible()
    page.get_by_role("link", name="Back to the sale").click()
    expect(page.get_by_role("alert")).to_contain_text("Your hold on a unit expired")
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url(ORDER)

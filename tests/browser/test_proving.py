"""The proof of work in a browser: it is done by itself, by keyboard too; and without script there is a ticket."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, expect

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import buying, proving
from storefront.shop import Shop
from storefront.stores import keys
from tests.browser.conftest import Visitor
from tests.browser.hands import Keyboard, words_of
from tests.browser.stage import at
from tests.conftest import eventually


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_work_is_done_by_itself_and_whoever_presses_before_needn_t_press_again(
    visitor: Visitor,
    log_in: Callable[[Page, Account], None],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    language: str,
) -> None:
    page, sale, words = visitor(language=language), a_sale(proof="on"), words_of(language)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    log_in(page, somebody())
    hands = Keyboard(page)
    page.goto(at(sale))
    hands.press(page.get_by_role("button", name=words("Buy now")))
    page.wait_for_url("**/orders/*")
    assert not complaints, "the Content-Security-Policy lets the work be done"


def test_the_page_says_when_the_work_is_done_and_keeps_it_for_a_new_main(
    visitor: Visitor, log_in: Callable[[Page, Account], None], somebody: Callable[..., Account],
    a_sale: Callable[..., Sale], shop: Shop,
) -> None:  # fmt: skip
    page, sale, rival = visitor(), a_sale(proof="suspicion"), somebody()
    log_in(page, somebody())
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/proof"):
            asked.append(request.url)

    page.on("request", note)
    page.goto(f"{at(sale)}?proof=1")
    expect(page.get_by_role("status").filter(has_text="Security check passed")).to_be_visible()
    buying.buy(shop, rival, sale.product)
    join = page.get_by_role("button", name="Join the waitlist")
    expect(join).to_be_visible()
    expect(page.locator(".waitlist .proof-state")).to_have_text("Security check passed")
    join.click()
    expect(page.locator("main")).to_contain_text("You are at place 1 of 1")
    assert len(asked) == 1, "what was done for the button that went is good for the one that came"


def test_the_work_is_done_before_the_start_so_that_one_click_at_the_start_buys(
    visitor: Visitor, log_in: Callable[[Page, Account], None], somebody: Callable[..., Account],
    a_sale: Callable[..., Sale], shop: Shop,
) -> None:  # fmt: skip
    page = visitor()
    log_in(page, somebody())
    sale = a_sale(proof="on", begins=10)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/proof") else None)
    page.goto(at(sale))
    expect(page.get_by_role("status").filter(has_text="Security check passed")).to_be_visible()
    assert shop.memory.now_ms() < sale.terms.begins * 1000
    button = page.locator("#buy")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.dispatch_event("click")  # nothing comes of it
    expect(page.get_by_role("button", name="Not open yet")).to_be_visible()
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url("**/orders/*")
    assert len(asked) == 1


def test_long_before_the_start_nothing_is_done_that_would_have_run_out_by_then(
    visitor: Visitor, log_in: Callable[[Page, Account], None], somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
) -> None:  # fmt: skip
    page, sale = visitor(), a_sale(proof="on", begins=3600, ends=7200)
    log_in(page, somebody())
    page.goto(at(sale))
    expect(page.locator(".proof-state")).to_have_text("The security check is made by itself before the start.")
    expect(page.get_by_text("Who can't use JavaScript can get a ticket here from")).to_be_visible()
    widget = page.locator("altcha-widget")
    eventually(lambda: widget.evaluate("widget => widget.getState?.()") == "unverified")
    widget.evaluate("widget => { widget.dataset.starts = 1; }")  # as if the time had come
    expect(page.locator(".proof-state")).to_have_text("Security check passed")
    expect(page.locator("#buy")).to_have_attribute("aria-disabled", "true")


def test_without_script_a_ticket_is_to_be_had_before_the_start(
    visitor: Visitor, log_in: Callable[[Page, Account], None], somebody: Callable[..., Account],
    a_sale: Callable[..., Sale], shop: Shop, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    page, account = visitor(script=False), somebody()
    log_in(page, account)
    sale = a_sale(proof="on", begins=10)
    page.goto(at(sale))
    page.get_by_role("button", name="Get a ticket without JavaScript").click()
    expect(page.locator(".ticket")).to_contain_text("Your ticket is good in")
    purpose = proving.for_sale(sale.id, account.id)
    shop.memory.redis.delete(keys.ticket(purpose))
    monkeypatch.setattr(proving, "wait", lambda _: 0)
    proving.take_ticket(shop, purpose, sale.terms.begins)  # as if those seconds had passed
    page.get_by_role("link", name="Check again").first.click()
    expect(page.get_by_text("Your ticket is good for the start.")).to_be_visible()
    eventually(lambda: shop.memory.now_ms() >= sale.terms.begins * 1000)
    page.get_by_role("link", name="Check again").first.click()
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url("**/orders/*")


def test_without_script_a_ticket_buys(
    visitor: Visitor, log_in: Callable[[Page, Account], None], somebody: Callable[..., Account],
    a_sale: Callable[..., Sale], shop: Shop, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    page, sale, account = visitor(script=False), a_sale(proof="on"), somebody()
    log_in(page, account)
    page.goto(at(sale))
    page.get_by_role("button", name="Buy now").click()
    expect(page.get_by_role("alert")).to_contain_text("Your device must do a short calculation first.")
    page.get_by_role("button", name="Get a ticket without JavaScript").click()
    expect(page.locator(".ticket")).to_contain_text("Your ticket is good in")
    purpose = proving.for_sale(sale.id, account.id)
    shop.memory.redis.delete(keys.ticket(purpose))
    monkeypatch.setattr(proving, "wait", lambda _: 0)
    proving.take_ticket(shop, purpose)  # as if those seconds had passed
    page.get_by_role("link", name="Check again").first.click()
    expect(page.get_by_text("Your ticket is good now.")).to_be_visible()
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url("**/orders/*")

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


def test_the_page_says_when_the_work_is_done_and_does_it_again_for_a_new_main(
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
    join.click()
    expect(page.locator("main")).to_contain_text("You are at place 1 of 1")
    assert len(asked) == 2


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

"""People pay elsewhere and come back: on Stripe's page, which is another host's, and on the sandbox's."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import expect

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import buying
from storefront.shop import Shop
from tests.browser.conftest import Visitor
from tests.conftest import Served


@pytest.fixture
def shops(on_stripe: Flask, app_with: Callable[..., Flask], served: Served) -> dict[str, str]:
    """The addresses of shops whose payment providers have pages."""
    return {"stripe": served(on_stripe), "sandbox": served(app_with(payments="sandbox-hosted"))}


@pytest.fixture
def order(shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale]) -> tuple[Account, str]:
    """Somebody, and their unpaid order."""
    account = somebody()
    made = buying.buy(shop, account, a_sale().product).order
    buying.placed_order_of(shop, account, made)
    return account, made


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("provider", ["stripe", "sandbox"])
def test_people_pay_on_the_providers_page_and_come_back_to_their_receipt(
    visitor: Visitor, log_in: Callable[..., None], shops: dict[str, str], stripe_server: str,
    order: tuple[Account, str], provider: str, script: bool,
) -> None:  # fmt: skip
    here, (account, order_id) = shops[provider], order
    page = visitor(script=script, base_url=here)
    log_in(page, account)
    page.goto(f"/orders/{order_id}")
    page.locator("#pay").click()
    page.wait_for_url(f"{stripe_server}/**" if provider == "stripe" else f"{here}/sandbox/*")
    if provider == "sandbox":
        if script:  # axe is one
            assert not Axe().run(page).response["violations"]
        places = [button.bounding_box() for button in page.locator("main form button").all()]
        gaps = [below["y"] - above["y"] - above["height"] for above, below in pairwise(filter(None, places))]
        assert len(gaps) == 2
        assert min(gaps) >= 8
        page.get_by_role("button", name="Have it declined").click()
        expect(page.get_by_role("alert")).to_have_text("The payment was declined. Nothing was charged.")
        page.get_by_role("button", name="Leave without paying").click()
        page.wait_for_url(f"{here}/orders/{order_id}")
        page.locator("#pay").click()
    page.get_by_role("button", name=re.compile("^Pay")).click()
    page.wait_for_url(f"{here}/orders/{order_id}")
    expect(page.get_by_text("It is yours. This page is your receipt.")).to_be_visible()

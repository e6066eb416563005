"""A real browser, and people who use it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.browser import launch
from storefront.domain.account import Account
from storefront.local.shop import LocalShop

PASSWORD = "secret123"
LOCALES = {"en": "en-GB", "zh": "zh-CN"}

Visitor = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=15_000)
        try:
            started = launch(playwright)
        except FileNotFoundError as fault:
            pytest.skip(f"{fault}. The pages were not tested")
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser, real_shop: LocalShop) -> Iterator[Visitor]:
    """Makes visitors: a page of a browser of their own. No script of theirs may fail."""
    contexts = []
    faults: list[str] = []

    def make(*, script: bool = True, width: int = 1280, language: str = "en", **more: Any) -> Page:
        context = browser.new_context(
            java_script_enabled=script, locale=LOCALES[language], viewport={"width": width, "height": 800},
            **{"base_url": real_shop.url, "timezone_id": "Asia/Shanghai", **more},
        )  # fmt: skip
        context.set_default_timeout(15_000)
        context.on("weberror", lambda fault: faults.append(str(fault.error)))
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def log_in() -> Callable[[Page, Account], None]:
    """Logs a visitor in."""

    def do(page: Page, account: Account) -> None:
        page.goto("/login")
        page.get_by_label("Name", exact=True).or_(page.get_by_label("用户名", exact=True)).fill(account.name)
        page.get_by_label("Password", exact=True).or_(page.get_by_label("密码", exact=True)).fill(PASSWORD)
        page.locator("main form button").click()
        page.wait_for_url("**/")

    return do

"""Light pages that stand still; and product pictures that fit it."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Route, expect

from bench.browser import load
from storefront.domain.account import Account
from storefront.domain.sale import Sale, Terms
from storefront.local import art
from storefront.services import buying, selling
from storefront.shop import Shop
from tests.browser.conftest import Visitor
from tests.browser.stage import at
from tests.conftest import eventually, unique

MOST_BYTES = 60_000
MOVED = """() => { window.moved = []; new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    window.moved.push([shift.value, ...shift.sources.map(({ node }) => node?.outerHTML ?? node?.textContent)]);
  }
}).observe({ type: "layout-shift", buffered: true }); }"""


@pytest.fixture
def dozen(a_sale: Callable[..., Sale]) -> list[Sale]:
    """Twelve sales, some of which are still to come, that a search for the first word of their names finds."""
    word = unique("周年庆").replace(" ", "")
    return [
        a_sale(num=100, begins=-60 if number < 8 else 3600, product=f"{word} 晨星手机 Daybreak phone {number}")
        for number in range(12)
    ]


@pytest.fixture
def pictured(shop: Shop) -> Callable[..., Sale]:
    """Opens a live sale with an uploaded picture."""

    def make(begins: int = -60, **terms: object) -> Sale:
        now = shop.memory.now_ms() // 1000
        fixed = Terms(unique("有图"), 10, "Lampe", now + begins, now + 2 * 86400, price=1000, limit=9, **terms)  # type: ignore[arg-type]
        return selling.open_sale(shop, None, fixed, art.phone()).sale

    return make


def search_for(sale: Sale) -> str:
    return f"/?q={quote(sale.product.split()[0])}"


@pytest.mark.parametrize("name", ["home", "sale"])
def test_a_page_is_light_and_waits_for_nothing_but_its_style_and_its_clocks(
    visitor: Visitor, dozen: list[Sale], name: str
) -> None:  # `make bench` tells how long that takes a slow phone
    page = visitor(width=390)
    loaded = load(page, search_for(dozen[0]) if name == "home" else at(dozen[0]))
    expect(page.locator("[data-sale]")).to_have_count(12 if name == "home" else 1)
    assert loaded.size < MOST_BYTES
    assert [Path(path).name for path in loaded.blocking] == ["style.css", "shop.js"]


def test_a_dashboard_is_light_with_its_charts(visitor: Visitor, a_sale: Callable[..., Sale]) -> None:
    page = visitor(width=390)
    loaded = load(page, f"/dashboard/{a_sale().id}?live=0")
    expect(page.locator("[data-chart] canvas")).to_have_count(2)
    assert loaded.size < MOST_BYTES


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", ["home", "sale"])
def test_nothing_moves_while_clocks_run_figures_change_and_a_picture_comes_late(
    visitor: Visitor, somebody: Callable[..., Account], shop: Shop, pictured: Callable[..., Sale], name: str, width: int
) -> None:
    sale, page, held = pictured(), visitor(width=width), list[Route]()
    page.route("**/pictures/*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright wants a function
    page.goto(at(sale) if name == "sale" else f"/?q={quote(sale.product)}", wait_until="commit")
    page.evaluate(MOVED)
    expect(page.get_by_text("10 left")).to_be_visible()
    main = page.locator("main").element_handle()
    seconds = page.locator("time[data-until] b").last
    before = seconds.inner_text()
    expect(seconds).not_to_have_text(before)
    buying.buy(shop, somebody(), sale.product)
    expect(page.get_by_text("9 left")).to_be_visible()
    expect(page.get_by_text("10% taken")).to_be_visible()
    expect(page.locator("progress")).to_have_js_property("value", 1)
    assert main.evaluate("main => main.isConnected")  # what changes is written into the page that is there
    for route in held:
        route.continue_()
    picture = page.locator("[data-sale] img")
    eventually(lambda: picture.evaluate("image => image.complete && image.naturalWidth"))
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("window.moved") == []


@pytest.mark.parametrize("name", ["home", "sale"])
def test_a_picture_comes_from_the_shop_in_a_width_that_fits_the_phone_or_a_gift_stands_for_it(
    visitor: Visitor, a_sale: Callable[..., Sale], pictured: Callable[..., Sale], name: str
) -> None:
    sale, bare = pictured(), a_sale(image="http://127.0.0.1:9/none.png")
    page = visitor(width=390, device_scale_factor=2)
    page.goto(at(sale) if name == "sale" else f"/?q={quote(sale.product)}")
    picture = page.locator("[data-sale] .picture img")
    eventually(lambda: picture.evaluate("image => image.complete && image.naturalWidth"))
    source, wanted, files = picture.evaluate(
        """image => [new URL(image.currentSrc).pathname, image.clientWidth * devicePixelRatio,
          image.srcset.split(",").map((one) => one.trim().split(" "))]"""
    )
    widths = {file: int(width.removesuffix("w")) for file, width in files}
    assert widths[source] == min(width for width in widths.values() if width >= wanted)
    page.goto(at(bare) if name == "sale" else f"/?q={quote(bare.product)}")
    expect(page.locator("[data-sale] .gift")).to_be_visible()
    expect(page.locator("[data-sale] .picture img")).to_have_count(0)

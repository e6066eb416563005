"""Every page: forms that forgive, two languages, and nothing that axe, a small phone or a keyboard stumbles over."""

import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local import art
from storefront.services import buying, paying
from storefront.services.imaging import MOST_BYTES
from storefront.shop import Shop
from tests.browser.conftest import Visitor
from tests.conftest import unique

MONTHS_AWAY = 90 * 86400


def test_a_wrong_form_keeps_what_was_typed_and_leads_to_the_field(visitor: Visitor) -> None:
    page = visitor()
    page.goto("/register")
    page.get_by_label("Name", exact=True).fill("Ann <b>")
    page.get_by_label("Age", exact=True).fill("twelve")
    page.get_by_label("Address", exact=True).fill("1 Main Street")
    page.get_by_label("Picture").fill("picture.png")
    page.get_by_label("Password", exact=True).fill("12345")
    page.locator("main form button").click()
    summary = page.get_by_role("alert")
    expect(summary.get_by_role("link")).to_have_count(3)
    expect(page).to_have_title(re.compile("^Error"))
    typed = {"Name": "Ann <b>", "Age": "twelve", "Address": "1 Main Street", "Picture": "picture.png", "Password": ""}
    for label, value in typed.items():
        expect(page.get_by_label(label, exact=label != "Picture")).to_have_value(value)
    summary.get_by_role("link", name="Age: This must be a whole number.").click()
    age = page.get_by_label("Age", exact=True)
    expect(age).to_be_focused()
    expect(age).to_have_attribute("aria-invalid", "true")
    expect(age).to_have_accessible_description("This must be a whole number.")


def test_a_merchants_wrong_form_keeps_times_zone_and_choices(visitor: Visitor) -> None:
    page = visitor(script=False)
    page.goto("/createmiaosha")
    page.get_by_label("Product", exact=True).fill(unique("灯"))
    page.get_by_label("Units", exact=True).fill("3")
    page.get_by_label("Producer", exact=True).fill("Lampe")
    page.get_by_label("Limit per shopper").fill("4")
    page.get_by_label("Price").fill("12,5")
    page.get_by_label("Currency", exact=True).select_option("EUR")
    page.get_by_label("Begins", exact=True).fill("2100-01-02T10:00")
    page.get_by_label("Ends", exact=True).fill("2100-01-02T09:00")
    page.get_by_label("Time zone", exact=True).select_option("Europe/Berlin")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert").get_by_role("link")).to_have_text(
        [re.compile("^Price: Write the price as a number")]
    )
    expect(page.get_by_label("Price")).to_have_value("12,5")
    page.get_by_label("Price").fill("12.50")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert").get_by_role("link")).to_have_text([re.compile("^Limit"), re.compile("^Ends")])
    expect(page.get_by_label("Begins", exact=True)).to_have_value("2100-01-02T10:00")
    expect(page.get_by_label("Time zone", exact=True)).to_have_value("Europe/Berlin")
    expect(page.get_by_label("Currency", exact=True)).to_have_value("EUR")
    page.get_by_label("Limit per shopper").fill("")
    page.get_by_label("Ends", exact=True).fill("2100-01-02T11:00")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Open the sale").click()
    expect(page.locator("main")).to_contain_text("€12.50")
    expect(page.locator("main")).to_contain_text("Jan 2, 2100, 9:00:00")  # ten o'clock in Berlin, in UTC


@pytest.mark.parametrize("width", [320, 1280])
def test_the_language_chosen_is_remembered_and_the_page_stays(
    visitor: Visitor, a_sale: Callable[..., Sale], width: int
) -> None:
    sale, page = a_sale(product=unique("50% off / 手机?")), visitor(language="en", width=width)
    page.goto(f"/miaosha/{quote(sale.product, safe='')}")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("heading", level=1)).to_have_text(sale.product)
    page.goto("/")
    expect(page.get_by_role("link", name="注册")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Register")).to_be_visible()


def test_a_picture_is_chosen_in_the_form_and_comes_from_the_shop_alone(
    visitor: Visitor, somebody: Callable[..., Account], log_in: Callable[..., None], a_sale: Callable[..., Sale]
) -> None:
    page, product, asked = visitor(), unique("台灯"), set[str]()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    log_in(page, somebody())
    a_sale(image="http://127.0.0.1:9/none.png")
    page.goto("/createmiaosha")
    page.get_by_label("Product", exact=True).fill(product)
    page.get_by_label("Producer", exact=True).fill("Lampe")
    now = datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:%M")  # so it stands on the window's first page
    page.get_by_label("Begins", exact=True).fill(now)
    page.get_by_label("Ends", exact=True).fill("2100-01-02T09:00")
    page.get_by_label("Picture (file)").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": bytes(MOST_BYTES + 1)}
    )
    expect(page.get_by_role("alert")).to_have_text("The picture is too large: 8 MB at most.")
    expect(page.get_by_label("Picture (file)")).to_have_value("")
    page.get_by_label("Picture (file)").set_input_files({"name": "a.svg", "mimeType": "image/png", "buffer": b"<svg/>"})
    page.get_by_label("Units", exact=True).fill("3")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Picture (file)")).to_have_accessible_description(re.compile("This is no picture"))
    page.get_by_label("Picture (file)").set_input_files(
        {"name": "a.webp", "mimeType": "image/webp", "buffer": art.phone()}
    )
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Open the sale").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(product)
    for where in (page.locator(".sale .picture img"), page.locator(".card", has_text=product).locator("img")):
        expect(where).to_have_js_property("complete", value=True)
        assert where.evaluate("(image) => image.naturalWidth") > 0
        page.goto("/")
    expect(page.locator(".gift").first).to_be_visible()  # what stands for a picture that isn't there
    page.goto("/orders")
    assert asked == {urlsplit(page.url).netloc}


def test_an_avatar_that_cannot_be_had_leaves_the_initial(
    visitor: Visitor, somebody: Callable[..., Account], log_in: Callable[..., None]
) -> None:
    page, account = visitor(), somebody()
    page.route("http://example.com/**", lambda route: route.abort())
    log_in(page, account)
    page.get_by_role("link", name=account.name).click()
    expect(page.locator(".avatar-large")).to_have_text(account.name[0])
    expect(page.locator(".avatar-large img")).to_have_count(0)


def test_charts_and_what_was_unfolded_stay_where_they_are_while_a_dashboard_changes(
    visitor: Visitor, somebody: Callable[..., Account], a_sale: Callable[..., Sale], shop: Shop
) -> None:
    sale, page = a_sale(num=9), visitor()
    page.goto(f"/dashboard/{sale.id}")
    expect(page.locator("[data-chart] canvas")).to_have_count(2)
    charts = page.locator("[data-chart] canvas").element_handles()
    page.get_by_text("As a table").click()
    with page.expect_response(lambda answer: "/series" in answer.url and 1 in answer.json()["orders"]):
        buying.buy(shop, somebody(), sale.product)
    expect(page.get_by_role("cell", name="1", exact=True)).to_be_visible()
    assert all(chart.evaluate("canvas => canvas.isConnected") for chart in charts)
    expect(page.locator("[data-chart] canvas")).to_have_count(2)


def test_without_script_a_dashboard_has_its_figures_as_a_table(visitor: Visitor, a_sale: Callable[..., Sale]) -> None:
    page = visitor(script=False)
    page.goto(f"/dashboard/{a_sale().id}")
    page.get_by_text("As a table").click()
    expect(page.get_by_role("table")).to_be_visible()
    expect(page.locator("[data-chart]")).to_have_count(2)
    expect(page.locator("[data-chart]").first).to_be_hidden()


def test_a_dashboard_changes_by_itself_until_it_is_told_not_to(
    visitor: Visitor, somebody: Callable[..., Account], a_sale: Callable[..., Sale], shop: Shop
) -> None:
    sale, page = a_sale(num=9), visitor()
    page.goto(f"/dashboard/{sale.id}")
    figures = page.locator(".sum dd")
    expect(figures).to_have_text(["9", "0", "0", "0", "9"])
    page.evaluate("window.untouched = true")
    buyer = somebody()
    paying.pay(shop, buyer, buying.buy(shop, buyer, sale.product).order)
    expect(figures).to_have_text(["8", "0", "0", "1", "9"])
    assert page.evaluate("window.untouched")  # it was not loaded anew
    page.get_by_role("link", name="Stop live updates").click()
    expect(page.get_by_role("link", name="Live updates")).to_be_visible()
    expect(page.locator("main[data-poll]")).to_have_count(0)

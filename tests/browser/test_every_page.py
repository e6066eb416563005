"""Every page in every state, language and theme: axe finds nothing, a small phone shows it whole, from one host.

A line of SIGHTS is a page in a state; to have another judged, add a line.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from threading import Thread
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from babel.support import Translations
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from storefront import create_app
from storefront.config import Config
from storefront.local import art
from storefront.local.shop import LocalShop
from storefront.services import accounts, changing, proving
from storefront.shop import Shop
from storefront.stores import keys
from tests.browser.conftest import LOCALES, PASSWORD
from tests.browser.stage import CROWDED, HOUR, Stage, at

ANNA, BERT, NEWCOMER, MERCHANT = "安娜", "伯特", "新客", "晨星数码"
OPERATOR, BANNED = "操作员", "抢手"
REASONS = ["not_started", "ended", "all_held", "sold_out", "too_fast", "banned", "paused", "sale_cancelled"]
MONTHS = 90 * 24 * HOUR
LONG = "没有任何空格的特别特别特别特别特别特别特别特别特别特别特别特别特别特别长的商品名称"
MORE_OF_THE_SAME = [["li.card:nth-child(n+4)"], ["li.row:nth-child(n+6)"]]  # other tests' sales fill the lists
GROUND = {"light": "rgb(245, 244, 242)", "dark": "rgb(19, 18, 17)"}
NAMES = {
    "UTC", "GMT", "CNY", "USD", "EUR", "GBP", "HKD", "JPY", "SGD", "JPEG", "PNG", "WebP", "AVIF", "CSV", "MB", "kB",
    "IP", "db", "https", "example", "com", "product", "jpg", "me", "png", "Sundries",
    "JavaScript", "JSON", "HTML", "Accept", "application", "json", "Authorization", "Bearer", "Language", "Retry",
    "After", "token", "Error", "Unix", "RFC", "ISO", "JWT", "ETag", "ALTCHA", "iCalendar", "Prometheus", "null",
    "expired", "start", "Idempotency", "Key", "ASCII", "IPv", "HMAC", "SHA", "base",
}  # fmt: skip
"""Latin words that Chinese readers meet, too."""


# What is staged, once. All names are Chinese, so that what is English on a Chinese page wasn't translated.


ENDS = {"": "", "paid": "已付", "expired": "过期", "cancelled": "取消", "refunded": "退款"}


def live(stage: Stage) -> str:
    return at(stage.sale(LONG, num=1000, price=10**11, limit=2, merchant=MERCHANT, description="一行\n另一行"))


def pictured(stage: Stage) -> str:
    return at(stage.sale("有图的手机", merchant=MERCHANT, upload=art.phone()))


@cache
def held_by(who: str, then: str = "") -> Callable[[Stage], str]:
    @cache
    def address(stage: Stage) -> str:
        sale = stage.sale(f"台灯{who}{ENDS[then]}", num=1)
        stage.order(who, sale, then)
        return at(sale)

    return address


@cache
def waited_for(stage: Stage) -> str:
    sale = stage.sale("候补的水壶", num=1)
    stage.order(BERT, sale)
    stage.wait(ANNA, sale)
    return at(sale)


@cache
def offered(stage: Stage) -> str:
    sale = stage.sale("轮到你的水壶", num=1)
    order = stage.order(BERT, sale)
    stage.wait(ANNA, sale)
    stage.cancel(BERT, order)
    stage.until_pending(ANNA, sale)
    return at(sale)


def recovering(stage: Stage) -> str:
    sale = stage.sale("正在恢复的茶", num=5)
    stage.shop.memory.redis.hset(keys.sale(sale.id), "signed", "an epoch that is over")
    return at(sale)


@cache
def ordered(then: str = "", price: int | None = 99_900) -> Callable[[Stage], str]:
    @cache
    def address(stage: Stage) -> str:
        sale = stage.sale(f"商品{price or '免费'}", price=price, limit=9)
        return f"/orders/{stage.order(ANNA, sale, then)}"

    return address


def placing(stage: Stage) -> str:
    return f"/orders/{stage.placing(ANNA, stage.sale('排队的背包', limit=9))}"


def overdue(stage: Stage) -> str:
    return f"/orders/{stage.overdue(ANNA, stage.sale('过时的吉他', limit=9))}"


@cache
def lost(stage: Stage) -> str:
    return f"/orders/{stage.lost(ANNA, stage.sale('丢失的伞'))}"


@cache
def orders(query: str = "") -> Callable[[Stage], str]:
    @cache
    def address(stage: Stage) -> str:
        for then in ("", "paid", "cancelled", "refunded"):
            stage.order(ANNA, stage.sale("多件商品", num=500, limit=500), then)
        return f"/orders{query}"

    return address


@cache
def of_merchant(price: int | None = 10**11) -> Callable[[Stage], str]:
    @cache
    def address(stage: Stage) -> str:
        sale = stage.sale(f"{LONG}{price or '免费'}", num=9, limit=9, price=price, merchant=MERCHANT)
        stage.order(BERT, sale, "paid")
        return f"/dashboard/{sale.id}?live=0"

    return address


def once_more(stage: Stage) -> str:
    sale = stage.sale("再卖一次的手机", begins=-300, ends=-10, merchant=MERCHANT, upload=art.phone())
    return f"/createmiaosha?like={sale.id}"


@cache
def sold(query: str = "", price: int | None = 10**11) -> Callable[[Stage], str]:
    """The orders of a merchant's sale, some of each kind, or with ``/`` what else there is of it."""

    @cache
    def address(stage: Stage) -> str:
        place = of_merchant(price)(stage).partition("?")[0]
        sale = stage.sale(f"{LONG}{price or '免费'}")
        for then in ("", "cancelled", "refunded") if price else ():
            stage.order(BERT, sale, then)
        return f"{place}/orders{query}"

    return address


def seen_by_merchants(stage: Stage) -> str:
    """The dashboard of a sale that goes on for a while, at which somebody was banned, with its figures as a table."""
    sale = stage.sale("已开抢一阵子的茶具", num=9, merchant=MERCHANT)
    stage.ban(BANNED, sale)
    for code in REASONS:
        stage.shop.memory.redis.hset(keys.refusals(sale.id), code, 7)
    return f"/dashboard/{sale.id}?live=0"


def everybodys(stage: Stage) -> str:
    accounts.grant_operator(stage.shop, stage.account(OPERATOR).name)
    return "/dashboard?all=1"


def unfold(page: Page) -> None:
    expect(page.locator("[data-chart] canvas")).to_have_count(2)
    page.locator("#twin summary").click()


def unfold_calls(page: Page) -> None:
    """Of the description for programs some calls, and a shape: all would take long to judge."""
    page.evaluate(
        """() => { for (const id of ["openSale", "buy", "extendSale", "LookedAtSale", "SaleOnDashboard"])
        document.getElementById(id).closest("details").open = true }"""
    )


def banned(stage: Stage) -> str:
    stage.ban(BANNED)
    return "/orders"


def bans(stage: Stage) -> str:
    accounts.grant_operator(stage.shop, stage.account(OPERATOR).name)
    stage.ban(BANNED)
    return "/bans"


def webhooks_page(stage: Stage) -> str:
    stage.told(NEWCOMER)
    return "/webhooks"


PUT_BACK = "Many accounts were registered where yours was, so it is put back by a few seconds."


def put_back(stage: Stage) -> str:
    return at(stage.sale("抢手的相机", begins=600))


def too_new(stage: Stage) -> str:
    return at(stage.sale("老会员专享", min_account_age=7 * 24 * HOUR))


@cache
def drawn(state: str) -> Callable[[Stage], str]:
    """A sale that draws its units: 预告, 报名, or 已报 (by Anna)."""

    @cache
    def address(stage: Stage) -> str:
        begins = HOUR if state == "预告" else -600
        sale = stage.sale(f"抽签的唱机{state}", num=3, begins=begins, ends=MONTHS, draw=HOUR)
        if state == "已报":
            stage.wait(ANNA, sale)
        return at(sale)

    return address


def being_drawn(stage: Stage) -> str:
    """A draw that is closed and isn't handed out: somebody's entry is still on its way, which the sweep waits for."""
    sale = stage.sale("抽签的唱机截止", num=3, ends=MONTHS, draw=60)
    redis, entry = stage.shop.memory.redis, keys.who_enters("1", ANNA)
    redis.zadd(keys.entering(sale.id), {entry: stage.shop.memory.now_ms() + HOUR * 1000})
    redis.hset(keys.sale(sale.id), "waiting", 2)
    redis.hdel(keys.sale(sale.id), "handed_out")  # as the sweep notes once it was shown before
    stage.until_shown.callback(redis.zrem, keys.entering(sale.id), entry)
    return at(sale)


def guarded(stage: Stage) -> str:
    return at(stage.sale("要验证的茶具", num=500, limit=500, proof="on"))


def registering(stage: Stage) -> str:
    """Whoever registered from this address before may have left a ticket."""
    stage.shop.memory.redis.delete(keys.ticket(proving.for_registration("127.0.0.1")))
    return "/register"


def ticketed(wait: int) -> Callable[[Stage], str]:
    def address(stage: Stage) -> str:
        stage.ticket(ANNA, stage.sale("要验证的茶具", num=500, limit=500, proof="on"), wait)
        return guarded(stage)

    return address


@cache
def paused(stage: Stage) -> str:
    return at(stage.change(stage.sale("暂停的风筝"), changing.pause))


@cache
def called_off(whose: str = "") -> Callable[[Stage], str]:
    """A sale that was cancelled, or somebody's order of it."""

    @cache
    def address(stage: Stage) -> str:
        sale = stage.sale(f"取消的风筝{whose}")
        order = stage.order(whose, sale, "paid") if whose else ""
        stage.change(sale, changing.cancel)
        return f"/orders/{order}" if whose else at(sale)

    return address


@cache
def asked(action: str) -> Callable[[Stage], str]:
    return lambda stage: f"/dashboard/{stage.sale('要更改的风筝', num=9, merchant=MERCHANT).id}/{action}"


def page(address: str) -> Callable[[Stage], str]:
    return lambda _: address


# What a looker does


def send(page: Page) -> None:
    page.locator("main form.form button").click()
    expect(page.locator("#summary")).to_be_visible()


def tell_no_address(page: Page) -> None:
    page.locator("[name=address]").fill("http://example.com/")
    send(page)


def log_in_wrongly(page: Page) -> None:
    page.locator("[name=name]").fill("没有此人")
    page.locator("[name=pass]").fill("a wrong password")
    page.locator("main form.form button").click()
    expect(page.locator("#summary, .fault")).to_be_visible()


def log_in_too_often(page: Page) -> None:
    while not page.get_by_text("429").count():
        log_in_wrongly(page)


def fill_in_a_sale(page: Page) -> None:
    page.locator("[name=picture]").set_input_files({"name": "图.webp", "mimeType": "image/webp", "buffer": art.phone()})
    expect(page.locator(".chosen canvas")).to_be_visible()
    values = {"name": LONG, "producter": "晨星", "num": "500", "amount": "5,999.00", "description": "一行\n另一行"}
    twice = {"time_begintokill": "2031-10-26T02:30", "time_endkill": "2031-10-27T00:00"}
    for name, value in {**values, **twice}.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=zone]").select_option("Europe/Berlin")


def check_a_sale(page: Page) -> None:
    fill_in_a_sale(page)
    page.locator("[name=name]").fill(f"再来一场 {LONG}")  # other tests' sales have the other name
    page.locator("main form.form button").click()
    expect(page.locator(".confirm")).to_be_visible()


def check_one_that_is_over(page: Page) -> None:
    fill_in_a_sale(page)
    page.locator("[name=time_begintokill]").fill("2024-10-26T02:30")
    page.locator("[name=time_endkill]").fill("2024-10-27T00:00")
    page.locator("main form.form button").click()
    expect(page.locator(".confirm")).to_be_visible()


def check_a_gap(page: Page) -> None:
    fill_in_a_sale(page)
    page.locator("[name=time_begintokill]").fill("2031-03-30T02:30")
    send(page)


def upload_no_picture(page: Page) -> None:
    page.locator("[name=picture]").set_input_files({"name": "图.svg", "mimeType": "image/png", "buffer": b"<svg/>"})
    send(page)


def send_too_much(page: Page) -> None:
    address = page.locator("[name=address]")
    address.evaluate("field => field.removeAttribute('maxlength')")
    address.fill("长" * 30_000)
    page.locator("main form.form button").click()


def ask_to_cancel(page: Page) -> None:
    page.locator("details.cancel summary").click()


def pay(page: Page) -> None:
    page.locator("main .button-first").click()
    page.wait_for_url("**/sandbox/*")


def nothing(_: Page) -> None:
    """The page is judged as it comes."""


@dataclass(frozen=True)
class Sight:
    """A page in a state: what it ``says`` proves the state; ``door`` is another application's address."""

    name: str
    says: str
    stage: Callable[[Stage], str]
    who: str = ""
    act: Callable[[Page], None] = nothing
    door: str = ""


REFUNDED = "Your payment came too late for this order. Your money has been returned."
TOO_LARGE = "The request is too large: 64 kB at most, a picture in it 8 MB."
ONCE_MORE = "These are the terms of an earlier sale. Its window is moved to the next day on which it lies ahead."
NOT_OPEN = "It isn't open yet. This is what shoppers will see."
OVER_ALREADY = "The window of this sale is already over: it ended %(ago)s. Nobody could buy."
RECOVERING = "The shop is recovering. Nothing is lost; please try again in a few seconds."

SIGHTS = [
    Sight("home", "Live now", lambda s: (live(s), "/")[-1]),
    Sight("home, logged in", "Live now", lambda s: (live(s), "/")[-1], ANNA),
    Sight("found", "See all sales", lambda s: (live(s), pictured(s), "/?q=有图的手机")[-1]),
    Sight("nothing found", "No product's name holds these words.", page("/?q=没有这样的东西")),
    Sight("no further sales", "There are no further sales.", page("/?cursor=99999")),
    Sight("live, not logged in", "Log in to buy", live),
    Sight("live", "Buy now", live, ANNA),
    Sight("with a picture", "Buy now", pictured, ANNA),
    Sight("upcoming, put back", PUT_BACK, put_back, CROWDED),
    Sight("live, too new", "Your account is too new", too_new, ANNA),
    Sight("live, with proof", "Security check passed", guarded, ANNA),
    Sight(
        "live, with a ticket to come",
        "Your ticket is good in %(count)s seconds. Then look here again.",
        ticketed(300),
        ANNA,
    ),
    Sight("live, with a ticket", "Your ticket is good now.", ticketed(0), ANNA),
    Sight("upcoming", "Not open yet", lambda s: at(s.sale("追风自行车", begins=HOUR, ends=MONTHS)), ANNA),
    Sight(
        "upcoming, with proof",
        "The security check is made by itself before the start.",
        lambda s: at(s.sale("预约茶具", begins=HOUR, ends=MONTHS, proof="on")),
        ANNA,
    ),
    Sight("upcoming, not logged in", "Not open yet", lambda s: at(s.sale("追风自行车", begins=HOUR, ends=MONTHS))),
    Sight("upcoming, by lot", "Drawn by lot", drawn("预告"), ANNA),
    Sight("by lot, not logged in", "Log in to enter the draw", drawn("报名")),
    Sight("by lot", "Enter the draw", drawn("报名"), ANNA),
    Sight("by lot, entered", "Leave the draw", drawn("已报"), ANNA),
    Sight("by lot, closed", "The draw is closed", being_drawn, ANNA),
    Sight("unit held", "Pay %(amount)s", held_by(ANNA), ANNA),
    Sight("limit reached", "You have bought this.", held_by(ANNA, "paid"), ANNA),
    Sight("hold expired", "You can buy again while there are units.", held_by(ANNA, "expired"), ANNA),
    Sight("all held, not logged in", "Log in to join the waitlist", held_by(BERT)),
    Sight("all held", "Join the waitlist", held_by(BERT), ANNA),
    Sight("waiting", "Leave the waitlist", waited_for, ANNA),
    Sight("offered", "Pay %(amount)s", offered, ANNA),
    Sight("sold out", "Every unit is paid for.", held_by(BERT, "paid"), ANNA),
    Sight("ended", "See other sales", lambda s: at(s.sale("龙井", begins=-300, ends=-10)), ANNA),
    Sight(
        "paused",
        "The merchant has paused this sale. What is ordered or reserved stands; nobody else can buy meanwhile.",
        paused,
        ANNA,
    ),
    Sight("called off", "See other sales", called_off(), ANNA),
    Sight("order of a sale that was called off", "Order cancelled", called_off(ANNA), ANNA),
    Sight("recovering", "Paused for a moment", recovering, ANNA),
    Sight("placing", "Your order is being placed", placing, ANNA),
    Sight("to pay", "Pay for your order", ordered(), ANNA),
    Sight("really cancel?", "Yes, cancel it", ordered(), ANNA, ask_to_cancel),
    Sight("to confirm", "Confirm your order", ordered(price=None), ANNA),
    Sight("overdue", "Payment time is over", overdue, ANNA),
    Sight("paid", "It is yours. This page is your receipt.", ordered("paid"), ANNA),
    Sight("confirmed", "Confirmed", ordered("paid", None), ANNA),
    Sight("cancelled", "Order cancelled", ordered("cancelled"), ANNA),
    Sight("expired", "Hold expired", ordered("expired"), ANNA),
    Sight("refunded", REFUNDED, ordered("refunded"), ANNA),
    Sight("lost", "This order did not go through", lost, ANNA),
    Sight("orders", "Awaiting payment", orders(), ANNA),
    Sight("orders to pay", "Awaiting payment", orders("?state=unpaid"), ANNA),
    Sight("orders paid", "Paid", orders("?state=paid"), ANNA),
    Sight("orders ended", "Cancelled", orders("?state=ended"), ANNA),
    Sight("no orders", "You have no orders yet.", page("/orders"), NEWCOMER),
    Sight("no orders of a kind", "Nothing waits to be paid.", page("/orders?state=unpaid"), NEWCOMER),
    Sight("account", "Your account", page("/account"), ANNA),
    Sight("register", "You log in with it.", page("/register")),
    Sight("register, wrong", "Please correct the following", page("/register"), act=send),
    Sight("register, with proof", "Security check passed", registering, door="guarded"),
    Sight("login", "Register an account", page("/login")),
    Sight("login, wrong", "Name or password is wrong.", page("/login"), act=log_in_wrongly),
    Sight("create", "What is sold", page("/createmiaosha"), ANNA),
    Sight("create, wrong", "Please correct the following", page("/createmiaosha"), ANNA, send),
    Sight("create, no picture", "Please correct the following", page("/createmiaosha"), ANNA, upload_no_picture),
    Sight("create, no such time", "Please correct the following", page("/createmiaosha"), ANNA, check_a_gap),
    Sight("create, once more", ONCE_MORE, once_more, MERCHANT),
    Sight("create, to be confirmed", NOT_OPEN, page("/createmiaosha"), ANNA, check_a_sale),
    Sight("create, over already", OVER_ALREADY, page("/createmiaosha"), ANNA, check_one_that_is_over),
    Sight("dashboard", "My sales", lambda s: (of_merchant()(s), "/dashboard")[-1], MERCHANT),
    Sight("dashboard of a sale", "Adds up ✓", of_merchant(), MERCHANT),
    Sight("dashboard of a free sale", "Adds up ✓", of_merchant(None), MERCHANT),
    Sight("pause?", "Yes, pause it", asked("pause"), MERCHANT),
    Sight("restock?", "Change the number", asked("restock"), MERCHANT),
    Sight("restock?, wrong", "Please correct the following", asked("restock"), MERCHANT, send),
    Sight("extend?", "Set the new end", asked("extend"), MERCHANT),
    Sight("cancel?", "Yes, cancel the sale for good", asked("cancel"), MERCHANT),
    Sight("dashboard of a sale that goes on", "Banned for asking too often", seen_by_merchants, MERCHANT, unfold),
    Sight("dashboard, everybody's", "All sales", everybodys, OPERATOR),
    Sight("orders of a sale", "All orders as CSV", sold(), MERCHANT),
    Sight("orders of a free sale", "Confirmed", sold(price=None), MERCHANT),
    Sight("orders of a sale, found none", "No order fits.", sold("?q=没有&state=paid"), MERCHANT),
    Sight("webhooks", "Take another secret", webhooks_page, NEWCOMER),
    Sight("webhooks, wrong", "Please correct the following", webhooks_page, NEWCOMER, tell_no_address),
    Sight("webhooks, none", "Nothing was sent in the last seven days.", page("/webhooks"), ANNA),
    Sight("bans", "Lift the ban", bans, OPERATOR),
    Sight("bans, wrong", "Please correct the following", bans, OPERATOR, send),
    Sight("banned", "You are banned for a while", banned, BANNED),
    Sight("docs", "The same for machines:", page("/docs"), act=unfold_calls),
    Sight("404", "There is no such page.", page("/no/such/page")),
    Sight("404, no such sale", "There is no sale of this product.", page("/miaosha/没有")),
    Sight("413", TOO_LARGE, page("/register"), act=send_too_much),
    Sight(
        "sandbox",
        "This page stands in for a payment provider's. No money moves.",
        ordered(price=4200),
        ANNA,
        pay,
        door="hosted",
    ),
    Sight("429", "Too many requests. Please slow down.", page("/login"), act=log_in_too_often, door="strict"),
    Sight("503", RECOVERING, page("/"), door="shut"),
    Sight("503, a sale", RECOVERING, page("/miaosha/手机"), door="shut"),
]


@pytest.fixture(scope="session")
def stage(real_shop: LocalShop, shop: Shop) -> Iterator[Stage]:
    """The running shop, to be brought into any state."""
    made = Stage(real_shop)
    yield made
    made.close()


@pytest.fixture(scope="session")
def doors(config: Config, shop: Shop, real_shop: LocalShop) -> Iterator[dict[str, str]]:
    """Addresses: the shop's own, and those of others.

    They let nobody log in twice, have a provider's page to pay on, ask for proof, or have no Redis.
    """
    refusing = {
        "strict": replace(config, limit_login="1/hour"),
        "hosted": replace(config, payments="sandbox-hosted"),
        "guarded": replace(config, register_proof=True),
        "shut": replace(config, redis_url="redis://127.0.0.1:9/0"),  # one limiter serves both, so its Redis stays
    }
    apps = {name: create_app(changed) for name, changed in refusing.items()}
    servers = {name: make_server("127.0.0.1", 0, app, threaded=True) for name, app in apps.items()}
    for server in servers.values():
        Thread(target=server.serve_forever, daemon=True).start()
    yield {"": real_shop.url} | {name: f"http://127.0.0.1:{server.port}" for name, server in servers.items()}
    for name, server in servers.items():
        server.shutdown()
        server.server_close()
        apps[name].extensions["shop"].close()


Looker = Callable[[str, str], BrowserContext]


@pytest.fixture(scope="session")
def looker(browser: Browser, real_shop: LocalShop, stage: Stage) -> Iterator[Looker]:
    """People who look, in a language; each logs in once. The empty name is nobody's."""
    known: dict[tuple[str, str], BrowserContext] = {}

    def of(who: str, language: str) -> BrowserContext:
        if (who, language) not in known:
            context = browser.new_context(
                locale=LOCALES[language], viewport={"width": 1280, "height": 800}, timezone_id="Asia/Shanghai"
            )
            known[who, language] = context
            if who:
                page = context.new_page()
                page.goto(f"{real_shop.url}/login")
                page.locator("[name=name]").fill(stage.account(who).name)
                page.locator("[name=pass]").fill(PASSWORD)
                page.locator("main form button").click()
                page.wait_for_url("**/")
                page.close()
        return known[who, language]

    yield of
    for context in known.values():
        context.close()


@pytest.fixture(scope="session")
def sentences(root: object) -> Callable[[str, str], re.Pattern[str]]:
    """A sentence of the shop in a language, to be found on a page whatever its figures are."""
    chinese = Translations.load("storefront/translations", ["zh_Hans"])

    def in_language(sentence: str, language: str) -> re.Pattern[str]:
        said = chinese.gettext(sentence) if language == "zh" else sentence
        assert language == "en" or said != sentence, sentence
        return re.compile(".+".join(map(re.escape, re.split(r"%\(\w+\)s", said))))

    return in_language


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("sight", SIGHTS, ids=lambda sight: sight.name)
def test_every_page_is_whole_for_everybody(
    stage: Stage, doors: dict[str, str], looker: Looker, sentences: Callable[..., re.Pattern[str]], sight: Sight,
    language: str,
) -> None:  # fmt: skip
    faults, hosts = list[str](), set[str]()
    page = looker(sight.who, language).new_page()
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    with stage.until_shown:
        page.goto(doors[sight.door] + sight.stage(stage))
        sight.act(page)
        expect(page.locator("body")).to_contain_text(sentences(sight.says, language))
        page.wait_for_load_state()
        assert not faults
        if sight.name != "account":  # which shows the picture whose address one gave
            assert hosts == {urlsplit(doors[sight.door]).netloc}
        assert_language(page, language, others=sight.name.startswith(("home", "dashboard", "bans")))
        assert_axe_finds_nothing(page, GROUND if language == "en" else ["light"])
        assert_it_fits(page)
    page.close()


def assert_language(page: Page, language: str, *, others: bool) -> None:
    """The page is in this language, whole: its sentences, its money, its moments; but not ``others``' sales on it."""
    assert page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-Hans"}[language]
    words = page.evaluate(
        """(others) => [...document.querySelectorAll("body *:not([lang], script, .code, .account dd)")]
        .filter((element) => !(others && element.closest("li.card, li.row")))
        .flatMap((element) => [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data)
          .concat(["aria-label", "title", "placeholder", "alt"].map((name) => element.getAttribute(name) ?? "")))
        .concat(document.title).join("\\n")""",
        others,
    )
    if language == "en":
        assert not re.search("[，。：；！？]", words)
        assert not re.search("(?<!CN)¥", words)
    else:
        assert set(re.findall("[A-Za-z]{2,}", words)) <= NAMES
        assert not re.search(r"\d{1,2}:\d\d(:\d\d)? [AP]M", words)


def assert_axe_finds_nothing(page: Page, schemes: Iterable[str]) -> None:
    """In none of these themes. The dark one differs by its colours alone, which are the same in every language."""
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == GROUND[scheme]
        options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
        found = Axe().run(page, context={"exclude": MORE_OF_THE_SAME}, options=options)
        assert found.violations_count == 0, found.generate_report()


def assert_it_fits(page: Page) -> None:
    """A small phone shows the page whole, with room for fingers; only links in a sentence are as high as it."""
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    small = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
        .filter((element) => element.checkVisibility())
        .filter((element) => !element.matches(".skip, [aria-hidden=true], p:not(.crumb) a:not(.button)"))
        .map((element) => [(element.closest("label") ?? element).getBoundingClientRect(), element.outerHTML])
        .filter(([{ width, height }]) => Math.min(width, height) < 44)"""
    )
    assert not small

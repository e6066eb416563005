"""`make screenshots`: every page of a real shop, in every state it can be in, into docs/img and docs/pages.md.

A line of SHOTS is a page in a state; to show another, add a line. They are taken from top to bottom in one shop, which
fills on the way. This is no test: nothing is judged here, somebody must look.
"""

import argparse
import base64
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from storefront.local import art
from storefront.local.shop import LocalShop
from tests.browser.conftest import launch
from tests.browser.stage import ENV, HOUR, PASSWORD, Stage, at

DOCS = Path(__file__).parents[2] / "docs"
IMAGES = DOCS / "img"
QUALITY = 50  # of WebP: letters stay crisp, and all pictures together under 3 MB

ANNA, BERT, SHOP = "Anna", "Bert", "晨星数码 Daybreak"
PHONE_SOLD, HEADPHONES, KETTLE = (
    "晨星 X1 手机 Daybreak X1 phone",
    "静界 降噪耳机 Hush headphones",
    "云朵水壶 Cloud kettle",
)
BICYCLE, LAMP, TEA, CAMERA = (
    "追风 自行车 Gale bicycle",
    "月光台灯 Moonlight lamp",
    "明前龙井 Spring tea",
    "拾光相机 Relic camera",
)
SATCHEL = "信使挎包 Courier satchel"
BAG, CLOCK, GUITAR = "远行背包 Wander bag", "报时钟 Chime clock", "松木吉他 Pine guitar"


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    width: int
    height: int
    scheme: str = "light"
    language: str = "en"

    @property
    def wide(self) -> bool:
        """Whether this is no phone."""
        return self.width >= 600

    def __str__(self) -> str:
        device = "desktop" if self.wide else "phone"
        return "-".join(
            [device, *(["dark"] if self.scheme == "dark" else []), *(["zh"] if self.language == "zh" else [])]
        )


PHONE, DESKTOP = Look(390, 844), Look(1280, 800)
PHONE_DARK, DESKTOP_DARK = Look(390, 844, "dark"), Look(1280, 800, "dark")
PHONE_ZH, DESKTOP_ZH = Look(390, 844, "light", "zh"), Look(1280, 800, "light", "zh")
PHONE_DARK_ZH = Look(390, 844, "dark", "zh")

BOTH = (PHONE, DESKTOP)
ALL = (*BOTH, PHONE_DARK, DESKTOP_DARK, PHONE_ZH, DESKTOP_ZH)
MIXED = (*BOTH, PHONE_DARK_ZH)


def nothing(_: Page) -> None:
    """A page is shown as it comes."""


@dataclass(frozen=True)
class Shot:
    """A page in a state: ``stage`` brings it about and returns the address; ``who`` looks, and then may ``act``."""

    name: str
    caption: str
    stage: Callable[[Stage], str]
    who: str = ""
    looks: tuple[Look, ...] = BOTH
    act: Callable[[Page], None] = nothing

    @property
    def files(self) -> list[str]:
        """The names of its pictures."""
        return [f"{self.name}-{look}.webp" for look in self.looks]


# What is staged, where it is more than one call


def full(stage: Stage) -> str:
    """The shop window with sales of every kind."""
    stage.sale(
        PHONE_SOLD,
        num=100,
        price=299_900,
        merchant=SHOP,
        upload=art.phone(),
        description="一百台，每人限购一台。\nOne hundred, one each.",
    )
    stage.sale(HEADPHONES, num=40, price=129_900, limit=2, merchant=SHOP)
    stage.sale(BICYCLE, begins=HOUR, ends=3 * HOUR, price=459_900)
    stage.sale(CLOCK, begins=30 * HOUR, ends=31 * HOUR, price=8_900)
    stage.sale(TEA, begins=-3 * HOUR, ends=-HOUR, price=None)
    for number in range(7):
        stage.order(f"Guest {number}", stage.sale(HEADPHONES), "paid" if number < 4 else "")
    return "/"


def held_twice(stage: Stage) -> str:
    """A sale of which Anna holds as many as one may."""
    sale = stage.sale(HEADPHONES)
    for _ in range(sale.terms.limit):
        stage.order(ANNA, sale, "paid")
    return at(sale)


def bought(stage: Stage) -> str:
    """A sale of which Anna has bought the one unit that she may."""
    sale = stage.sale(SATCHEL, price=34_900)
    stage.order(ANNA, sale, "paid")
    return at(sale)


def all_held(stage: Stage) -> str:
    """A sale whose last unit waits for Bert's payment."""
    sale = stage.sale(LAMP, num=1, price=59_900)
    stage.order(BERT, sale)
    return at(sale)


def waiting_for_it(stage: Stage) -> str:
    """A sale whose last unit waits for Bert's payment, and Anna for Bert not to pay."""
    sale = stage.sale("茶壶 Teapot", num=1, price=25_900)
    stage.order(BERT, sale)
    stage.wait(ANNA, sale)
    stage.wait("Guest 1", sale)
    return at(sale)


def offered(stage: Stage) -> str:
    """A sale whose last unit Bert gave back, so that it is offered to Anna."""
    sale = stage.sale("台钟 Mantel clock", num=1, price=45_900)
    order = stage.order(BERT, sale)
    stage.wait(ANNA, sale)
    stage.cancel(BERT, order)
    stage.until_pending(ANNA, sale)
    return at(sale)


def expired(stage: Stage) -> str:
    """A sale of which Anna let a unit go."""
    sale = stage.sale("竹篮 Basket", price=12_900)
    stage.order(ANNA, sale, "expired")
    return at(sale)


def sold_out(stage: Stage) -> str:
    """A sale whose every unit is paid for."""
    sale = stage.sale(CAMERA, num=1, price=899_900)
    stage.order(BERT, sale, "paid")
    return at(sale)


def unpaid(stage: Stage) -> str:
    """A sale of which Anna holds an unpaid unit."""
    sale = stage.sale(PHONE_SOLD)
    stage.order(ANNA, sale)
    return at(sale)


def guarded(stage: Stage) -> str:
    """A sale that asks for a proof of work."""
    return at(stage.sale("留声机 Gramophone", price=188_000, proof="on"))


def ticketed(stage: Stage) -> str:
    """The same, and Anna waits for a ticket."""
    address = guarded(stage)
    stage.ticket(ANNA, stage.sale("留声机 Gramophone"), 10)
    return address


def order_of(stage: Stage, product: str, then: str = "", **terms: object) -> str:
    """The address of an order of Anna's."""
    return f"/orders/{stage.order(ANNA, stage.sale(product, **terms), then)}"  # type: ignore[arg-type]


def away(stage: Stage, process: str) -> str:
    """The shop window while one of the shop's processes is away."""
    stage.without(process)
    return "/"


# What a looker does


def until_proven(page: Page) -> None:
    """Let the browser do the work."""
    page.locator(".proof-state[data-state=verified]").wait_for()


def send(page: Page) -> None:
    """Send the form empty."""
    page.locator("main form.form button").click()
    page.locator("#summary").wait_for()


def log_in_wrongly(page: Page) -> None:
    """Log in with a wrong password."""
    page.locator("[name=name]").fill("Nobody")
    page.locator("[name=pass]").fill("a wrong password")
    page.locator("main form button").click()
    page.locator("#summary").wait_for()


def log_in_until_it_is_too_often(page: Page) -> None:
    """Log in with a wrong password, again and again."""
    while not page.get_by_text("429").count():
        page.goto("/login")
        page.locator("[name=name]").fill("Mallory")
        page.locator("[name=pass]").fill("a wrong password")
        page.locator("main form button").click()


def ask_to_cancel(page: Page) -> None:
    """Open what asks whether one is sure."""
    page.locator("details.cancel summary").click()


def on_paper(page: Page) -> None:
    """See the page as it is printed."""
    page.emulate_media(media="print")


SHOTS = [
    Shot("home-empty", "The shop window of a shop without sales", lambda _: "/"),
    Shot("home", "The shop window", full, looks=ALL),
    Shot("search", "What was searched for", lambda _: "/?q=phone"),
    Shot("search-nothing", "Nothing found", lambda _: "/?q=Zeppelin"),
    Shot("sale-upcoming", "A sale that opens later", lambda s: at(s.sale(BICYCLE)), ANNA, MIXED),
    Shot("sale-visitor", "A live sale, not logged in", lambda s: at(s.sale(PHONE_SOLD))),
    Shot("sale-live", "A live sale", lambda s: at(s.sale(PHONE_SOLD)), ANNA, ALL),
    Shot("sale-proof", "A sale that asks for a proof of work", guarded, ANNA, MIXED, until_proven),
    Shot("sale-ticket", "Waiting for a ticket instead", ticketed, ANNA),
    Shot(
        "sale-too-new",
        "A sale for older accounts",
        lambda s: at(s.sale("青瓷花瓶 Celadon vase", min_account_age=259_200)),
        ANNA,
        MIXED,
    ),
    Shot("sale-unpaid", "One unit is held", unpaid, ANNA),
    Shot("sale-paid", "Bought", bought, ANNA),
    Shot("sale-limit", "As many as one may buy", held_twice, ANNA),
    Shot("sale-all-held", "Every unit is taken, some are unpaid", all_held, ANNA, MIXED),
    Shot("sale-waiting", "On the waitlist", waiting_for_it, ANNA, MIXED),
    Shot("sale-offered", "A unit came back, and is Anna's if she pays in time", offered, ANNA),
    Shot("sale-expired", "The time to pay is over, and units are left", expired, ANNA),
    Shot("sale-sold-out", "Sold out", sold_out, ANNA),
    Shot("sale-ended", "The sale is over", lambda s: at(s.sale(TEA)), ANNA),
    Shot("order-placing", "An order is being placed", lambda s: f"/orders/{s.placing(ANNA, s.sale(BAG))}", ANNA, MIXED),
    Shot("order-pay", "To be paid", lambda s: order_of(s, KETTLE, price=16_800), ANNA, ALL),
    Shot("order-cancel", "Really cancel?", lambda s: order_of(s, "砂锅 Clay pot"), ANNA, act=ask_to_cancel),
    Shot(
        "order-confirm",
        "Nothing to pay, to be confirmed",
        lambda s: order_of(s, "公园门票 Park ticket", price=None),
        ANNA,
    ),
    Shot("order-overdue", "The time to pay is over", lambda s: f"/orders/{s.overdue(ANNA, s.sale(GUITAR))}", ANNA),
    Shot(
        "order-paid",
        "Paid: the receipt",
        lambda s: order_of(s, "速写本 Sketchbook", "paid", price=4_500, merchant=SHOP),
        ANNA,
        MIXED,
    ),
    Shot(
        "order-paper",
        "The receipt on paper",
        lambda s: order_of(s, "速写本二 Sketchbook II", "paid"),
        ANNA,
        (DESKTOP,),
        on_paper,
    ),
    Shot("order-expired", "Not paid in time", lambda s: order_of(s, "铜尺 Brass ruler", "expired"), ANNA),
    Shot("order-cancelled", "Cancelled", lambda s: order_of(s, "竹伞 Bamboo umbrella", "cancelled"), ANNA),
    Shot("order-refunded", "Money that came too late", lambda s: order_of(s, "陶杯 Clay cup", "refunded"), ANNA),
    Shot("orders", "All orders", lambda _: "/orders", ANNA, MIXED),
    Shot("orders-unpaid", "Orders to pay", lambda _: "/orders?state=unpaid", ANNA),
    Shot("orders-paid", "Paid orders", lambda _: "/orders?state=paid", ANNA),
    Shot("orders-ended", "Orders that came to nothing", lambda _: "/orders?state=ended", ANNA),
    Shot("orders-none", "No orders yet", lambda _: "/orders", "Newcomer"),
    Shot("account", "One's account", lambda _: "/account", ANNA, MIXED),
    Shot("login", "Log in", lambda _: "/login", looks=MIXED),
    Shot("login-wrong", "A wrong password", lambda _: "/login", act=log_in_wrongly),
    Shot("register", "Register", lambda _: "/register"),
    Shot("register-wrong", "A form with mistakes", lambda _: "/register", looks=MIXED, act=send),
    Shot("create", "Open a sale", lambda _: "/createmiaosha", SHOP),
    Shot("create-wrong", "A sale with mistakes", lambda _: "/createmiaosha", SHOP, act=send),
    Shot("dashboard", "A merchant's sales", lambda _: "/dashboard", SHOP),
    Shot(
        "dashboard-sale", "A sale as its merchant sees it", lambda s: f"/dashboard/{s.sale(HEADPHONES).id}", SHOP, MIXED
    ),
    Shot(
        "dashboard-orders",
        "A sale's orders as its merchant sees them",
        lambda s: f"/dashboard/{s.sale(HEADPHONES).id}/orders",
        SHOP,
        MIXED,
    ),
    Shot("docs", "The description for programs", lambda _: "/docs#buy"),
    Shot("error-404", "No such page", lambda _: "/no/such/page"),
    Shot("error-429", "Too often", lambda _: "/login", act=log_in_until_it_is_too_often),
    Shot("error-503", "While Redis is away", lambda s: away(s, "redis"), looks=MIXED),
]
"""Every page in every state. The last one takes Redis away, and with it for a moment the whole shop."""


ALL_PICTURES = """Promise.all([...document.images].map((picture) => {
  picture.loading = "eager";
  return picture.decode().catch(() => {});
}))"""
"""Also those further down, which a browser fetches only when they come near."""


class Camera:
    """Browsers of every look and visitor, and what they photograph."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._visitors: dict[tuple[Look, str], BrowserContext] = {}
        self._sessions: dict[str, StorageState] = {}

    def take_all(self, stage: Stage, shots: list[Shot]) -> list[str]:
        """Photograph all pages. Returns the names of those that could not be; they don't cost the others."""
        failed = []
        for shot in shots:
            try:
                self._take(stage, shot)
            except Exception as fault:  # noqa: BLE001 - whatever it is, it is told, and told again at the end
                print(f"{shot.name}: {fault!r}", file=sys.stderr)
                failed.append(shot.name)
        return failed

    def _take(self, stage: Stage, shot: Shot) -> None:
        with stage.until_shown:
            visitors = [self._visitor(stage, look, shot.who) for look in shot.looks]
            address = shot.stage(stage)
            for look, visitor in zip(shot.looks, visitors, strict=True):
                with closing(visitor.new_page()) as page:
                    page.goto(address)
                    shot.act(page)
                    page.evaluate("document.activeElement.blur()")
                    self._photograph(page, IMAGES / f"{shot.name}-{look}.webp")

    def _visitor(self, stage: Stage, look: Look, who: str) -> BrowserContext:
        if (look, who) not in self._visitors:
            self._visitors[look, who] = self._browser.new_context(
                base_url=self._url,
                viewport={"width": look.width, "height": look.height},
                color_scheme="dark" if look.scheme == "dark" else "light",
                locale={"en": "en-GB", "zh": "zh-CN"}[look.language],
                timezone_id="Asia/Shanghai",
                reduced_motion="reduce",
                storage_state=self._logged_in(stage, who) if who else None,
            )
            self._visitors[look, who].set_default_timeout(10_000)
        return self._visitors[look, who]

    def _logged_in(self, stage: Stage, who: str) -> StorageState:
        if who not in self._sessions:
            stage.account(who)
            with closing(self._browser.new_context(base_url=self._url)) as context:
                page = context.new_page()
                page.goto("/login")
                page.locator("[name=name]").fill(who)
                page.locator("[name=pass]").fill(PASSWORD)
                page.locator("main form button").click()
                page.wait_for_url("**/")
                self._sessions[who] = context.storage_state()
        return self._sessions[who]

    @staticmethod
    def _photograph(page: Page, file: Path) -> None:
        page.wait_for_load_state()
        page.evaluate(ALL_PICTURES)
        size = page.viewport_size or {"width": 0, "height": 0}
        tall = int(page.evaluate("document.documentElement.scrollHeight"))
        taken = page.context.new_cdp_session(page).send(
            "Page.captureScreenshot",
            {
                "format": "webp",
                "quality": QUALITY,
                "captureBeyondViewport": True,
                "clip": {"x": 0, "y": 0, "width": size["width"], "height": min(tall, 2 * size["height"]), "scale": 1},
            },
        )
        file.write_bytes(base64.b64decode(taken["data"]))


def gallery() -> str:
    """The page that shows all pictures there are."""
    lines = ["# Every page", "", "Taken by `make screenshots` from a running shop, on a phone and on a desktop.", ""]
    for shot in SHOTS:
        lines += [f"## {shot.caption}", ""]
        for look, file in zip(shot.looks, shot.files, strict=True):
            if (IMAGES / file).exists():
                width = 440 if look.wide else 200
                lines += [f'<img src="img/{file}" width="{width}" alt="{str(look).replace("-", ", ")}">']
        lines += [""]
    return "\n".join(lines[:-1]) + "\n"


def main() -> None:
    """Take the pictures whose names contain one of the words given, or all."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("words", nargs="*", help="for example: order home")
    words = parser.parse_args().words
    wanted = [shot for shot in SHOTS if not words or any(word in shot.name for word in words)]
    IMAGES.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalShop(Path(folder), env=ENV) as running,
        closing(Stage(running)) as stage,
        sync_playwright() as playwright,
        closing(launch(playwright)) as browser,
    ):
        failed = Camera(browser, running.url).take_all(stage, wanted)
    if not words:
        for file in IMAGES.glob("*.webp"):
            if file.name not in {name for shot in SHOTS for name in shot.files}:
                file.unlink()
    (DOCS / "pages.md").write_text(gallery(), encoding="utf-8")
    size = sum(file.stat().st_size for file in IMAGES.glob("*.webp"))
    print(f"{len(wanted)} states in {time.monotonic() - started:.0f} s; docs/img has {size / 1e6:.1f} MB now")
    if failed:
        sys.exit(f"Not taken: {', '.join(failed)}")


if __name__ == "__main__":
    main()

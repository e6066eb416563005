"""What `make screenshots` shows: every page of a shop, in every state it can be in.

A line of SHOTS is a page in a state; to show another, add a line. They are taken from top to bottom in one shop, which
fills on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from storefront.local import art
from storefront.services import accounts, changing
from tests.browser.stage import CROWDED, HOUR, Stage, at

ANNA, BERT, SHOP, OPERATOR = "Anna", "Bert", "晨星数码 Daybreak", "Olga"
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


def drawn(stage: Stage) -> str:
    """A sale that draws its units by lot."""
    return at(stage.sale("黑胶唱机 Turntable", num=50, price=268_000, draw=3600))


def entered(stage: Stage) -> str:
    """The same, and Anna has entered."""
    address = drawn(stage)
    stage.wait(ANNA, stage.sale("黑胶唱机 Turntable"))
    return address


def ticketed(stage: Stage) -> str:
    """The same, and Anna waits for a ticket."""
    address = guarded(stage)
    stage.ticket(ANNA, stage.sale("留声机 Gramophone"), 10)
    return address


def order_of(stage: Stage, product: str, then: str = "", **terms: object) -> str:
    """The address of an order of Anna's."""
    return f"/orders/{stage.order(ANNA, stage.sale(product, **terms), then)}"  # type: ignore[arg-type]


def paused(stage: Stage) -> str:
    """A sale that its merchant has paused."""
    return at(stage.change(stage.sale("风筝 Kite", price=5_900, merchant=SHOP), changing.pause))


def called_off(stage: Stage) -> str:
    """A sale that its merchant has cancelled, of which Anna had bought a unit."""
    sale = stage.sale("灯笼 Lantern", price=3_900, merchant=SHOP)
    stage.order(ANNA, sale, "paid")
    return at(stage.change(sale, changing.cancel))


def changed(stage: Stage) -> str:
    """The dashboard of a sale that was changed, and at which somebody was banned."""
    sale = stage.sale("风筝 Kite")
    for act in (changing.resume, changing.pause):
        stage.change(sale, act)
    stage.ban("Mallory", sale)
    return f"/dashboard/{sale.id}?live=0"


def change_of(action: str) -> Callable[[Stage], str]:
    """The page that asks before a sale is changed."""
    return lambda stage: f"/dashboard/{stage.sale(HEADPHONES).id}/{action}"


def bans(stage: Stage) -> str:
    """The list of bans, as operators see it."""
    accounts.grant_operator(stage.shop, stage.account(OPERATOR).name)
    stage.ban("Mallory", stage.sale(HEADPHONES))
    return "/bans"


def banned(stage: Stage) -> str:
    """What somebody sees who is banned."""
    stage.ban("Mallory", stage.sale(HEADPHONES))
    return "/orders"


def away(stage: Stage, process: str) -> str:
    """The shop window while one of the shop's processes is away."""
    stage.without(process)
    return "/"


# What a looker does


def check_a_sale(page: Page) -> None:
    """Fill in the form for a sale, with a picture, and see it once more."""
    page.get_by_label("Product").or_(page.get_by_label("商品", exact=True)).first.fill("月饼礼盒 Mooncake box")
    for name, value in {
        "producter": "稻香阁 Paddy",
        "description": "八枚装。\nEight pieces.",
        "num": "500",
        "limit": "2",
        "amount": "88.00",
        "time_begintokill": "2030-09-12T10:00",
        "time_endkill": "2030-09-12T12:00",
    }.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=picture]").set_input_files(
        {"name": "phone.webp", "mimeType": "image/webp", "buffer": art.phone()}
    )
    page.locator("main form.form button").last.click()
    page.locator(".confirm").wait_for()


def told(stage: Stage) -> str:
    """A merchant's receiver took an event, wanted no other, and didn't answer a third."""
    stage.told(SHOP)
    return "/webhooks"


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
    Shot(
        "sale-put-back",
        "A sale before its start, for an account of many from one address",
        lambda s: at(s.sale("逐日相机 Sunchaser camera", begins=600)),
        CROWDED,
    ),
    Shot("sale-draw", "A sale that draws its units by lot", drawn, ANNA, MIXED),
    Shot("sale-entered", "In the draw", entered, ANNA),
    Shot("sale-unpaid", "One unit is held", unpaid, ANNA),
    Shot("sale-paid", "Bought", bought, ANNA),
    Shot("sale-limit", "As many as one may buy", held_twice, ANNA),
    Shot("sale-all-held", "Every unit is taken, some are unpaid", all_held, ANNA, MIXED),
    Shot("sale-waiting", "On the waitlist", waiting_for_it, ANNA, MIXED),
    Shot("sale-offered", "A unit came back, and is Anna's if she pays in time", offered, ANNA),
    Shot("sale-expired", "The time to pay is over, and units are left", expired, ANNA),
    Shot("sale-sold-out", "Sold out", sold_out, ANNA),
    Shot("sale-ended", "The sale is over", lambda s: at(s.sale(TEA)), ANNA),
    Shot("sale-paused", "Paused by its merchant", paused, ANNA, MIXED),
    Shot("sale-cancelled", "Cancelled by its merchant", called_off, ANNA, MIXED),
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
    Shot("create-check", "A sale, once more before it opens", lambda _: "/createmiaosha", SHOP, MIXED, check_a_sale),
    Shot("dashboard", "A merchant's sales", lambda _: "/dashboard", SHOP),
    Shot(
        "dashboard-sale", "A sale as its merchant sees it", lambda s: f"/dashboard/{s.sale(HEADPHONES).id}", SHOP, MIXED
    ),
    Shot("dashboard-changed", "A sale that was paused, with its history", changed, SHOP, MIXED),
    Shot("change-restock", "To change the number of units", change_of("restock"), SHOP, MIXED),
    Shot("change-extend", "To end later", change_of("extend"), SHOP),
    Shot("change-cancel", "To cancel a sale", change_of("cancel"), SHOP, MIXED),
    Shot(
        "dashboard-orders",
        "A sale's orders as its merchant sees them",
        lambda s: f"/dashboard/{s.sale(HEADPHONES).id}/orders",
        SHOP,
        MIXED,
    ),
    Shot("webhooks", "Where a merchant is told of orders, and what became of it", told, SHOP, MIXED),
    Shot("bans", "Bans, as operators see them", bans, OPERATOR, MIXED),
    Shot("banned", "Who is banned", banned, "Mallory", MIXED),
    Shot("docs", "The description for programs", lambda _: "/docs#buy"),
    Shot("error-404", "No such page", lambda _: "/no/such/page"),
    Shot("error-429", "Too often", lambda _: "/login", act=log_in_until_it_is_too_often),
    Shot("error-503", "While Redis is away", lambda s: away(s, "redis"), looks=MIXED),
]
"""Every page in every state. The last one takes Redis away, and with it for a moment the whole shop."""

"""A phone in a slow network: how soon its reader sees a page, how much came over the network, and what was in the way.

The tests of the pages start the same browser.
"""

import os
import shutil
from dataclasses import dataclass
from statistics import median

from playwright.sync_api import Browser, Page, Playwright, ViewportSize, sync_playwright

from bench.load import CannotMeasure
from bench.measuring import Row
from bench.scene import Scene
from bench.stage import until

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "NO BROWSER: none of " + ", ".join(BROWSERS) + " is on the PATH; Debian's package is chromium"
QUIET = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE: ViewportSize = {"width": 390, "height": 800}
SLOW_NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
SLOW_PROCESSOR = {"rate": 4}
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
BLOCKING = """performance.getEntriesByType("resource").filter((one) => one.renderBlockingStatus === "blocking")
  .map((one) => new URL(one.name).pathname)"""
ONE_LINE = "a line of text"
SALES = 12


@dataclass(frozen=True)
class Loaded:
    """A page that was loaded with nothing kept from before.

    ``size`` is in bytes, as they came over the network; ``painted`` in ms until something of it was seen; ``blocking``
    are the paths of what had to come before that could be.
    """

    size: int
    painted: float
    blocking: list[str]


def launch(playwright: Playwright) -> Browser:
    """Start the system's Chromium. Raises FileNotFoundError if there is none."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise FileNotFoundError(NO_BROWSER)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=program, args=QUIET + sandbox)


def load(page: Page, address: str, *, slowly: bool = False) -> Loaded:
    """Load a page; ``slowly`` as over a phone's network, on a phone's processor."""
    came: list[int] = []
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    if slowly:
        devtools.send("Network.emulateNetworkConditions", SLOW_NETWORK)
        devtools.send("Emulation.setCPUThrottlingRate", SLOW_PROCESSOR)
    devtools.on("Network.loadingFinished", lambda request: came.append(request["encodedDataLength"]))
    page.goto(address, wait_until="networkidle")
    until(lambda: page.evaluate(PAINTED) is not None, 60, f"nothing of {address} was seen")
    return Loaded(sum(came), float(page.evaluate(PAINTED)), page.evaluate(BLOCKING))


def paint(scene: Scene) -> list[Row]:
    """When the first thing is seen of the shop's pages, and of one line of text, in turn, round by round."""
    sales = [scene.stage.open_sale(100) for _ in range(SALES)]
    pages = {ONE_LINE: "/healthz", f"home, {SALES} sales": "/", "sale page": f"/miaosha/{sales[0].product}"}
    with scene.stage.server(processes=2) as server, sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except FileNotFoundError as fault:
            raise CannotMeasure(f"{fault}.") from None
        rounds = [
            {what: _seen(browser, server.url + path) for what, path in pages.items()}
            for _ in range(2 * scene.scale.rounds + 1)
        ]
        browser.close()
    return [_row(what, [one[what] for one in rounds[1:]], [one[ONE_LINE] for one in rounds[1:]]) for what in pages]


def _seen(browser: Browser, address: str) -> Loaded:
    page = browser.new_page(viewport=PHONE)
    try:
        return load(page, address, slowly=True)
    finally:
        page.close()


def _row(what: str, seen: list[Loaded], plain: list[Loaded]) -> Row:
    """The medians; the first round, in which browser and shop got ready, isn't among them."""
    return {
        "what": what,
        "painted ms": median(one.painted for one in seen),
        "painted / a line": median(one.painted / line.painted for one, line in zip(seen, plain, strict=True)),
        "KB": seen[-1].size / 1000,
    }

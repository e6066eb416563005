"""`make screenshots`: every page of a real shop, in every state of `shots.py`, into docs/img and docs/pages.md.

This is no test: nothing is judged here, somebody must look.
"""

import argparse
import base64
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from bench.browser import launch
from storefront.local.shop import LocalShop
from tests.browser.shots import SHOTS, Look, Shot
from tests.browser.stage import ENV, PASSWORD, Stage

DOCS = Path(__file__).parents[2] / "docs"
IMAGES = DOCS / "img"
QUALITY = 50  # of WebP: letters stay crisp, and all pictures together under 3 MB

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

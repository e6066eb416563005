"""How people work a page: with a mouse, or with a keyboard alone, which must always show where it is."""

from collections.abc import Callable

from babel.support import Translations
from playwright.sync_api import Locator, Page, expect

MOST_STEPS = 150
"""Presses of Tab after which something counts as out of reach."""

WATCH = """
  let pressed = -Infinity, last = "";
  window.strays = [];
  addEventListener("keydown", () => { pressed = Date.now(); }, true);
  addEventListener("focusin", ({ target }) => {
    const kept = target.id && target.id === last; // the page was renewed around it
    if (Date.now() - pressed > 500 && !kept) window.strays.push(target.outerHTML);
    last = target.id;
  }, true);
"""

LOOK = """(wanted) => {
  const focused = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  const { top, bottom } = focused.getBoundingClientRect();
  return {
    there: focused === wanted, strays: window.strays, element: focused.outerHTML,
    seen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && bottom > 0 && top < innerHeight,
  };
}"""


def words_of(language: str) -> Callable[[str], str]:
    """What the shop's English sentences are in a language."""
    return Translations.load("storefront/translations", ["zh_Hans"]).gettext if language == "zh" else str


class Mouse:
    """Clicks."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def press(self, what: Locator) -> None:
        """Press a button or follow a link."""
        what.click()

    def fill(self, what: Locator, words: str) -> None:
        """Type into a field."""
        what.fill(words)


class Keyboard:
    """Presses Tab, Shift+Tab, Enter and Space, and types. Fails if the focus can't be seen or moves by itself."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.add_init_script(WATCH)

    def press(self, what: Locator) -> None:
        """Press a button with Space, or follow a link with Enter."""
        self._go_to(what)
        link = what.evaluate("element => element.tagName") == "A"
        self._page.keyboard.press("Enter" if link else "Space")

    def fill(self, what: Locator, words: str) -> None:
        """Type into a field."""
        self._go_to(what)
        self._page.keyboard.type(words)

    def _go_to(self, what: Locator) -> None:
        expect(what).to_be_visible()
        key = "Tab" if self._is_ahead(what) else "Shift+Tab"
        for _ in range(MOST_STEPS):
            self._page.keyboard.press(key)
            focus = what.evaluate(LOOK)
            assert not focus["strays"]
            assert focus["seen"], focus["element"]
            if focus["there"]:
                return
        raise AssertionError(f"No key leads to {what}")

    @staticmethod
    def _is_ahead(what: Locator) -> bool:
        """Whether it comes after what has the focus."""
        return bool(what.evaluate("element => (document.activeElement.compareDocumentPosition(element) & 4) > 0"))

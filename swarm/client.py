"""One client over HTTP: an address of its own, connections of its own, and a diary of what it was told.

What a page says is read as a person reads it: a sentence, the sale's state, and whether there is a button to press.
"""

import asyncio
import json
import re
import time
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlencode

from storefront.domain.errors import TooFast
from swarm.plan import BOUGHT, ENTERED, NO_ANSWER, Diary, Plan
from swarm.wire import NoAnswer, Wire

AGENT = "swarm"

BUTTON = re.compile(r'<form method="post" action="(?P<path>/miaosha/[^"]+)"[^>]*>(?P<fields>.*?)</form>', re.DOTALL)
FIELD = re.compile(r'name="([^"]+)" value="([^"]*)"')
STATE = re.compile(r'data-sale="[^"]+" data-state="(\w+)"')
TOO_FAST = str(TooFast.sentence).partition("%")[0]
CODES = {0: NO_ANSWER, 200: BOUGHT, 202: ENTERED}
STATE_CODES = {"upcoming": "not_started", "live": "live"}
MINE = re.compile(r'<a id="buy" [^>]*href="/orders/')
IN_DRAW = 'id="leave"'


class Answer(NamedTuple):
    """Status 0 is no answer. ``sent`` and ``came`` are Unix seconds."""

    status: int
    body: bytes
    location: str
    sent: float
    came: float


class Page(NamedTuple):
    """What a person sees: what they are told, as a code, and the fields of the buy button's form, if it is there."""

    code: str
    button: dict[str, str]


class Client:
    """As an async context manager it is connected inside the block."""

    def __init__(self, plan: Plan, diary: Diary, address: str, cookie: str = "") -> None:
        self._plan, self._diary, self._address = plan, diary, address
        self._cookies = {"shop": cookie} if cookie else {}

    async def __aenter__(self) -> Self:
        self._wire = Wire(self._plan.url, self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wire.close()

    async def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, token: str = "", *,
        accept: str = "text/html", known_by: str = "",
    ) -> Answer:  # fmt: skip
        """One request; whatever becomes of it is an answer. ``token`` goes with the body, ``known_by`` as a header."""
        sent, body = time.time(), b""
        fields = {"Accept": accept, "Accept-Language": "en", "User-Agent": AGENT}
        if self._cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if known_by:
            fields["Authorization"] = f"Bearer {known_by}"
        if form is not None:
            fields["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(form).encode()
        elif token:
            fields["Content-Type"], body = "application/json", json.dumps({"token": token}).encode()
        try:
            reply = await self._wire.ask(method, path, fields, body)
        except NoAnswer:
            return Answer(0, b"", "", sent, time.time())
        for line in reply.fields.get("set-cookie", "").splitlines():
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return Answer(reply.status, reply.body, reply.fields.get("location", ""), sent, time.time())

    async def press(self, account: str, token: str) -> Answer:
        """Press the button as a program does, and write down what it says."""
        answer = await self.ask("POST", self._plan.path, token=token, accept="application/json")
        self._note_press(account, answer)
        code = _code_for_programs(answer)
        self._told(code, answer)
        if code == ENTERED:
            self._diary.entered.add(account)
        return answer

    async def sees_draw(self, token: str) -> bool:
        """Ask as a program does what became of one's entry. Returns whether that is known by now."""
        answer = await self.ask("GET", f"/sales/{self._plan.sale}/waitlist", accept="application/json", known_by=token)
        self.waited(answer)
        if answer.status != 200 or (place := json.loads(answer.body))["in_draw"]:
            return False
        if place["orders"]:
            self._diary.won.append(answer.came - self._plan.start)
        return True

    async def look(self, *, to_press: bool = False) -> Page:
        """Load the sale's page. Where it is ``to_press`` and the page has no button, that is a refusal: it says why."""
        answer = await self.ask("GET", self._plan.path)
        self.waited(answer)
        page = _page(answer)
        if answer.status != 200 or (to_press and not page.button):
            self._told(page.code, answer)
        return page

    async def push(self, account: str, button: dict[str, str]) -> Page:
        """Press the page's button, and load the page that the answer leads to."""
        first = last = await self.ask("POST", self._plan.path, form=button)
        self._note_press(account, first)
        if first.status == 303:
            last = await self.ask("GET", first.location)
        self.waited(first, last)
        won = first.location.startswith("/orders/")
        page = Page(BOUGHT, {}) if won else _page(last)
        self._told(page.code, first)
        if page.code == ENTERED:
            self._diary.entered.add(account)
        return page

    def learned(self, page: Page) -> None:
        """Write down what a page says of one's entry to a draw."""
        if page.code == BOUGHT:
            self._diary.won.append(time.time() - self._plan.start)

    def waited(self, first: Answer, last: Answer | None = None) -> None:
        """Write down that a person waited for this, or from one to another."""
        self._diary.waits.append(((last or first).came - first.sent) * 1000)

    async def own(self, path: str) -> None:
        """What the page's script asks by itself."""
        self._diary.own += 1
        await self.ask("GET", path, accept="application/json")

    def _note_press(self, account: str, answer: Answer) -> None:
        since = answer.sent - self._plan.start
        if since >= 0:
            self._diary.pressed[account] = min(since, self._diary.pressed.get(account, since))

    def _told(self, code: str, answer: Answer) -> None:
        self._diary.told[code] += 1
        if code == BOUGHT:
            self._diary.won.append(answer.came - self._plan.start)


def _code_for_programs(answer: Answer) -> str:
    if answer.status in CODES:
        return CODES[answer.status]
    try:
        return str(json.loads(answer.body)["code"])
    except (ValueError, KeyError, TypeError):
        return f"http_{answer.status}"


def _page(answer: Answer) -> Page:
    text = answer.body.decode(errors="replace")
    button, state = BUTTON.search(text), STATE.search(text)
    return Page(_code_on_page(answer.status, text, state), dict(FIELD.findall(button["fields"])) if button else {})


def _code_on_page(status: int, text: str, state: re.Match[str] | None) -> str:
    if TOO_FAST in text:
        return "too_fast"
    if status == 429:
        return "banned"
    if MINE.search(text):
        return BOUGHT
    if state and state[1] == "drawing" and IN_DRAW in text:
        return ENTERED
    if state:
        return STATE_CODES.get(state[1], state[1])
    return f"http_{status}" if status else NO_ANSWER


async def until(moment: float) -> None:
    """Wait until a moment, in Unix seconds."""
    await asyncio.sleep(max(0.0, moment - time.time()))

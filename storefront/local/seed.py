"""Three demo sales for a shop that has none, created over HTTP as a merchant would: pictures come with a form alone."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import requests

from storefront.local import art

MINUTE, HOUR, DAY = 60, 3600, 86_400
TIMEOUT = 20.0  # seconds an answer may take: the first ones find a machine busy with starting
OPENING_HOUR = 10  # flash sales traditionally open at ten


def next_opening(now: datetime) -> datetime:
    """When the upcoming sale begins: the next full ten o'clock, but never less than ten minutes from ``now``."""
    opening = now.replace(hour=OPENING_HOUR, minute=0, second=0, microsecond=0)
    if opening - now < timedelta(minutes=10):
        opening += timedelta(days=1)
    return opening


def demo_sales(now: datetime) -> list[dict[str, str | int]]:
    """A live, an upcoming and an ended sale, as `POST /createmiaosha` takes them. ``now`` knows its time zone."""
    moment = int(now.timestamp())
    opening = int(next_opening(now).timestamp())
    return [
        {
            "name": "iPhone 13",  # the interface document's own example, so that its calls buy it
            "num": 100,
            "producter": "Apple",
            "time_begintokill": moment - MINUTE,
            "time_endkill": moment + DAY,
            "price": 599_900,
            "currency": "CNY",
            "limit": 1,
            "description": "全网最低价，每人限购一台。One hundred units at the lowest price, one each.",
        },
        {
            "name": "云杉 6 折叠屏手机 Spruce 6 foldable phone",
            "num": 20,
            "producter": "云杉科技 Spruce",
            "time_begintokill": opening,
            "time_endkill": opening + 2 * HOUR,
            "price": 899_900,
            "currency": "CNY",
            "limit": 1,
            "description": "十点整开抢，限量二十台。Opens at ten sharp; twenty phones, one each.",
        },
        {
            "name": "冬至 手冲咖啡套装 Solstice pour-over coffee set",
            "num": 50,
            "producter": "冬至 Solstice",
            "time_begintokill": moment - 2 * DAY,
            "time_endkill": moment - DAY,
            "price": 16_800,
            "currency": "CNY",
            "limit": 2,
            "description": "滤杯、细口壶与一包豆子。A dripper, a gooseneck kettle and a bag of beans.",
        },
    ]


PICTURES: tuple[Callable[[], bytes], ...] = (art.phone, art.foldable, art.coffee)
"""What the demo sales look like, in their order."""


def seed(url: str, now: datetime) -> str:
    """Create the demo sales if the shop has no sale. Returns a sentence on what came of it, a failure too."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy stands between us and loopback
            if _good(session.get(url + "/", headers={"Accept": "application/json"}, timeout=TIMEOUT)).json()["sales"]:
                return "The shop has its sales already; no demo sale was added."
            for sale, picture in zip(demo_sales(now), PICTURES, strict=True):
                _open(session, url + "/createmiaosha", sale, picture())
    except (requests.RequestException, KeyError, TypeError) as fault:
        return f"The demo sales could not be created ({fault}); the shop runs without them."
    return "Three demo sales were added: one live, one upcoming, one ended (DEMO=0 leaves them out)."


def _open(session: requests.Session, address: str, sale: dict[str, str | int], picture: bytes) -> None:
    form = _good(session.get(address, timeout=TIMEOUT)).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', form)
    fields = {"csrf_token": found[1] if found else "", **sale}
    files = {"picture": ("picture.webp", picture, "image/webp")}
    _good(session.post(address, data=fields, files=files, timeout=TIMEOUT, allow_redirects=False))


def _good(response: requests.Response) -> requests.Response:
    if not response.ok:
        where = f"{response.request.method} {response.url}"
        raise requests.HTTPError(f"{where}: {response.status_code} {response.text[:200]}")
    return response

"""Where the demo takes place: in a shop that runs, or in one of its own with a short payment window."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from storefront.local.demo.client import Answer, Client, Unplayable, patiently
from storefront.local.demo.report import Screen
from storefront.local.shop import LocalShop

SHORT = 120  # seconds: a payment window that one can watch to its end
MEMORY = "STOREFRONT_PASSWORD_MEMORY"  # the one setting handed on: an own shop must not touch another one's Redis
CHEAP = "8"  # MiB for a password's hash in an own shop: its accounts live for a minute, and 300 come at once
PASSWORD = "a demo's password"  # noqa: S105 - of accounts that are worth nothing
TRIAL_LASTS = 20  # seconds


@dataclass
class Venue:
    """A shop that answers at ``url`` and gives shoppers ``window`` seconds to pay.

    The data folder of a shop of the demo's own goes when the demo ends, unless ``keep`` is set.
    """

    url: str
    window: float
    keep: bool = False

    @property
    def short(self) -> bool:
        """Whether one can wait for unpaid orders to expire."""
        return self.window <= SHORT


def sale_path(product: str) -> str:
    """The address of a product's sale."""
    return "/miaosha/" + quote(product, safe="")


def succeeded(answer: Answer, what: str) -> Mapping[str, Any]:
    """The body of a good answer. Raises Unplayable with the shop's reason for any other."""
    if not answer.good:
        raise Unplayable(f"The demo could not {what}: {answer.status or 'no'} answer. {answer.sentence}".rstrip())
    return answer.body


def enter(client: Client, name: str) -> str:
    """Register and log in. Returns the token."""
    profile = {"name": name, "age": 30, "address": "Loopback Lane 1", "avatar": "https://example.org/a.png"}
    answer = patiently(lambda: client.ask("POST", "/register", {**profile, "password": PASSWORD}))
    if answer.code != "name_taken":  # names are this run's own: an answer was lost, the account is there
        succeeded(answer, f"register {name}")
    return str(succeeded(log_in(client, name), f"log in as {name}")["token"])


def log_in(client: Client, name: str) -> Answer:
    """The answer to a log-in."""
    return patiently(lambda: client.ask("POST", "/login", {"name": name, "pass": PASSWORD}))


def open_sale(client: Client, product: str, num: int, begins: int, ends: int, token: str) -> None:
    """Open a sale. Raises Unplayable, with what to do where only merchants may."""
    sale = {
        "name": product,
        "num": num,
        "producter": "The demo",
        "time_begintokill": begins,
        "time_endkill": ends,
        "price": 599_900,
        "currency": "CNY",
        "limit": 1,
    }
    answer = patiently(lambda: client.ask("POST", "/createmiaosha", sale, token))
    if answer.status in (401, 403):
        raise Unplayable(
            "This shop lets only merchants open sales: give a merchant's token in TOKEN, "
            "or start the shop with STOREFRONT_SALES_OPEN_TO=anyone."
        )
    if answer.code != "name_taken":  # the first answer was lost: the sale is there
        succeeded(answer, "open a sale")


def shop_time(client: Client) -> float:
    """The shop's clock, Unix seconds. Raises Unplayable if it can't be read."""
    return float(succeeded(patiently(lambda: client.ask("GET", "/time")), "read the shop's clock")["now"]) / 1000


def is_address(url: str) -> bool:
    """Whether a client can be sent there."""
    parts = urlsplit(url)
    try:
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port
        return False


def look(url: str, run: str, token: str) -> Venue:
    """Learn a running shop's payment window, which only an order tells: buy one unit, and cancel.

    Raises Unplayable if no shop answers there, or it lets nobody open a sale.
    """
    if not is_address(url):
        raise Unplayable(f"{url} is not a shop's address; one looks like http://127.0.0.1:8000.")
    client = Client(url)
    first = client.ask("GET", "/time")
    if first.status == 0:
        raise Unplayable(f"No shop answers at {url}.")
    if first.good and "now" not in first.body:
        raise Unplayable(f"What answers at {url} is not this shop.")
    now = int(shop_time(client))
    product = f"Demo {run}: one unit, to learn the payment window"
    open_sale(client, product, 1, now - 1, now + TRIAL_LASTS, token)
    shopper = enter(client, f"demo-{run}-trial")
    order = succeeded(patiently(lambda: client.ask("POST", sale_path(product), token=shopper)), "buy one unit")
    client.ask("POST", f"/orders/{order['order']}/cancel", token=shopper)
    given = datetime.fromisoformat(order["pay_by"]) - datetime.fromisoformat(order["time"])
    return Venue(url, given.total_seconds())


@contextmanager
def own_shop(window: int, screen: Screen) -> Iterator[Venue]:
    """A shop in a temporary folder for as long as the block runs. The folder stays where something went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="flash-sale-demo-"))
    memory = os.environ.get(MEMORY) or CHEAP
    shop = LocalShop(folder, web_processes=2, env={"STOREFRONT_PAYMENT_WINDOW": str(window), MEMORY: memory})
    own = Venue(shop.url, window)
    try:
        began = time.monotonic()
        with screen.bar("Starting a shop", None):
            shop.start()
        try:
            screen.say(f"The demo's own shop runs at {shop.url}, started in {time.monotonic() - began:.0f} s.")
            screen.say(
                f"Its passwords are hashed cheaply, with {memory} MiB each; {MEMORY}=64 hashes them as a real one."
            )
            yield own
        except Unplayable:
            own.keep = True
            raise
        finally:
            with screen.bar("Stopping the shop", None):
                shop.stop()
    finally:
        if own.keep:
            screen.say(f"The shop's data and logs are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def venue(url: str | None, usual: str, window: int, run: str, token: str, screen: Screen) -> Iterator[Venue]:
    """The shop at ``url``, which must do; without one the shop at ``usual`` if it suits, else one of the demo's own."""
    if url is not None:
        yield look(url, run, token)
        return
    reason: str
    try:
        found = look(usual, run, token)
    except Unplayable as fault:
        reason = str(fault)
    else:
        if found.short:
            yield found
            return
        reason = (
            f"The shop at {usual} gives {found.window:.0f} s to pay, too long to watch. (URL={usual} makes "
            "the demo use it all the same; STOREFRONT_PAYMENT_WINDOW=15 make run starts one with a short window.)"
        )
    screen.say(f"{reason} So the demo starts a shop of its own, with {window} s to pay.")
    with own_shop(window, screen) as own:
        yield own

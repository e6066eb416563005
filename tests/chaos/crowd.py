"""The steady load: shoppers who buy, wait, pay and cancel over HTTP, and who write down what they were told.

What they were told is the measure of everything: the shop may lose what it likes inside, but no word that it gave.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from storefront.domain.errors import AllHeld
from storefront.domain.sale import Sale
from storefront.services import accounts
from storefront.shop import Shop
from tests.crowds import registered

PATIENCE = 10.0
"""Seconds that a client waits for an answer."""

NAP = 0.005
"""Seconds that a thread rests when it isn't due."""

THREADS = 48

PAY, PAY_LATE, CANCEL = 0.05, 0.10, 0.45
"""Of those who got a unit, up to the first share pay at once, up to the second in the last second of their time, up to
the third cancel at once; the rest let the order expire."""

WAIT = 0.1
"""Of those who find every unit held, this share joins the waitlist. They let what they are offered expire."""


@dataclass(frozen=True)
class Deed:
    """What somebody asked for and was told. ``status`` is 0 where no answer came; ``ended`` by ``time.monotonic``.

    ``code`` is that of a refusal, or "waits" for one who was told their place on the waitlist, or that they are in a
    draw. ``order`` is the change's id where a merchant asked for one.
    """

    act: str
    shopper: str
    sale: str
    status: int
    code: str
    order: str
    ended: float

    @property
    def sold(self) -> bool:
        """Whether this is a purchase that was told yes."""
        return self.act == "buy" and self.status == 200


@dataclass(frozen=True)
class Shopper:
    """An account's id, and a token with which it acts."""

    id: str
    token: str


class Crowd:
    """Shoppers at one shop's door. ``rate`` is how many of them press a buy button each second, all together.

    They buy of ``sales``, which may be others from time to time.
    """

    def __init__(self, shop: Shop, port: int, *, rate: float, size: int, seed: int) -> None:
        self.deeds: list[Deed] = []
        self.sales: Sequence[Sale] = []
        self._shop = shop
        self._port = port
        self._rate = rate
        self._random = random.Random(seed)
        self._shoppers = [Shopper(account.id, accounts.token_for(shop, account)) for account in registered(shop, size)]
        self._later: list[tuple[float, Shopper, Deed]] = []
        self._turn = threading.Lock()
        self._next = 0.0
        self._going = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Start pressing."""
        self._going.set()
        self._next = time.monotonic()
        self._threads = [threading.Thread(target=self._press_on, daemon=True) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop pressing, and wait for the last answers."""
        self._going.clear()
        for thread in self._threads:
            thread.join()

    def first_sold_since(self, moment: float) -> float | None:
        """When the first purchase after ``moment`` was told yes."""
        return next((deed.ended for deed in list(self.deeds) if deed.sold and deed.ended > moment), None)

    def longest_pause(self, begin: float, end: float) -> float:
        """The longest time without a purchase told yes between two moments, in seconds."""
        moments = [begin, *sorted(deed.ended for deed in self.deeds if deed.sold and begin < deed.ended < end), end]
        return max(after - before for before, after in pairwise(moments))

    def _press_on(self) -> None:
        door = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        while self._going.is_set():
            act = self._next_act()
            if act is None:
                time.sleep(NAP)
            else:
                act(door)
        door.close()

    def _next_act(self) -> Callable[[http.client.HTTPConnection], None] | None:
        with self._turn:
            now = time.monotonic()
            for later in self._later:
                moment, shopper, bought = later
                if moment <= now:
                    self._later.remove(later)
                    return partial(self._settle, "pay", shopper, bought)
            if now < self._next:
                return None
            self._next = max(self._next + 1 / self._rate, now - 0.5)
            return partial(
                self._buy,
                self._random.choice(self._shoppers),
                self._random.choice(self.sales),
                self._random.random(),
            )

    def _buy(self, shopper: Shopper, sale: Sale, fate: float, door: http.client.HTTPConnection) -> None:
        bought = self._do(door, "buy", shopper, sale.id, f"/miaosha/{quote(sale.product, safe='')}")
        if not bought.sold:
            if bought.code == AllHeld.code and fate < WAIT:
                self._do(door, "join", shopper, sale.id, f"/sales/{sale.id}/waitlist")
            return
        if fate < PAY:
            self._settle("pay", shopper, bought, door)
        elif fate < PAY_LATE:
            wait = self._shop.config.payment_window - fate * 10  # the last half to whole second
            with self._turn:
                self._later.append((time.monotonic() + wait, shopper, bought))
        elif fate < CANCEL:
            self._settle("cancel", shopper, bought, door)

    def _settle(self, act: str, shopper: Shopper, bought: Deed, door: http.client.HTTPConnection) -> None:
        self._do(door, act, shopper, bought.sale, f"/orders/{bought.order}/{act}", bought.order)

    def _do(
        self, door: http.client.HTTPConnection, act: str, shopper: Shopper, sale: str, path: str, order: str = ""
    ) -> Deed:
        status, answer = ask(door, path, shopper.token)
        code = "waits" if answer.get("place") or status == HTTPStatus.ACCEPTED else answer.get("code", "")
        order = answer.get("order", order)
        deed = Deed(act, shopper.id, sale, status, code, order, time.monotonic())
        self.deeds.append(deed)
        return deed


def ask(
    door: http.client.HTTPConnection, path: str, token: str, fields: dict[str, Any] | None = None, key: str = ""
) -> tuple[int, dict[str, Any]]:
    """The status and the answer of a POST, under an idempotency key if there is one; 0 if no answer came."""
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    try:
        door.request("POST", path, json.dumps({"token": token, **(fields or {})}), headers)
        response = door.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        door.close()  # the next request opens it again
        return 0, {}

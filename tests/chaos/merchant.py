"""The merchant of a chaos run: changes the sales over HTTP all the while, and writes down what they were told.

Of one sale units are added and taken out, it is paused for a moment and extended; another is called off under each
fault. What got no answer, or none that settles it, is asked again under its key until it is settled.
"""

import http.client
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

from storefront.domain.account import Account
from storefront.domain.ids import repeatable_order_id
from storefront.domain.sale import Sale
from storefront.services import accounts
from storefront.shop import Shop
from tests.chaos.crowd import PATIENCE, Deed, ask

EVERY = 0.3
"""Seconds between two changes."""

FEW = 3
"""Units that are added or taken out at a time, at most."""

CALLED_OFF_AFTER = 2.5
"""Seconds until a sale is called off: the faults strike after about two."""

DEED = {"cancel": "cancel_sale"}
"""Acts by another name, since shoppers cancel too."""

SETTLED = frozenset({200, 409})
"""Done, or refused for good: too few units are free, say."""


class Merchant:
    """Changes ``sale`` again and again. Everything they were told goes into ``deeds``."""

    def __init__(self, shop: Shop, account: Account, port: int, sale: Sale, deeds: list[Deed], *, seed: int) -> None:
        self._account = account
        self._token = accounts.token_for(shop, account)
        self._door = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._sale = sale
        self._deeds = deeds
        self._random = random.Random(seed)
        self._numbers = iter(range(1_000_000))
        self._next = self._acts()
        self._going = threading.Event()
        self._thread = threading.Thread()

    def begin(self, to_call_off: Sale) -> None:
        """Start changing, and call another sale off soon."""
        self._going.set()
        self._thread = threading.Thread(target=self._change_on, args=[to_call_off], daemon=True)
        self._thread.start()

    def end(self, within: float) -> bool:
        """Stop, once all that was begun is settled. Whether it was, in so many seconds."""
        self._going.clear()
        self._thread.join(within)
        return not self._thread.is_alive()

    def _change_on(self, to_call_off: Sale) -> None:
        calls_off_at = time.monotonic() + CALLED_OFF_AFTER
        called_off = False
        while self._going.is_set():
            if not called_off and time.monotonic() > calls_off_at:
                called_off = self._settle(to_call_off, "cancel")
            self._settle(self._sale, *next(self._next))
            time.sleep(EVERY)
        if not called_off:
            self._settle(to_call_off, "cancel")
        self._settle(self._sale, "resume")

    def _acts(self) -> Iterator[tuple[Any, ...]]:
        ends = self._sale.terms.ends
        while True:
            few = self._random.randint(1, FEW)
            yield "restock", {"units": few}
            yield "restock", {"units": -few}
            yield ("pause",)
            yield ("resume",)
            ends += 1
            yield "extend", {"time_endkill": ends}

    def _settle(self, sale: Sale, act: str, fields: dict[str, Any] | None = None) -> bool:
        """Ask until it is settled. Whether it was done."""
        key = f"{act} {next(self._numbers)}"
        while True:
            path = f"/dashboard/{sale.id}/{act}"
            status, answer = ask(self._door, path, self._token, {**(fields or {}), "why": "a test"}, key)
            what = [key, act, *((fields or {}).get(name, "") for name in ("units", "time_endkill"))]
            change = repeatable_order_id(sale.id, self._account.id, "\x1f".join(map(str, what)))
            moment = time.monotonic()
            self._deeds.append(
                Deed(DEED.get(act, act), self._account.id, sale.id, status, answer.get("code", ""), change, moment)
            )
            if status in SETTLED:
                return status == 200
            time.sleep(EVERY)

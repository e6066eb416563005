"""A running shop that is brought into any state its pages can show: to be judged by tests, or photographed.

Everything that is staged here goes through the shop's own services: no state is shown that the shop couldn't be in.
"""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from urllib.parse import quote

import pytest
from redis.exceptions import RedisError

from storefront.domain import records
from storefront.domain.account import Account, Profile
from storefront.domain.ban import ACCOUNT, Ban
from storefront.domain.ids import new_order_id, new_sale_id
from storefront.domain.sale import Sale, Terms
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying, paying, proving, selling, waiting, webhooks
from storefront.services.changing import Said
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.webhooks import Attempt
from tests.conftest import SETTINGS, charged, config_of, eventually

HOUR = 3600
PASSWORD = "secret123"
CROWDED = "人海"
"""Somebody whose account is on probation."""

ENV = SETTINGS | {"STOREFRONT_LIMIT_LOGIN": "3/minute"}
"""The settings of the shop that is shown: as in tests, but one may log in too often, by name."""


class Stage:
    """The shop, and what stands on its stage. What is asked for by a name is made once."""

    def __init__(self, running: LocalShop) -> None:
        self.running = running
        config = config_of(running)
        self.shop = Shop(config)
        self._hurried = Shop(replace(config, payment_window=2))
        self._accounts: dict[str, Account] = {}
        self._sales: dict[str, Sale] = {}
        self.until_shown = ExitStack()
        eventually(self.shop.is_open)

    def close(self) -> None:
        """Let go of the shop."""
        self.until_shown.close()
        self.shop.close()
        self._hurried.close()

    def account(self, name: str) -> Account:
        """The account of this name. ``CROWDED`` was registered where many were."""
        if name not in self._accounts:
            profile = Profile(name, 30, "1 Main Street", "http://127.0.0.1:9/none.png")
            self._accounts[name] = accounts.register(
                self.shop, profile, PASSWORD, crowd=nullcontext(enter_result=name == CROWDED)
            )
        return self._accounts[name]

    def sale(self, product: str, num: int = 20, begins: int = -600, ends: int = 2 * HOUR, **more: object) -> Sale:
        """The sale of this product; ``begins`` and ``ends`` in seconds from now.

        ``merchant`` is a name; ``upload`` a picture's file.
        """
        if product not in self._sales:
            now = self.shop.memory.now_ms() // 1000
            merchant = str(more.pop("merchant", ""))
            upload = more.pop("upload", None)
            terms = {"producter": "拾物集 Sundries", "price": 99_900, **more}
            self._sales[product] = selling.open_sale(
                self.shop,
                self.account(merchant) if merchant else None,
                Terms(product=product, num=num, begins=now + begins, ends=now + ends, **terms),  # type: ignore[arg-type]
                upload,  # type: ignore[arg-type]
            ).sale
        return self._sales[product]

    def change(self, sale: Sale, act: Callable[..., Sale]) -> Sale:
        """Have a sale's merchant, or nobody, change it: ``changing.pause``, ``resume`` or ``cancel``."""
        merchant = self._accounts.get(sale.merchant_name)
        return act(self.shop, merchant, sale.id, Said("仓库盘点"))

    def told(self, merchant: str) -> None:
        """A merchant's receiver took an event, wanted no other, and didn't answer a third."""
        account = self.account(merchant)
        if self.shop.webhooks.attempts(account.id):
            return
        webhooks.set_address(self.shop, account.id, "http://127.0.0.1:9/")
        now = self.shop.memory.now_ms()
        for number, (status, fault) in enumerate(((410, ""), (204, ""), (0, "nothing_fetched")), start=1):
            event = f"{new_order_id(new_sale_id('茶'))}_paid"
            self.shop.webhooks.tell(account.id, Attempt(event, now, number, status, fault, now + 10**7))

    def ban(self, who: str, sale: Sale | None = None) -> None:
        """Somebody is banned for a day, as by the limits, for pressing the button of this sale too often."""
        account, now = self.account(who), self.shop.memory.now_ms()
        ban = Ban(
            account.id, ACCOUNT, account.name, since=now, until=now + 24 * HOUR * 1000,
            why="buying.buy", limit="5 per 1 second", refused=51,
            sale=sale.id if sale else "",
        )  # fmt: skip
        self.shop.bans.write([ban])

    def order(self, who: str, sale: Sale, then: str = "", *, hurried: bool = False) -> str:
        """An order that is placed and, ``then``, "paid", "cancelled", "expired" or "refunded". Returns its id."""
        account = self.account(who)
        shop = self._hurried if hurried or then == "expired" else self.shop
        order = buying.buy(shop, account, sale.product).order
        buying.placed_order_of(shop, account, order)
        if then == "paid":
            paying.pay(shop, account, order)
        elif then in ("cancelled", "refunded"):
            self.cancel(who, order)
        if then == "expired":
            eventually(lambda: self.state_of(order) == "expired")
        if then == "refunded":
            found = buying.order_of(shop, account, order)
            charge = charged(shop, order, found.amount, found.currency).id
            shop.ledger.append(records.Paid(at=shop.memory.now_ms(), sale=sale.id, order=order, charge=charge))
            eventually(lambda: buying.order_of(shop, account, order).refund == "done")
        return order

    def cancel(self, who: str, order: str) -> None:
        """Give an unpaid order's unit back."""
        paying.cancel(self.shop, self.account(who), order)

    def wait(self, who: str, sale: Sale) -> None:
        """Have somebody join a sale's waitlist."""
        waiting.join(self.shop, self.account(who), sale.id)

    def ticket(self, who: str, sale: Sale, wait: int) -> None:
        """Have somebody hold a ticket for a sale, good in so many seconds, in place of any other."""
        purpose = proving.for_sale(sale.id, self.account(who).id)
        self.shop.memory.redis.delete(keys.ticket(purpose))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(proving, "wait", lambda _: wait)
            proving.take_ticket(self.shop, purpose)
        self.until_shown.callback(self.shop.memory.redis.delete, keys.ticket(purpose))

    def until_pending(self, who: str, sale: Sale) -> None:
        """Go on when somebody's order of this sale is placed."""
        shopper = self.account(who)
        eventually(
            lambda: [self.state_of(order) for order in self.shop.orders.held(sale.id, shopper.id)] == ["pending"]
        )

    def lost(self, who: str, sale: Sale) -> str:
        """An order whose request never came into the ledger, as when a web process dies in between."""
        shopper, order = self.account(who), new_order_id(sale.id)
        self.shop.orders.reserve(sale.id, order, shopper.id, shopper.name, doubt_ms=1, pay_ms=HOUR * 1000)
        eventually(lambda: self.state_of(order) == "released")
        return order

    def placing(self, who: str, sale: Sale) -> str:
        """An order that waits for the order worker for as long as it is shown."""
        self.stop("orders")
        return buying.buy(self.shop, self.account(who), sale.product).order

    def overdue(self, who: str, sale: Sale) -> str:
        """An order whose time to pay is over, for as long as it is shown, though nobody has noticed."""
        order = self.order(who, sale, hurried=True)
        self.stop("orders")
        eventually(lambda: (found := self.shop.orders.get(order)) and self.shop.memory.now_ms() > found.pay_by)
        return order

    def state_of(self, order: str) -> str:
        """The state of an order, empty for none."""
        found = self.shop.orders.get(order)
        return found.state if found else ""

    def stop(self, process: str) -> None:
        """Have one of the shop's processes stand still until this was shown."""
        pid = self.running.processes[process].pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        self.until_shown.callback(os.kill, pid, signal.SIGCONT)

    def without(self, process: str) -> None:
        """Take one of the shop's processes away until this was shown."""
        gone = self.running.processes[process]
        gone.kill()
        self.until_shown.callback(self._bring_back, gone.start, gone.wait_ready)

    def _bring_back(self, *steps: Callable[..., None]) -> None:
        for step in steps:
            step()
        eventually(self._is_open, 60)

    def _is_open(self) -> bool:
        try:
            return self.shop.is_open()
        except RedisError:
            return False


def at(sale: Sale) -> str:
    """A sale's address."""
    return f"/miaosha/{quote(sale.product, safe='')}"

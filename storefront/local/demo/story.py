"""The sale, act by act: the crowd arrives, rushes, pays or doesn't, and others buy what comes back."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storefront.domain.order import OrderState
from storefront.local.demo.audit import Count
from storefront.local.demo.client import Answer, Client, Unplayable, loopback_address, own_addresses, patiently
from storefront.local.demo.crowd import Shopper, everybody, until
from storefront.local.demo.report import Screen
from storefront.local.demo.venue import Venue, enter, open_sale, sale_path, shop_time, succeeded

AT_ONCE = 16  # shoppers who register, pay or look at the same time; only the rush is everybody at once
LEAD = 4  # seconds between the sale's opening by the merchant and its begin
MARGIN = 0.02  # seconds after the begin at which the crowd asks: nobody wants to be early
RUSH = 120.0  # seconds that a rush may take
SETTLE = 20.0  # seconds the shop may take to apply what it has said yes to
SLACK = 20.0  # seconds after the payment window in which unpaid units must have come back
ROUNDS = 3  # of the second wave, at most


@dataclass(frozen=True)
class Script:
    """How large the demo is. ``token`` is a merchant's, empty where anyone may open sales."""

    shoppers: int
    units: int
    run: str
    token: str = ""


class Story:
    """One demo in one shop. The acts are called in the order in which they stand here."""

    def __init__(self, venue: Venue, script: Script, screen: Screen) -> None:
        self._venue = venue
        self._script = script
        self._screen = screen
        addresses = own_addresses(venue.url)
        self.shoppers = [
            Shopper(
                f"demo-{script.run}-{number:03}", Client(venue.url, loopback_address(number) if addresses else None)
            )
            for number in range(script.shoppers)
        ]
        self._merchant = Client(venue.url)
        self._product = f"Demo {script.run} 折叠屏手机 foldable phone"
        self._begins = 0
        self._abandoned: list[Shopper] = []
        self.problems: list[str] = []
        if not addresses:
            screen.say("All shoppers share one address here, so the shop's limits for one address will show.")

    def play(self) -> int:
        """All of it. Returns the exit status. Raises Unplayable."""
        self.arrive()
        self.open()
        self.rush()
        self.pay_or_leave()
        self.units_return()
        self.second_wave()
        return self.count()

    def arrive(self) -> None:
        """Everybody registers and logs in. Each is two password hashes, which are slow by design."""

        def arrive(shopper: Shopper) -> None:
            shopper.token = enter(shopper.client, shopper.name)

        took = self._everybody(
            self.shoppers, arrive, "Registering and logging in", AT_ONCE, 60 + 4 * len(self.shoppers)
        )
        self._screen.say(f"{len(self.shoppers)} shoppers registered and logged in, in {took:.0f} s.")

    def open(self) -> None:
        """The merchant opens the sale, which begins in a few seconds."""
        self._begins = math.floor(shop_time(self._merchant)) + LEAD
        ends = self._begins + int(self._venue.window) + 600
        open_sale(self._merchant, self._product, self._script.units, self._begins, ends, self._script.token)
        self._screen.say(f"A sale of {self._script.units} units is open: {self._venue.url}{sale_path(self._product)}")

    def rush(self) -> None:
        """Everybody connects, waits for the begin by the shop's clock, and asks at that moment."""
        start = self._moment(self._begins)

        def rush(shopper: Shopper) -> None:
            shopper.client.connect()
            time.sleep(max(start - time.monotonic(), 0))
            self._buy(shopper)

        self._everybody(self.shoppers, rush, "The rush", len(self.shoppers), RUSH + LEAD)
        self._screen.answers("The rush", [shopper.answer for shopper in self.shoppers])

    def pay_or_leave(self) -> None:
        """Half of the winners pay. The rest let their orders expire, or cancel them where that would take too long."""
        winners = [shopper for shopper in self.shoppers if shopper.told]
        payers = winners[: len(winners) // 2]
        self._abandoned = winners[len(payers) :]
        self._pay(payers)
        if self._venue.short:
            return
        self._screen.say(
            f"This shop gives {self._venue.window:.0f} s to pay, too long to watch: the other {len(self._abandoned)} "
            "cancel instead of letting their orders expire. (To see that: STOREFRONT_PAYMENT_WINDOW=15 make run)"
        )

        def cancel(shopper: Shopper) -> None:
            path = f"/orders/{shopper.told[-1]}/cancel"
            answer = patiently(lambda: shopper.client.ask("POST", path, token=shopper.token))
            if not answer.good and answer.code != "cancelled":
                raise Unplayable(f"{shopper.name} could not cancel: {answer.status or 'no'} answer. {answer.sentence}")

        self._everybody(self._abandoned, cancel, "Cancelling", AT_ONCE, RUSH)

    def units_return(self) -> None:
        """Wait until every unit that was left unpaid is for sale again."""
        wanted = len(self._abandoned)
        if not wanted:
            return
        began = time.monotonic()
        patience = (self._venue.window if self._venue.short else 0) + SLACK
        doing = f"{wanted} unpaid orders run out" if self._venue.short else f"{wanted} cancelled units come back"
        with self._screen.bar(doing, wanted) as advance:

            def back() -> bool:
                left = self._count_units().units.left
                advance(left)
                return left >= wanted

            returned = until(back, patience)
        if returned:
            self._screen.say(f"{wanted} units that nobody paid are back, after {time.monotonic() - began:.0f} s.")
        else:
            self.problems.append(
                f"After {patience:.0f} s only {self._count_units().units.left} of {wanted} unpaid units came back."
            )

    def second_wave(self) -> None:
        """Those who went away empty-handed try again, and pay what they get."""
        losers = [shopper for shopper in self.shoppers if not shopper.told]
        wanted = min(self._count_units().units.left, len(losers))
        if not wanted:
            return
        answers: list[Answer] = []
        bought: list[Shopper] = []
        for _ in range(ROUNDS):
            trying = [shopper for shopper in losers if not shopper.told]
            self._everybody(trying, self._connected_buy, "The second wave", len(trying), RUSH)
            answers += [shopper.answer for shopper in trying]
            bought = [shopper for shopper in losers if shopper.told]
            if len(bought) >= wanted:
                break
        self._screen.answers("The second wave: those who got nothing try again", answers)
        self._pay(bought)
        if len(bought) < wanted:
            self.problems.append(f"{wanted} units were for sale again, but only {len(bought)} could be bought.")

    def count(self) -> int:
        """Count everything, once nothing moves any more, and compare. Returns the exit status."""
        if not until(lambda: self._count_units().units.reserved == 0, SETTLE):
            self.problems.append(f"After {SETTLE:.0f} s some units are still reserved, neither sold nor given back.")
        for _ in range(ROUNDS):
            before = self._count_units()
            self._everybody(self.shoppers, self._list_orders, "Reading everybody's orders", AT_ONCE, RUSH)
            count = self._count_units()
            if count == before:
                break
        else:
            self.problems.append("The units kept changing while they were counted; somebody else is buying here.")
        return self._screen.verdict(self._script.units, count, self.shoppers, self.problems)

    def _buy(self, shopper: Shopper) -> None:
        shopper.answer = shopper.client.ask("POST", sale_path(self._product), token=shopper.token)
        if shopper.answer.good:
            shopper.told.append(str(shopper.answer.body["order"]))
        shopper.unsure = shopper.unsure or shopper.answer.doubtful

    def _connected_buy(self, shopper: Shopper) -> None:
        shopper.client.connect()
        self._buy(shopper)

    def _pay(self, payers: Sequence[Shopper]) -> None:
        def pay(shopper: Shopper) -> None:
            order = shopper.told[-1]
            answer = patiently(lambda: shopper.client.ask("POST", f"/orders/{order}/pay", token=shopper.token))
            if answer.good or answer.code == "already_paid":
                shopper.paid.append(order)
            else:
                shopper.unsure_paid = answer.doubtful
                refused.append(answer)

        refused: list[Answer] = []
        took = self._everybody(payers, pay, "Paying", AT_ONCE, RUSH)
        self._screen.say(f"{len(payers) - len(refused)} winners paid, in {took:.1f} s.")
        for answer in refused:
            self._screen.say(f"  A payment was refused: {answer.status or 'no answer'} {answer.sentence}", "yellow")

    def _list_orders(self, shopper: Shopper) -> None:
        """Read a shopper's orders. The list may trail a yes by a moment, so an order missing there is waited for."""

        def complete() -> bool:
            answer = patiently(lambda: shopper.client.ask("GET", "/orders", token=shopper.token))
            listed = succeeded(answer, f"read the orders of {shopper.name}")["orders"]
            shopper.orders = {str(one["order"]): str(one["state"]) for one in listed}
            placed = [order for order in shopper.told if shopper.orders.get(order, OrderState.RESERVED) != "reserved"]
            return len(placed) == len(shopper.told)

        until(complete, 5.0)

    def _count_units(self) -> Count:
        answer = patiently(lambda: self._merchant.ask("GET", sale_path(self._product)))
        return Count.of(succeeded(answer, "look at the sale"))

    def _moment(self, shop_seconds: float) -> float:
        """When, by this machine's monotonic clock, the shop's clock will certainly show ``shop_seconds``."""
        looks = []
        for _ in range(5):
            began = time.monotonic()
            shown = shop_time(self._merchant)
            looks.append((time.monotonic() - began, began, shown))
        _, began, shown = min(looks)
        return began + (shop_seconds - shown) + MARGIN + min(looks)[0]

    def _everybody(
        self, people: Sequence[Shopper], act: Callable[[Shopper], None], doing: str, at_once: int, seconds: float
    ) -> float:
        """Have them act under a progress bar. Returns the seconds it took."""
        began = time.monotonic()
        finished = 0
        with self._screen.bar(doing, len(people)) as advance:

            def done() -> None:
                nonlocal finished
                finished += 1
                advance(finished)

            everybody(people, act, at_once=at_once, seconds=seconds, done=done)
        return time.monotonic() - began

"""A shop whose web, worker, sweep, ledger and Redis take one step at a time, in any order that Hypothesis thinks of.

The scripts, stores and services are the real ones, on a real Redis. The machine decides what `steps.py` decides for
the model: who takes the next step, when each record in flight arrives, and when Redis loses what, or the ledger.
"""

from collections.abc import Iterable
from functools import partial
from typing import cast

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from storefront.domain.account import Account, Profile
from storefront.domain.ids import repeatable_order_id, tag_of_product
from storefront.domain.order import OrderState
from storefront.domain.records import Opened
from storefront.domain.replay import Replay
from storefront.gateways.sandbox import SUCCEEDED
from storefront.services import buying, changing, paying, receiving, settling, waiting
from storefront.services.changing import Said
from storefront.stores import keys

from .environment import PARTITION, Pages, UseCase
from .promises import (
    KEPT,
    View,
    broken_by_the_ledger,
    broken_in_redis,
    forgotten,
    left_behind,
    unchanged,
    unlike_the_ledger,
    unserved,
)
from .stage import MOST_DISASTERS, SELDOM, Stage

PRODUCTS = ("lamp", "lamp", "lamp", "chair")
SHOPPERS = tuple(Account(f"shopper{n}", Profile(f"Shopper {n}", 30, "", ""), "") for n in range(3))
HOUR = 3600
TAKEN = (OrderState.PAID, OrderState.EXPIRED, OrderState.CANCELLED)
UNPAID = ("reserved", "releasing", "pending")
WAIT_FOR_WORKER = ("pay", "webhook", "cancel", "join", "leave", "restock", "extend", "call off", "pause or resume")
ROUNDS = 12
"""More than it can take until everything rests."""

WHATS = ("restock", "restock", "restock", "extend", "pause or resume", "pause or resume", "call off")


class ShopMachine(Stage):
    """All that can happen to a few sales."""

    partition = PARTITION
    wait_for_worker = WAIT_FOR_WORKER

    def __init__(self) -> None:
        super().__init__()
        self.limits: dict[str, int] = {}
        self.promised: dict[str, frozenset[str]] = {}
        self.bought: set[str] = set()
        self.numbers: dict[str, int] = {}
        """Order → its number, by when it was first seen."""
        self.waits: dict[tuple[str, str], int] = {}
        """Sale and shopper who was told that they wait → how many orders of theirs had been placed by then."""
        self.made: set[tuple[str, str]] = set()
        """Sale and change that its merchant was told is made."""
        self.called_off: set[str] = set()
        self.leavers: set[tuple[str, str]] = set()
        self.may_be_cut = False
        self.view = View()
        self.untold: dict[str, None] = {}
        """Payments of which the provider told, and had no answer yet."""

    def beginning(self) -> Replay:
        """See ``Stage``."""
        return Replay()

    def can_be_cut(self) -> bool:
        """See ``Stage``."""
        return self.may_be_cut and super().can_be_cut()

    def has_merchant(self) -> bool:
        """Whether a merchant, or who waits for a unit, may act.

        Not in the lives of which the ledger is cut: what becomes then of openings, changes and waitlists is for the
        model and `test_mending.py`.
        """
        return not self.may_be_cut and self.has_room()

    def top(self) -> int:
        """See ``Stage``."""
        offset = self.shop.memory.field(keys.position(*PARTITION), "offset")
        return max(int(offset or 0), *(int(fields.get("position", 0)) for fields in self.view.sales.values()), 0)

    # Shoppers and merchants

    @initialize(
        num=st.integers(1, 3), limit=st.integers(1, 2), free=st.booleans(), all_arrives=st.booleans(), may_be_cut=SELDOM
    )
    def begin(self, num: int, limit: int, free: bool, all_arrives: bool, may_be_cut: bool) -> None:
        """A sale is open, and its end is decided: whether what is in flight then arrives."""
        self.all_arrives, self.may_be_cut = all_arrives, may_be_cut
        self.look_at_epoch(0)
        self.ledger.send([self._opened(PRODUCTS[0], num, limit, free=free)])
        for flight in list(self.ledger.flying):
            self.ledger.arrive(flight, again=False)
        self.apply(0, len(self.ledger.lines))
        self.worker(1)
        self.promises_are_kept()

    def _open_sale(self) -> None:
        """A merchant opens a sale, maybe of a product that has one, maybe one that is over."""
        num, limit = self.draw(st.integers(1, 3), label="num"), self.draw(st.integers(1, 2), label="limit")
        product, free, over = self.draw(
            st.tuples(st.sampled_from(PRODUCTS), st.booleans(), SELDOM), "product, free, over"
        )
        self.ledger.send([self._opened(product, num, limit, free=free, over=over)])

    def _opened(self, product: str, num: int, limit: int, *, free: bool, over: bool = False) -> Opened:
        now = self.shop.memory.now_ms()
        sale = f"{tag_of_product(product)}{len(self.limits):08}"
        begins = now // 1000 - 2 * HOUR
        self.limits[sale] = limit
        return Opened(
            at=now, sale=sale, merchant="", merchant_name="", product=product, num=num, producter="", begins=begins,
            ends=begins + HOUR * (1 if over else 4), price=None if free else 100, currency="CNY", limit=limit,
            description="", image="",
        )  # fmt: skip

    def _buy(self) -> None:
        """A shopper buys, for the first time or once more with the same key."""
        shopper = self.draw(st.sampled_from(SHOPPERS), label="shopper")
        product, key = self.draw(st.tuples(st.sampled_from(PRODUCTS), st.sampled_from("abcde")), label="product, key")
        self.buy(shopper, product, key)

    def buy(self, shopper: Account, product: str, key: str) -> None:
        """A shopper buys, up to where the shop waits for the ledger."""
        sale = self.shop.sales.id_of(product)
        order = repeatable_order_id(sale, shopper.id, key) if sale else ""
        others_wait = sale and self.shop.sales.get(sale).waiting > 0  # type: ignore[union-attr]
        known = self.redis.exists(keys.order(order))
        self.start("buy", partial(buying.buy, self.shop, shopper, product, key))
        if others_wait and not known and self.redis.exists(keys.order(order)):
            self.require([f"{shopper.id} got a unit of {sale} though others wait for it"])

    def _use(self) -> None:
        """A shopper pays for an order, or cancels it; one that isn't placed yet can only be cancelled."""
        order = self.draw(st.sampled_from(self._unpaid()), label="order")
        pays = self.view.orders[order]["state"] == "pending" and self.draw(st.booleans(), label="pays")
        act = paying.pay if pays else paying.cancel
        (owner,) = (one for one in SHOPPERS if one.id == self.view.orders[order]["shopper"])
        self.start(act.__name__, partial(act, self.shop, owner, order))
        if Pages.PREFIX + order in self.ground.provider.money().get(order, {}):
            self.untold[order] = None

    def _pay_again(self) -> None:
        """A shopper pays at a page that was open, whatever became of the order meanwhile."""
        order = self.draw(st.sampled_from(self._payable()), label="order")
        self.pay_at(order, self.draw(st.integers(0, Pages.PAGES - 1), label="page"))

    def pay_at(self, order: str, page: int) -> None:
        """A shopper pays at this page; the provider tells of it."""
        fields = self.view.orders[order]
        payment = self.ground.provider.pay_at(page, order, int(fields["amount"]), fields["currency"])
        self.untold[payment] = None
        self.tell(payment)

    def _tell_again(self) -> None:
        """The provider tells once more what it had no answer to."""
        self.tell(self.draw(st.sampled_from(list(self.untold)), label="payment"))

    def tell(self, payment: str) -> None:
        """The provider tells the shop of a payment."""
        now = self.shop.memory.now_ms() // 1000
        headers, body = self.ground.provider.webhook(payment, SUCCEEDED, now)

        def receive() -> str:
            receiving.receive(self.shop, headers, body)
            return payment

        self.start("webhook", receive)

    def _payable(self) -> list[str]:
        """Orders that cost something, and had a page to be paid on."""
        return self._in_order(
            order
            for order, fields in self.view.orders.items()
            if fields.get("state") in {OrderState.PENDING, *TAKEN} and fields.get("amount", "0") not in ("", "0")
        )

    def _wait(self) -> None:
        """A shopper joins a waitlist, or leaves it."""
        shopper = self.draw(st.sampled_from(SHOPPERS), label="shopper")
        sale = self.draw(st.sampled_from(sorted(self.view.sales)), label="sale")
        leaves = shopper.id in self.view.waitlists.get(sale, []) and self.draw(SELDOM, label="leaves")
        if leaves:
            self.leavers.add((sale, shopper.id))
            self.start("leave", partial(waiting.leave, self.shop, shopper, sale))
        else:
            self.start("join", lambda: (shopper.id, waiting.join(self.shop, shopper, sale)))

    def _change(self) -> None:
        """A merchant changes a sale, for the first time or once more with the same key."""
        sale = self.draw(st.sampled_from(sorted(self.view.sales)), label="sale")
        what, key = self.draw(st.tuples(st.sampled_from(WHATS), st.sampled_from("vwxyz")), label="what, key")
        shop = self.shop
        match what:
            case "restock":
                units = self.draw(st.sampled_from([-2, -1, -1, 1]), label="units")
                key += str(units)  # a key is one change's
                change = repeatable_order_id(sale, "", key)
                self.start(what, lambda: (change, changing.restock(shop, None, sale, units, Said("", key))))
            case "extend":
                ends = int(self.view.sales[sale]["ends"]) + HOUR
                key += str(ends)
                self.start(what, lambda: (ends, changing.extend(shop, None, sale, ends, Said("", key))))
            case "call off":
                self.start(what, partial(changing.cancel, shop, None, sale, Said("", key)))
            case _:
                act = changing.resume if self.view.sales[sale]["paused"] == "1" else changing.pause
                self.start(what, partial(act, shop, None, sale, Said()))

    def _unpaid(self) -> list[str]:
        orders = self.view.orders.items()
        return self._in_order(
            order for order, fields in orders if fields.get("state") in UNPAID and "units" not in fields
        )

    def _in_order(self, orders: Iterable[str]) -> list[str]:
        """As they were first seen: the ids of offers are random, and a run must be the same each time."""
        return sorted(orders, key=self.numbers.__getitem__)

    def answered(self, use: UseCase) -> None:
        """See ``Stage``."""
        assert use.outcome is not None
        answer = use.outcome.answer
        match use.name:
            case "buy":
                self.bought.add(answer.order)
                self.promised.setdefault(answer.order, KEPT)
            case "pay":
                self.promised[answer.order.id] = frozenset({str(answer.order.state)})
            case "cancel":
                self.promised[answer.id] = frozenset({str(answer.state)})
            case "webhook":
                self.untold.pop(answer, None)
            case "restock":
                change, sale = answer
                self.made.add((sale.id, change))
            case "call off":
                self.called_off.add(answer.id)
            case "extend":
                ends, sale = answer
                if sale.terms.ends < ends:
                    self.require([f"{sale.id} is said to end later, and ends at {sale.terms.ends}, not {ends}"])
            case "join" if answer[1].place:
                shopper, sale = answer[0], answer[1].sale.id
                theirs = [one for one in View.of(self.redis).orders_of(sale).values() if one.get("shopper") == shopper]
                self.waits[sale, shopper] = sum(one["state"] in KEPT for one in theirs)

    # The sweep

    def _time_passes(self) -> None:
        """The time comes to look at an order; the sweep looks."""
        order = self.draw(st.sampled_from(self._in_order(self.view.agenda)), label="order")
        sale = self.view.orders[order]["sale"]
        self.redis.zadd(keys.agenda(sale), {order: 0}, xx=True)
        self.start("sweep", partial(settling.sweep_sales, self.shop, [sale]))

    # Promises

    def check(self) -> None:
        """See ``Stage``."""
        self.view = View.of(self.redis)
        new = [(fields.get("shopper", ""), order) for order, fields in self.view.orders.items()]
        for _, order in sorted(new):
            self.numbers.setdefault(order, len(self.numbers))
        self.require(broken_in_redis(self.view))
        if self.is_ahead:  # what the ledger says doesn't count
            return
        told = self.ledger.replays[-1]
        self.require(unlike_the_ledger(self.view, self.ledger.replays))
        self.require(broken_by_the_ledger(told, self.promised, self.limits))
        self.require(unchanged(told, self.made, self.called_off))
        waits = {
            key: before for key, before in self.waits.items() if key not in self.leavers and not self._is_noted(*key)
        }
        self.require(forgotten(told, waits))

    def _is_noted(self, sale: str, shopper: str) -> bool:
        """Whether Redis knows of one who waits or enters a draw what a cut may have taken from the ledger."""
        entering = {one.split(" ")[0] for one in self.view.entering.get(sale, ())}
        return self.may_be_cut and shopper in entering | {*self.view.waitlists.get(sale, ())}

    def rest(self) -> None:
        """See ``Stage``."""
        for _ in range(ROUNDS):
            before = len(self.ledger.lines)
            self.run_to_rest()
            for payment in list(self.untold):
                self.tell(payment)
            for sale in self.shop.sales.unsettled():
                agenda = cast("list[str]", self.redis.zrange(keys.agenda(sale), 0, -1))
                if agenda:
                    self.redis.zadd(keys.agenda(sale), dict.fromkeys(agenda, 0))
                if entering := self.view.entering.get(sale):
                    self.redis.zadd(keys.entering(sale), dict.fromkeys(entering, 0))
                self.start("sweep", partial(settling.sweep_sales, self.shop, [sale]))
            self.run_to_rest()
            if not self.view.agenda and not self.view.entering and len(self.ledger.lines) == before:
                break
        self.require(left_behind(self.view, self.ground.provider.money()))
        self.require(unserved(self.view, self.limits))
        listed = {order for one in SHOPPERS for order in self.shop.orders.of_shopper(one.id, 100) or ()}
        placed = {order for order in self.bought if self.view.orders[order]["state"] != "cancelled"}
        self.require(f"order {order} is in nobody's list" for order in sorted(placed - listed))


ShopMachine.deeds = [
    ("arrive", 5, lambda now: now.ledger.flying),
    ("_buy", 5, Stage.has_room),
    ("cut_ledger", 1, ShopMachine.can_be_cut),
    ("_change", 2, lambda now: now.has_merchant() and now.view.sales),
    ("lose_history", 1, lambda now: now.disasters < MOST_DISASTERS),
    ("new_history_overtakes", 5, Stage.is_overtaken),
    ("_open_sale", 1, lambda now: now.has_merchant() and len(now.limits) < 4),
    ("run_smoothly", 1, lambda _: True),
    ("somebody_goes_on", 3, Stage.able),
    ("_pay_again", 2, lambda now: now.has_room() and now._payable()),
    ("_tell_again", 1, lambda now: now.has_room() and now.untold),
    ("_time_passes", 3, lambda now: now.view.agenda),
    ("_wait", 2, lambda now: now.has_merchant() and now.view.sales),
    ("_use", 3, lambda now: now.has_room() and now._unpaid()),
    ("worker_works", 5, lambda now: now.ledger.lines),
]

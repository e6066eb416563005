"""A shop whose web, worker, sweep, ledger and Redis take one step at a time, in any order that Hypothesis thinks of.

The scripts, stores and services are the real ones, on a real Redis. The machine decides what `steps.py` decides for
the model: who takes the next step, when each record in flight arrives, and when Redis loses what.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storefront.domain.account import Account, Profile
from storefront.domain.ids import repeatable_order_id, tag_of_product
from storefront.domain.records import Opened, Signed
from storefront.services import buying, changing, paying, settling, waiting
from storefront.services.applying import GoBack, Partition, apply
from storefront.services.changing import Said
from storefront.stores import keys

from .environment import PARTITION, Ground, Killed, Memory, UseCase
from .promises import (
    KEPT,
    View,
    broken_by_the_ledger,
    broken_in_redis,
    forgotten,
    left_behind,
    placed,
    unchanged,
    unserved,
)

PRODUCTS = ("lamp", "lamp", "lamp", "chair")
SHOPPERS = tuple(Account(f"shopper{n}", Profile(f"Shopper {n}", 30, "", ""), "") for n in range(3))
HOUR = 3600
MOST_IN_FLIGHT = 5
MOST_DISASTERS = 8
UNPAID = ("reserved", "releasing", "pending")
WAIT_FOR_WORKER = ("pay", "cancel", "join", "leave", "restock", "extend", "call off", "pause or resume")
MOST_ROUNDS = 100
"""Of what it may take until all records are applied."""
ROUNDS = 12
"""More than it can take until everything rests."""

WHATS = ("restock", "restock", "restock", "extend", "pause or resume", "pause or resume", "call off")
SELDOM = st.sampled_from([False, False, False, True])


class Broken(AssertionError):
    """A promise is broken."""


class ShopMachine(RuleBasedStateMachine):
    """All that can happen to a few sales."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.shop, self.redis = self.ground.shop, self.ground.shop.memory.redis
        self.memory = Memory(self.ground.undecoded)
        self.ledger = self.ground.cleared()
        self.waiting: list[UseCase] = []
        self.workers: list[Partition | None] = [None, None]
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
        self.view = View()
        self.draw: Callable[..., Any]
        self.disasters = 0
        self.failed = False
        self.all_arrives = True

    # Shoppers and merchants

    @initialize(num=st.integers(1, 3), limit=st.integers(1, 2), free=st.booleans(), all_arrives=st.booleans())
    def begin(self, num: int, limit: int, free: bool, all_arrives: bool) -> None:
        """A sale is open, and its end is decided: whether what is in flight then arrives."""
        self.all_arrives = all_arrives
        self.look_at_epoch(0)
        self.ledger.send([self._opened(PRODUCTS[0], num, limit, free=free)])
        for flight in list(self.ledger.flying):
            self.ledger.arrive(flight, again=False)
        self._apply(0, len(self.ledger.lines))
        self._worker(1)
        self.promises_are_kept()

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """Somebody who can do something does it.

        One rule, so that each run may use all of them: a run without the worker, say, would be a waste.
        """
        self.draw = data.draw
        able = [deed for deed, weight, can in DEEDS if can(self) for _ in range(weight)]
        getattr(self, self.draw(st.sampled_from(able), label="step"))()

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
        self._start("buy", partial(buying.buy, self.shop, shopper, product, key))
        if others_wait and not known and self.redis.exists(keys.order(order)):
            self._require([f"{shopper.id} got a unit of {sale} though others wait for it"])

    def _use(self) -> None:
        """A shopper pays for an order, or cancels it; one that isn't placed yet can only be cancelled."""
        order = self.draw(st.sampled_from(self._unpaid()), label="order")
        pays = self.view.orders[order]["state"] == "pending" and self.draw(st.booleans(), label="pays")
        act = paying.pay if pays else paying.cancel
        (owner,) = (one for one in SHOPPERS if one.id == self.view.orders[order]["shopper"])
        self._start(act.__name__, partial(act, self.shop, owner, order))

    def _wait(self) -> None:
        """A shopper joins a waitlist, or leaves it."""
        shopper = self.draw(st.sampled_from(SHOPPERS), label="shopper")
        sale = self.draw(st.sampled_from(sorted(self.view.sales)), label="sale")
        leaves = shopper.id in self.view.waitlists.get(sale, []) and self.draw(SELDOM, label="leaves")
        if leaves:
            self.leavers.add((sale, shopper.id))
            self._start("leave", partial(waiting.leave, self.shop, shopper, sale))
        else:
            self._start("join", lambda: (shopper.id, waiting.join(self.shop, shopper, sale)))

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
                self._start(what, lambda: (change, changing.restock(shop, None, sale, units, Said("", key))))
            case "extend":
                ends = int(self.view.sales[sale]["ends"]) + HOUR
                key += str(ends)
                self._start(what, lambda: (ends, changing.extend(shop, None, sale, ends, Said("", key))))
            case "call off":
                self._start(what, partial(changing.cancel, shop, None, sale, Said("", key)))
            case _:
                act = changing.resume if self.view.sales[sale]["paused"] == "1" else changing.pause
                self._start(what, partial(act, shop, None, sale, Said()))

    def _has_room(self) -> bool:
        return len(self.ledger.flying) < MOST_IN_FLIGHT

    def _unpaid(self) -> list[str]:
        orders = self.view.orders.items()
        return self._in_order(
            order for order, fields in orders if fields.get("state") in UNPAID and "units" not in fields
        )

    def _in_order(self, orders: Iterable[str]) -> list[str]:
        """As they were first seen: the ids of offers are random, and a run must be the same each time."""
        return sorted(orders, key=self.numbers.__getitem__)

    def _start(self, name: str, act: Callable[[], Any]) -> None:
        self._go_on(UseCase(name, act))

    def _go_on(self, use: UseCase) -> None:
        use.go_on()
        if use.outcome is None:
            if use not in self.waiting:
                self.waiting.append(use)
            return
        if use in self.waiting:
            self.waiting.remove(use)
        if use.outcome.refused is None:
            self._promise(use)

    def _promise(self, use: UseCase) -> None:
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
            case "restock":
                change, sale = answer
                self.made.add((sale.id, change))
            case "call off":
                self.called_off.add(answer.id)
            case "extend":
                ends, sale = answer
                if sale.terms.ends < ends:
                    self._require([f"{sale.id} is said to end later, and ends at {sale.terms.ends}, not {ends}"])
            case "join" if answer[1].place:
                shopper, sale = answer[0], answer[1].sale.id
                applied = int(self.shop.memory.field(keys.sale(sale), "position") or 0)
                self.waits[sale, shopper] = placed(self.ledger.replays[applied].sales[sale], shopper)

    def _able(self) -> list[UseCase]:
        """Those who may go on. Whoever waits for the worker too isn't let on before the worker was there."""
        applied = int(self.shop.memory.field(keys.position(*PARTITION), "offset") or 0)
        return [
            use
            for use in self.waiting
            if use.is_recorded() and (use.name not in WAIT_FOR_WORKER or applied >= use.needs)
        ]

    def _somebody_goes_on(self) -> None:
        """Somebody whose records arrived goes on."""
        self._go_on(self.draw(st.sampled_from(self._able()), label="use case"))

    def let_go_on(self) -> None:
        """Everybody who may go on does."""
        for use in self._able():
            self._go_on(use)

    # The ledger

    def _arrive(self) -> None:
        """A record arrives, maybe not for the last time."""
        flight = self.draw(st.sampled_from(self.ledger.flying), label="record")
        self.ledger.arrive(flight, again=self.draw(SELDOM, label="and once more"))

    def _run_smoothly(self) -> None:
        """For once nothing is late: all that is in flight arrives, is applied, and whoever waited goes on."""
        self.run_to_rest()

    def _new_history_overtakes(self) -> None:
        """The mark of a new epoch arrives, and is applied, in front of all else that is in flight."""
        for _ in range(2):  # the worker goes back, and then signs
            self.look_at_epoch(0)
        for flight in list(self.ledger.flying):
            if isinstance(flight.record, Signed):
                self.ledger.arrive(flight, again=False)
        self._apply(0, len(self.ledger.lines))

    def _is_overtaken(self) -> bool:
        now = self.shop.positions.all_at([PARTITION])[0]
        return bool(self.ledger.flying) and now.signed != now.epoch

    # The order worker

    def _worker(self, who: int) -> Partition:
        known = self.workers[who]
        if known is None:
            known = self.workers[who] = Partition(*PARTITION, self.shop.positions.all_at([PARTITION])[0])
        return known

    def _worker_works(self) -> None:
        """A worker looks at the epoch, or did so long ago; then it applies lines that follow on where it stands."""
        who = int(self.draw(SELDOM, label="the other worker"))
        if not self.draw(SELDOM, label="without a look at the epoch"):
            self.look_at_epoch(who)
        most = self.draw(st.integers(1, 6), label="lines")
        self._apply(who, most, self.draw(st.sampled_from([None] * 9 + [0, 1, 2]), label="dies after"))

    def _apply(self, who: int, most: int, dies_after: int | None = None) -> None:
        worker = self._worker(who)
        lines = self.ledger.lines[worker.position.offset :][:most]
        if not lines:
            return
        self.ground.scripts.left = dies_after
        try:
            apply(self.shop, worker, lines)
        except (GoBack, Killed):
            self.workers[who] = None
        finally:
            self.ground.scripts.left = None

    def look_at_epoch(self, who: int) -> None:
        """Go back to where Redis is, or begin the epoch in force in the ledger, as `OrderWorker` does."""
        worker, now = self._worker(who), self.shop.positions.all_at([PARTITION])[0]
        if now.epoch != worker.position.epoch or now.offset < worker.position.offset:
            self.workers[who] = None
        elif now.signed != now.epoch:
            signed = Signed(at=0, epoch=now.epoch, succeeds=now.signed)
            sent = [(other.epoch, other.succeeds) for other in self._signatures_in_flight()]
            if (signed.epoch, signed.succeeds) not in sent:
                self.ledger.send([signed])

    def _signatures_in_flight(self) -> Iterator[Signed]:
        return (flight.record for flight in self.ledger.flying if isinstance(flight.record, Signed))

    # The sweep

    def _time_passes(self) -> None:
        """The time comes to look at an order; the sweep looks."""
        order = self.draw(st.sampled_from(self._in_order(self.view.agenda)), label="order")
        sale = self.view.orders[order]["sale"]
        self.redis.zadd(keys.agenda(sale), {order: 0}, xx=True)
        self._start("sweep", partial(settling.sweep_sales, self.shop, [sale]))

    # Redis

    def _lose_history(self) -> None:
        """Redis restarts, or is emptied."""
        self.disasters += 1
        becomes = self.draw(
            st.sampled_from(["as it was", "as it was", "as it is", "as it is", "empty", "empty while it runs"]),
            label="Redis is",
        )
        match becomes:
            case "as it was":
                most = min(30, len(self.memory.kept) - 1)
                self.memory.roll_back(self.draw(st.integers(1, most), label="steps ago"))
            case "empty" | "empty while it runs":
                self.redis.flushdb()
        if becomes != "empty while it runs":
            self.memory.begin_history()

    # Promises

    @invariant()
    def promises_are_kept(self) -> None:
        """In every state."""
        self.memory.keep()
        self.view = View.of(self.redis)
        new = [(fields.get("shopper", ""), order) for order, fields in self.view.orders.items()]
        for _, order in sorted(new):
            self.numbers.setdefault(order, len(self.numbers))
        self._require(broken_in_redis(self.view, self.ledger.replays))
        self._require(broken_by_the_ledger(self.ledger.replays[-1], self.promised, self.limits))
        self._require(unchanged(self.ledger.replays[-1], self.made, self.called_off))
        waits = {key: before for key, before in self.waits.items() if key not in self.leavers}
        self._require(forgotten(self.ledger.replays[-1], waits))

    def _require(self, broken: Iterable[str]) -> None:
        found = list(broken)
        if found:
            self.failed = True
            raise Broken("; ".join(found))

    def teardown(self) -> None:
        """Let everything come to rest, and see what is left behind."""
        if not self.failed and self.limits:
            self._rest()

    def _rest(self) -> None:
        if not self.all_arrives:
            self.ledger.flying.clear()
        for _ in range(ROUNDS):
            before = len(self.ledger.lines)
            self.run_to_rest()
            for sale in self.shop.sales.unsettled():
                agenda = cast("list[str]", self.redis.zrange(keys.agenda(sale), 0, -1))
                if agenda:
                    self.redis.zadd(keys.agenda(sale), dict.fromkeys(agenda, 0))
                self._start("sweep", partial(settling.sweep_sales, self.shop, [sale]))
            self.run_to_rest()
            if not self.view.agenda and len(self.ledger.lines) == before:
                break
        charges, refunds = self.ground.money()
        self._require(left_behind(self.view, charges, refunds))
        self._require(unserved(self.view, self.limits))
        listed = {order for one in SHOPPERS for order in self.shop.orders.of_shopper(one.id, 100) or ()}
        placed = {order for order in self.bought if self.view.orders[order]["state"] != "cancelled"}
        self._require(f"order {order} is in nobody's list" for order in sorted(placed - listed))
        if not self.shop.is_open():
            self._require(["the shop is closed, and nothing more happens"])

    def run_to_rest(self) -> None:
        """The worker applies all there is, whoever waited goes on, until nothing more happens."""
        busy, rounds = True, 0
        while busy:
            rounds += 1
            if rounds > MOST_ROUNDS:
                self._require([f"there is no end: {self.workers[0]}, {self.ledger.lines[-3:]}, {self.ledger.flying}"])
            for flight in list(self.ledger.flying):
                self.ledger.arrive(flight, again=False)
            lines = len(self.ledger.lines)
            self.look_at_epoch(0)
            self._apply(0, lines)
            self.let_go_on()
            self.promises_are_kept()
            busy = bool(self.ledger.flying) or self.workers[0] is None or self.workers[0].position.offset < lines


DEEDS: list[tuple[str, int, Callable[[ShopMachine], Any]]] = [
    ("_arrive", 5, lambda now: now.ledger.flying),
    ("_buy", 5, ShopMachine._has_room),
    ("_change", 2, lambda now: now._has_room() and now.view.sales),
    ("_lose_history", 1, lambda now: now.disasters < MOST_DISASTERS),
    ("_new_history_overtakes", 5, ShopMachine._is_overtaken),
    ("_open_sale", 1, lambda now: now._has_room() and len(now.limits) < 4),
    ("_run_smoothly", 1, lambda _: True),
    ("_somebody_goes_on", 3, ShopMachine._able),
    ("_time_passes", 3, lambda now: now.view.agenda),
    ("_wait", 2, lambda now: now._has_room() and now.view.sales),
    ("_use", 3, lambda now: now._has_room() and now._unpaid()),
    ("_worker_works", 5, lambda now: now.ledger.lines),
]
"""What may happen, how often compared with the rest, and when it can."""

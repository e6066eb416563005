"""A sale that draws its units, from its opening on until before the draw closes, as `machine.py` has it for purchases.

Redis's clock can't be moved, so within one life a draw either takes entries or doesn't: here it does, to the end. That
units are then handed out as those that came back are is for the other machine.
"""

from dataclasses import replace
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from storefront.domain.account import Account
from storefront.domain.draw import Entering
from storefront.domain.records import Opened
from storefront.services import buying, settling, waiting
from storefront.stores import keys

from .environment import UseCase
from .machine import HOUR, PRODUCTS, SHOPPERS, ShopMachine
from .stage import MOST_DISASTERS, Stage

SEED = "a seed that no test draws"


class DrawMachine(ShopMachine):
    """All that can happen to those who enter a draw, and leave it."""

    def has_merchant(self) -> bool:
        """See ``ShopMachine``."""
        return False

    @initialize(all_arrives=st.booleans(), may_be_cut=st.booleans())
    def begin(self, all_arrives: bool, may_be_cut: bool) -> None:
        """See ``ShopMachine``."""
        ShopMachine.begin(self, num=1, limit=1, free=True, all_arrives=all_arrives, may_be_cut=may_be_cut)

    def _opened(self, product: str, num: int, limit: int, *, free: bool, over: bool = False) -> Opened:
        opened = super()._opened(product, num, limit, free=free, over=over)
        return replace(opened, draw=3 * HOUR, seed=SEED)

    def _enter(self) -> None:
        """A shopper presses the button."""
        self.press(self.draw(st.sampled_from(SHOPPERS), label="shopper"))

    def press(self, shopper: Account) -> None:
        """A shopper presses the button, up to where the shop waits for the ledger."""
        shop = self.shop

        def press() -> tuple[str, str]:
            try:
                buying.buy(shop, shopper, PRODUCTS[0])
            except Entering as entering:
                waiting.enter(shop, entering.entry)
                return entering.entry.record.sale, shopper.id
            raise AssertionError("a sale that draws was bought of")

        self.start("enter", press)

    def _leave(self) -> None:
        """A shopper leaves the draw."""
        (sale,) = self.limits
        shopper = self.draw(st.sampled_from(SHOPPERS), label="shopper")
        self.leavers.add((sale, shopper.id))
        self.start("leave", partial(waiting.leave, self.shop, shopper, sale))

    def _doubt(self) -> None:
        """The time comes to look at who enters; the sweep looks."""
        (sale,) = self.view.entering
        self.redis.zadd(keys.entering(sale), dict.fromkeys(sorted(self.view.entering[sale]), 0), xx=True)
        self.start("sweep", partial(settling.sweep_sales, self.shop, [sale]))

    def _steps_back(self) -> int:
        """See ``Stage``: nor while a cut took an entry that somebody was told of, and Redis alone knows of it."""
        told = self.ledger.replays[-1]
        known = all(
            shopper in told.sales[sale].numbers for sale, shopper in self.waits if (sale, shopper) not in self.leavers
        )
        return super()._steps_back() if known else 0

    def answered(self, use: UseCase) -> None:
        """See ``Stage``."""
        if use.name == "enter":
            assert use.outcome is not None
            self.waits[use.outcome.answer] = 0
        else:
            super().answered(use)


DrawMachine.deeds = [
    ("arrive", 5, lambda now: now.ledger.flying),
    ("cut_ledger", 1, ShopMachine.can_be_cut),
    ("_doubt", 2, lambda now: now.view.entering),
    ("_enter", 4, Stage.has_room),
    ("_leave", 1, lambda now: now.has_room() and len(now.leavers) < 1),
    ("lose_history", 1, lambda now: now.disasters < MOST_DISASTERS),
    ("new_history_overtakes", 4, Stage.is_overtaken),
    ("run_smoothly", 1, lambda _: True),
    ("somebody_goes_on", 4, Stage.able),
    ("worker_works", 5, lambda now: now.ledger.lines),
]

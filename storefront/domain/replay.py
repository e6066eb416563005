"""The ledger's meaning, in plain Python: what sales and orders are after a row of records.

The order worker's Lua scripts say the same in Redis. This says it a second time, without Redis, for the audit that
compares the two, and for the tests.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from storefront.domain import records
from storefront.domain.order import OrderState, read_returns, refund_of, written_returns
from storefront.domain.records import Record
from storefront.domain.sale import Refunds, Units

LIVE = frozenset({OrderState.PENDING, OrderState.PAID})


@dataclass(slots=True)
class ReplayedOrder:
    """An order as the ledger alone tells it. ``state`` is None where all that is known of it is a charge."""

    state: OrderState | None = None
    shopper: str = ""
    charge: str = ""
    returns: str = ""
    """See ``order.Order``."""

    @property
    def refund(self) -> str:
        """See ``order.Order``."""
        return refund_of(self.returns)


@dataclass
class ReplayedSale:
    """A sale as the ledger alone tells it. Units that are only reserved aren't known to the ledger."""

    opened: records.Opened
    """``num`` and ``ends`` there are those of the beginning."""
    num: int
    ends: int
    paused: bool = False
    called_off: bool = False
    changes: set[str] = field(default_factory=set)
    """Ids of what its merchant did to it."""
    orders: dict[str, ReplayedOrder] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    """Shopper on the waitlist → their number in a draw, 0 for none; by when they joined."""
    position: int = 0
    """One more than the offset of the last record that was about this sale."""
    _states: Counter[OrderState | None] = field(default_factory=Counter)
    _refunds: Counter[str] = field(default_factory=Counter)
    _live: Counter[str] = field(default_factory=Counter)
    """Placed orders that hold a unit, by shopper."""

    @property
    def left(self) -> int:
        """Units that no placed order holds."""
        return self.num - self._states[OrderState.PENDING] - self._states[OrderState.PAID]

    @property
    def waiting(self) -> list[str]:
        """Shoppers on the waitlist, in order."""
        drawn = sorted((number, shopper) for shopper, number in self.numbers.items() if number)
        return [shopper for _, shopper in drawn] + [one for one, number in self.numbers.items() if not number]

    @property
    def units(self) -> Units:
        """Where the units are."""
        states = self._states
        unpaid, paid, expired = (states[one] for one in (OrderState.PENDING, OrderState.PAID, OrderState.EXPIRED))
        return Units(left=self.left, reserved=0, unpaid=unpaid, paid=paid, expired=expired)

    @property
    def refunds(self) -> Refunds:
        """How many orders' money came too late."""
        return Refunds(due=self._refunds["due"], done=self._refunds["done"])

    def forgotten(self, position: int) -> "ReplayedSale":
        """The sale behind a mending that forgets its orders."""
        return ReplayedSale(self.opened, self.num, self.ends, self.paused, self.called_off, position=position)

    def is_running(self, at: int) -> bool:
        """Whether it keeps its product's name at this moment (Unix ms)."""
        return not self.called_off and at < self.ends * 1000

    def order(self, order_id: str) -> ReplayedOrder:
        """The order of this id, from here on known."""
        return self.orders.setdefault(order_id, ReplayedOrder())

    def bring(self, order: ReplayedOrder, state: OrderState, shopper: str = "") -> None:
        """Have an order be in ``state``."""
        self._states[order.state] -= 1
        self._states[state] += 1
        self._live[order.shopper] -= order.state in LIVE
        order.state, order.shopper = state, shopper or order.shopper
        self._live[order.shopper] += state in LIVE

    def may_wait(self, shopper: str) -> bool:
        """Whether a shopper holds less than they may."""
        return self._live[shopper] < self.opened.limit

    def set_returns(self, order: ReplayedOrder, returns: str) -> None:
        """Note which charges of an order go back, and which did."""
        self._refunds[order.refund] -= 1
        order.returns = returns
        self._refunds[order.refund] += 1

    def set_return(self, order: ReplayedOrder, charge: str, state: str) -> None:
        """Have a charge of an order be "due" back, or given back and "done"."""
        self.set_returns(order, written_returns(read_returns(order.returns) | {charge: state}))


class Replay:
    """One partition of the topic ``orders``, applied from its first line.

    ``wanted`` tells which orders to follow, by sale id; sales are all known, since they take names from each other.
    """

    def __init__(self, wanted: Callable[[str], bool] = lambda _sale: True) -> None:
        self.signed = ""
        self._mended = 0
        self.sales: dict[str, ReplayedSale] = {}
        self._wanted = wanted
        self._newest: dict[str, str] = {}
        """Product → its newest sale."""
        self._refused: set[str] = set()
        """Sales that were not opened: their product's name was taken."""

    def apply(self, record: Record, offset: int = 0) -> None:
        """Apply one record. Each record, and each row of records from an earlier place on, may be applied again."""
        if isinstance(record, records.Signed):
            if record.succeeds == self.signed:
                self.signed = record.epoch
                for sale in self.sales.values():
                    sale.position = offset + 1
        elif isinstance(record, records.Mending):
            if record.number > self._mended:
                self.signed, self._mended = record.epoch, record.number
                self.sales = {name: sale.forgotten(offset + 1) for name, sale in self.sales.items()}
        elif isinstance(record, records.Opened):
            self._open(record, offset)
        elif isinstance(record, records.SaleRecord) and record.sale in self.sales and self._wanted(record.sale):
            sale = self.sales[record.sale]
            if isinstance(record, records.OrderRecord):
                self._apply_to_order(sale, record)
            elif isinstance(record, records.Change | records.Noted):
                self._change(sale, record)
            else:
                _apply_to_waitlist(sale, record)
            sale.position = offset + 1

    def _open(self, record: records.Opened, offset: int) -> None:
        known = self.sales.get(record.sale)
        if known is None:
            earlier = self.sales.get(self._newest.get(record.product, ""))
            running = earlier is not None and earlier.is_running(record.at)
            if record.sale in self._refused:
                return
            if running and record.at < record.ends * 1000:
                self._refused.add(record.sale)
                return
            if not running:
                self._newest[record.product] = record.sale
            self.sales[record.sale] = new = ReplayedSale(record, record.num, record.ends, position=offset + 1)
            if isinstance(record, records.Reopened):
                new.paused, new.called_off = record.paused, record.called_off
            else:
                new.changes.add(record.sale)
            return
        if isinstance(record, records.Reopened) and record.epoch == self.signed:
            known.num, known.ends = record.num, record.ends
            known.paused, known.called_off = record.paused, record.called_off
        known.position = offset + 1

    def _change(self, sale: ReplayedSale, record: records.Change | records.Noted) -> None:
        if record.epoch != self.signed:
            return
        if isinstance(record, records.Noted) or self._is_made(sale, record):
            sale.changes.add(record.change)

    def _is_made(self, sale: ReplayedSale, record: records.Change) -> bool:
        """Make a change, if it can be made."""
        if sale.called_off or record.change in sale.changes:
            return False
        match record:
            case records.Paused() | records.Resumed():
                sale.paused = isinstance(record, records.Paused)
            case records.Restocked():
                sale.num += record.units
            case records.Withdrew():
                return _withdraw(sale, record)
            case records.Extended():
                is_newest = self._newest.get(sale.opened.product) == record.sale
                if not (is_newest and record.at < sale.ends * 1000 and record.ends > sale.ends):
                    return False
                sale.ends = record.ends
            case records.CalledOff():
                sale.called_off = True
        return True

    def _apply_to_order(self, sale: ReplayedSale, record: records.OrderRecord) -> None:
        known = sale.orders.get(record.order)
        state = known.state if known else None
        match record:
            case records.Requested() if state is None and record.epoch == self.signed:
                _place(sale, record)
            case records.Released() if state is None and record.epoch == self.signed:
                sale.bring(sale.order(record.order), OrderState.RELEASED)
            case records.Cancelled() if state in (None, OrderState.PENDING):
                sale.bring(sale.order(record.order), OrderState.CANCELLED)
            case records.Revoked() if known and state in LIVE:
                _revoke(sale, known)
            case records.Expired() if known and state is OrderState.PENDING:
                sale.bring(known, OrderState.EXPIRED)
            case records.Paid():
                _pay(sale, sale.order(record.order), record.charge)
            case records.Refunded() if known and read_returns(known.returns).get(record.charge) == "due":
                sale.set_return(known, record.charge, "done")
            case records.Restored() if record.epoch == self.signed:
                _restore(sale, record)


def _apply_to_waitlist(sale: ReplayedSale, record: records.SaleRecord) -> None:
    match record:
        case records.Joined() if sale.may_wait(record.shopper):
            sale.numbers.setdefault(record.shopper, record.number)
        case records.Left():
            sale.numbers.pop(record.shopper, None)


def _place(sale: ReplayedSale, record: records.Requested) -> None:
    wanted = OrderState.PENDING if sale.left > 0 else OrderState.REFUSED
    sale.bring(sale.order(record.order), wanted, record.shopper)
    if wanted is OrderState.PENDING:
        sale.numbers.pop(record.shopper, None)


def _revoke(sale: ReplayedSale, order: ReplayedOrder) -> None:
    if order.state is OrderState.PAID and order.charge not in {"", "free", *read_returns(order.returns)}:
        sale.set_return(order, order.charge, "due")
    sale.bring(order, OrderState.CANCELLED)


def _withdraw(sale: ReplayedSale, record: records.Withdrew) -> bool:
    order = sale.order(record.change)
    if order.state is not None or sale.left < record.units:
        return False
    sale.bring(order, OrderState.WITHDRAWN)
    sale.num -= record.units
    return True


def _pay(sale: ReplayedSale, order: ReplayedOrder, charge: str) -> None:
    if charge in read_returns(order.returns):
        return
    if order.state is OrderState.PENDING:
        order.charge = charge
        sale.bring(order, OrderState.PAID)
    elif charge not in (order.charge, "free"):
        order.charge = order.charge or charge
        sale.set_return(order, charge, "due")


def _restore(sale: ReplayedSale, record: records.Restored) -> None:
    order, state = sale.order(record.order), OrderState(record.state)
    if state in LIVE and order.state not in LIVE and sale.left <= 0:
        return
    sale.bring(order, state, record.shopper)
    if state in LIVE:
        sale.numbers.pop(record.shopper, None)
    order.charge = record.charge
    sale.set_returns(order, record.all_returns)

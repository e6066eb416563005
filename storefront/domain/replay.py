"""The ledger's meaning, in plain Python: what sales and orders are after a row of records.

The order worker's Lua scripts say the same in Redis. This says it a second time, without Redis, for the audit that
compares the two, and for the tests.
"""

from dataclasses import dataclass, field

from storefront.domain import records
from storefront.domain.order import OrderState
from storefront.domain.records import Record
from storefront.domain.sale import Units

LIVE = frozenset({OrderState.PENDING, OrderState.PAID})
RANK = {OrderState.REFUSED: 2, OrderState.PENDING: 3}
ENDED = 4
"""How far on in its life an order is that is paid, or gave its unit back: ``Restored`` brings orders forward only."""


@dataclass
class ReplayedOrder:
    """An order as the ledger alone tells it."""

    state: OrderState
    shopper: str = ""
    charge: str = ""
    refund: str = ""


@dataclass
class ReplayedSale:
    """A sale as the ledger alone tells it. Units that are only reserved aren't known to the ledger."""

    product: str
    num: int
    orders: dict[str, ReplayedOrder] = field(default_factory=dict)

    @property
    def units(self) -> Units:
        """Where the units are."""
        states = [order.state for order in self.orders.values()]
        unpaid, paid = states.count(OrderState.PENDING), states.count(OrderState.PAID)
        return Units(
            left=self.num - unpaid - paid,
            reserved=0,
            unpaid=unpaid,
            paid=paid,
            expired=states.count(OrderState.EXPIRED),
        )


class Replay:
    """One partition of the topic ``orders``, applied from its first line."""

    def __init__(self) -> None:
        self.signed = ""
        self.sales: dict[str, ReplayedSale] = {}
        self._newest: dict[str, records.Opened] = {}

    def apply(self, record: Record) -> None:
        """Apply one record. Each record, and each row of records from an earlier place on, may be applied again."""
        if isinstance(record, records.Signed):
            if record.succeeds in (None, self.signed):
                self.signed = record.epoch
        elif isinstance(record, records.Opened):
            self._open(record)
        elif isinstance(record, records.OrderRecord) and record.sale in self.sales:
            self._apply_to_order(self.sales[record.sale], record)

    def _open(self, record: records.Opened) -> None:
        if record.sale in self.sales:
            return
        earlier = self._newest.get(record.product)
        running = earlier is not None and record.at < earlier.ends * 1000
        if running and record.at < record.ends * 1000:
            return
        if not running:
            self._newest[record.product] = record
        self.sales[record.sale] = ReplayedSale(record.product, record.num)

    def _apply_to_order(self, sale: ReplayedSale, record: records.OrderRecord) -> None:
        order = sale.orders.get(record.order)
        match record:
            case records.Requested():
                if order is None:
                    placed = record.epoch == self.signed and sale.units.left > 0
                    state = OrderState.PENDING if placed else OrderState.REFUSED
                    sale.orders[record.order] = ReplayedOrder(state, record.shopper)
            case records.Released() | records.Cancelled() if order is None:
                state = OrderState.RELEASED if isinstance(record, records.Released) else OrderState.CANCELLED
                sale.orders[record.order] = ReplayedOrder(state)
            case records.Cancelled() if order and order.state is OrderState.PENDING:
                order.state = OrderState.CANCELLED
            case records.Expired() if order and order.state is OrderState.PENDING:
                order.state = OrderState.EXPIRED
            case records.Paid() if order:
                _pay(order, record.charge)
            case records.Refunded() if order and order.refund == "due":
                order.refund = "done"
            case records.Restored():
                self._restore(sale, record)

    @staticmethod
    def _restore(sale: ReplayedSale, record: records.Restored) -> None:
        wanted = OrderState(record.state)
        order = sale.orders.setdefault(record.order, ReplayedOrder(OrderState.RESERVED, record.shopper))
        if RANK.get(order.state, 0 if order.state is OrderState.RESERVED else ENDED) < RANK.get(wanted, ENDED):
            order.state = wanted
        if record.charge and not order.charge:
            order.charge, order.refund = record.charge, record.refund


def _pay(order: ReplayedOrder, charge: str) -> None:
    if order.state is OrderState.PENDING:
        order.state, order.charge = OrderState.PAID, charge
    elif charge not in (order.charge, "free"):
        order.charge, order.refund = charge, "due"

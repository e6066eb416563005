"""One sale's records, told line by line to a Redis that nobody else uses: the test plays the order worker."""

from storefront.domain.ids import new_order_id, new_sale_id
from storefront.domain.records import Cancelled, Opened, Record, Requested
from storefront.gateways.ledger import ORDERS, Line
from storefront.services.applying import Partition
from storefront.shop import Shop

PARTITION = (ORDERS, 0)


class Story:
    """A sale's records, at the end of a ledger that only this test writes."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        (position,) = shop.positions.all_at([PARTITION])
        self.partition = Partition(*PARTITION, position)
        self.epoch = position.epoch
        self.sale = new_sale_id("phone")
        self.orders = [new_order_id(self.sale) for _ in range(3)]
        self._signed = position.signed

    def lines(self, *records: Record) -> list[Line]:
        first = self.partition.position.offset
        return [Line(*PARTITION, first + number, record) for number, record in enumerate(records)]

    def opened(self) -> Record:
        return Opened(
            at=1000, sale=self.sale, merchant="", merchant_name="", product=self.sale, num=2, producter="x", begins=0,
            ends=9, price=100, currency="CNY", limit=1, description="", image="",
        )  # fmt: skip

    def requested(self, number: int) -> Requested:
        return Requested(
            at=2000, sale=self.sale, order=self.orders[number], shopper=f"shopper {number}", shopper_name="",
            epoch=self._signed, pay_by=3000,
        )  # fmt: skip

    def cancelled(self, number: int) -> Record:
        return Cancelled(at=2500, sale=self.sale, order=self.orders[number])

    def state(self, number: int) -> str | None:
        order = self.shop.orders.get(self.orders[number])
        return order.state if order else None

"""How scripts are sent."""

from storefront.domain.ids import new_order_id, new_sale_id
from storefront.domain.records import Opened, Paid, Requested
from storefront.shop import Shop
from storefront.stores import keys, orders, sales
from tests.conftest import unique


def test_a_row_of_scripts_runs_whole_though_redis_knows_only_some_of_them(shop: Shop) -> None:
    redis, product = shop.memory.redis, unique("row")
    (held,) = shop.positions.all_at([("accounts", 0)])
    sale = new_sale_id(product)
    order = new_order_id(sale)
    made = [keys.sale(sale), keys.product(product), keys.buyers(sale), keys.agenda(sale), keys.order(order)]
    opened = Opened(
        at=1, sale=sale, merchant="", merchant_name="", product=product, num=1, producter="x", begins=0, ends=9,
        price=1, currency="CNY", limit=1, description="", image="",
    )  # fmt: skip
    requested = Requested(at=1, sale=sale, order=order, shopper="s", shopper_name="s", epoch="here", pay_by=9)
    paid = Paid(at=1, sale=sale, order=order, charge="c")
    again = Requested(at=1, sale=sale, order=order, shopper="s", shopper_name="s", epoch="here", pay_by=9)
    try:
        redis.script_flush()
        shop.memory.scripts.run(*sales.opened(opened, held.epoch, "here", 0))
        shop.memory.scripts.run(*orders.effect(requested, held.epoch, "here", 1))
        row = [orders.effect(paid, held.epoch, "here", 2), orders.effect(again, held.epoch, "here", 3)]
        assert shop.memory.scripts.run_many(row) == ["paid", "ignored"]
    finally:
        redis.delete(*made)

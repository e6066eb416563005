"""Waiting for the order worker."""

from contextlib import ExitStack

import pytest

from storefront.domain.errors import Overloaded
from storefront.gateways.ledger import ORDERS
from storefront.shop import Shop
from storefront.stores.positions import MOST_WAITING

LONG = 3600.0


def test_those_who_wait_for_the_order_worker_leave_threads_to_those_who_buy(shop: Shop) -> None:
    with ExitStack() as waiting:
        for _ in range(MOST_WAITING):
            waiting.enter_context(shop.positions.turn_to_wait())
        with pytest.raises(Overloaded):
            shop.positions.wait(ORDERS, 0, 2**50, LONG)  # at once
    with pytest.raises(Overloaded):
        shop.positions.wait(ORDERS, 0, 2**50, 0.01)  # there is a turn again, and no such record

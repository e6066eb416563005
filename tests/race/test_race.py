"""The headline: five hundred shoppers at once, fifty units, two web processes, exactly fifty orders."""

import http.client
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from storefront.domain.account import Account
from storefront.domain.sale import Terms
from storefront.local.shop import LocalShop
from storefront.services import accounts, selling
from storefront.shop import Shop
from tests.conftest import eventually, unique
from tests.crowds import registered

SHOPPERS, UNITS = 500, 50

pytestmark = pytest.mark.xdist_group("race")  # one crowd for all of them


@pytest.fixture(scope="session")
def crowd(shop: Shop) -> list[Account]:
    """The shoppers."""
    return registered(shop, SHOPPERS)


class Shopper:
    """One connection from an address of its own."""

    def __init__(self, real_shop: LocalShop, shop: Shop, number: int, account: Account) -> None:
        source = f"127.1.{number // 250}.{number % 250 + 1}"
        self._connection = http.client.HTTPConnection("127.0.0.1", real_shop.port, 30, source_address=(source, 0))
        self._connection.connect()
        self._body = json.dumps({"token": accounts.token_for(shop, account)})
        self.account = account

    def buy(self, product: str) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", f"/miaosha/{quote(product)}", self._body, headers)
        response = self._connection.getresponse()
        answer = response.status, json.loads(response.read())
        self._connection.close()
        return answer


def rush(
    real_shop: LocalShop, shop: Shop, crowd: list[Account], product: str
) -> list[tuple[Account, int, dict[str, Any]]]:
    together = threading.Barrier(len(crowd))

    def press(number: int) -> tuple[Account, int, dict[str, Any]]:
        shopper = Shopper(real_shop, shop, number, crowd[number])
        together.wait(60)
        return (crowd[number], *shopper.buy(product))

    with ThreadPoolExecutor(len(crowd)) as pool:
        return list(pool.map(press, range(len(crowd))))


def open_for_the_race(shop: Shop, num: int) -> str:
    now = shop.memory.now_ms() // 1000
    product = unique("race")
    selling.open_sale(shop, None, Terms(product, num, "Apple", now - 1, now + 3600, price=100))
    return product


@pytest.mark.parametrize("run", range(3))
def test_fifty_units_are_sold_fifty_times(real_shop: LocalShop, shop: Shop, crowd: list[Account], run: int) -> None:
    product = open_for_the_race(shop, UNITS)
    answers = rush(real_shop, shop, crowd, product)
    codes = Counter("yes" if status == 200 else answer["code"] for _, status, answer in answers)
    assert codes == {"yes": UNITS, "all_held": SHOPPERS - UNITS}
    winners = {account.id: answer["order"] for account, status, answer in answers if status == 200}
    assert len(set(winners.values())) == UNITS
    sale = eventually(lambda: (now := shop.sales.of_product(product)) and now.units.unpaid == UNITS and now)
    assert (sale.units.left, sale.units.reserved, sale.units.total) == (0, 0, UNITS)
    for account, order in winners.items():
        found = shop.orders.get(order)
        assert found is not None
        assert (found.shopper, found.state) == (account, "pending")


def test_one_shopper_pressing_from_many_places_gets_what_one_may(
    real_shop: LocalShop, shop: Shop, crowd: list[Account]
) -> None:
    product = open_for_the_race(shop, UNITS)
    answers = rush(real_shop, shop, crowd[:1] * 60, product)
    codes = Counter("yes" if status == 200 else answer["code"] for _, status, answer in answers)
    assert codes == {"yes": 1, "limit_reached": 59}
    assert shop.memory.anomalies() == {}

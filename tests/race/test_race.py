"""The headline: five hundred shoppers at once, fifty units, two web processes, exactly fifty orders."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from storefront.domain.account import Account, Profile
from storefront.domain.sale import Terms
from storefront.local.shop import LocalShop
from storefront.services import accounts, selling
from storefront.shop import Shop
from tests.conftest import SETTINGS, config_of, eventually, unique

SHOPPERS, UNITS = 500, 50


@pytest.fixture(scope="module")
def two_webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalShop]:
    """A running shop with two web processes."""
    with LocalShop(tmp_path_factory.mktemp("race"), web_processes=2, env=SETTINGS) as shop:
        yield shop


@pytest.fixture(scope="module")
def inside(two_webs: LocalShop) -> Iterator[Shop]:
    """That shop's stores and ledger, opened in this process."""
    shop = Shop(config_of(two_webs))
    eventually(shop.positions.is_open)
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def crowd(inside: Shop) -> list[Account]:
    """The shoppers."""

    def register(_: int) -> Account:
        return accounts.register(inside, Profile(unique("shopper"), 20, "x", "http://example.com/a.jpg"), "secret123")

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(register, range(SHOPPERS)))


class Shopper:
    """One connection from an address of its own."""

    def __init__(self, shop: LocalShop, inside: Shop, number: int, account: Account) -> None:
        source = f"127.1.{number // 250}.{number % 250 + 1}"
        self._connection = http.client.HTTPConnection("127.0.0.1", shop.port, 30, source_address=(source, 0))
        self._connection.connect()
        self._body = json.dumps({"token": accounts.token_for(inside, account)})
        self.account = account

    def buy(self, product: str) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", f"/miaosha/{quote(product)}", self._body, headers)
        response = self._connection.getresponse()
        answer = response.status, json.loads(response.read())
        self._connection.close()
        return answer


def rush(
    shop: LocalShop, inside: Shop, crowd: list[Account], product: str
) -> list[tuple[Account, int, dict[str, Any]]]:
    together = threading.Barrier(len(crowd))

    def press(number: int) -> tuple[Account, int, dict[str, Any]]:
        shopper = Shopper(shop, inside, number, crowd[number])
        together.wait(60)
        return (crowd[number], *shopper.buy(product))

    with ThreadPoolExecutor(len(crowd)) as pool:
        return list(pool.map(press, range(len(crowd))))


def open_for_the_race(inside: Shop, num: int) -> str:
    now = inside.memory.now_ms() // 1000
    product = unique("race")
    selling.open_sale(inside, None, Terms(product, num, "Apple", now - 1, now + 3600, price=100))
    return product


@pytest.mark.parametrize("run", range(3))
def test_fifty_units_are_sold_fifty_times(two_webs: LocalShop, inside: Shop, crowd: list[Account], run: int) -> None:
    product = open_for_the_race(inside, UNITS)
    answers = rush(two_webs, inside, crowd, product)
    codes = Counter("yes" if status == 200 else answer["code"] for _, status, answer in answers)
    assert codes == {"yes": UNITS, "all_held": SHOPPERS - UNITS}
    winners = {account.id: answer["order"] for account, status, answer in answers if status == 200}
    assert len(set(winners.values())) == UNITS
    sale = eventually(lambda: (now := inside.sales.of_product(product)) and now.units.unpaid == UNITS and now)
    assert (sale.units.left, sale.units.reserved, sale.units.total) == (0, 0, UNITS)
    for account, order in winners.items():
        found = inside.orders.get(order)
        assert found is not None
        assert (found.shopper, found.state) == (account, "pending")


def test_one_shopper_pressing_from_many_places_gets_what_one_may(
    two_webs: LocalShop, inside: Shop, crowd: list[Account]
) -> None:
    product = open_for_the_race(inside, UNITS)
    answers = rush(two_webs, inside, crowd[:1] * 60, product)
    codes = Counter("yes" if status == 200 else answer["code"] for _, status, answer in answers)
    assert codes == {"yes": 1, "limit_reached": 59}


def test_the_race_leaves_nothing_behind(two_webs: LocalShop, tmp_path: Path, inside: Shop) -> None:
    assert inside.memory.hash("anomalies") == {}

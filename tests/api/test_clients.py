"""The example clients in ``docs/clients`` do what they say, against a running shop."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from storefront.domain.sale import Sale
from storefront.local.shop import LocalShop
from storefront.services import buying
from storefront.shop import Shop
from tests.conftest import unique

CLIENTS = {"buy.py": sys.executable, "buy.sh": "sh", "buy.mjs": "node"}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, root: Path) -> list[str]:
    """How a client is run."""
    needed = [CLIENTS[request.param], *(["curl", "jq"] if request.param == "buy.sh" else [])]
    if missing := [program for program in needed if not shutil.which(program)]:
        pytest.skip(f"docs/clients/{request.param} was not tried: there is no {' and no '.join(missing)} here")
    return [needed[0], str(root / "docs" / "clients" / request.param)]


def test_a_client_buys_when_the_sale_begins_and_pays(
    client: list[str], real_shop: LocalShop, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale, name = a_sale(num=5, begins=2, product=unique("手机/C&A “x”")), unique("顾客")
    asked = [*client, real_shop.url, sale.product, name, "secret123"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    account = shop.accounts.get(name)
    assert account
    [order], _ = buying.orders_of(shop, account)
    assert (told.stdout, told.stderr, told.returncode) == (f"{order.id} paid\n", "", 0)
    assert order.at >= sale.terms.begins * 1000
    again = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (again.stdout.partition(" ")[0], again.returncode) == (order.id, 0)


def test_a_client_waits_until_a_draw_is_decided(
    client: list[str], real_shop: LocalShop, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale, name = a_sale(num=5, begins=1, draw=4), unique("顾客")
    asked = [*client, real_shop.url, sale.product, name, "secret123"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    account = shop.accounts.get(name)
    assert account
    [order], _ = buying.orders_of(shop, account)
    assert (told.stdout, told.stderr, told.returncode) == (f"{order.id} paid\n", "", 0)
    assert order.at >= sale.terms.draw_closes * 1000


def test_a_client_says_why_it_cannot_buy(client: list[str], real_shop: LocalShop, a_sale: Callable[..., Sale]) -> None:
    sale = a_sale(begins=-60, ends=-30)
    asked = [*client, real_shop.url, sale.product, unique("顾客"), "secret123"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (told.stdout, told.returncode) == ("", 1)
    assert "The sale has ended." in told.stderr


def test_what_the_page_shows_of_a_client_is_in_it(root: Path) -> None:
    shown = (root / "docs" / "api.md").read_text().partition("```python\n")[2].partition("```")[0]
    client = (root / "docs" / "clients" / "buy.py").read_text()
    assert shown
    assert all(line in client for line in shown.splitlines())

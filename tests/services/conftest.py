"""A shop of which only Redis runs."""

from collections.abc import Iterator

import pytest

from storefront.local.shop import LocalShop
from storefront.shop import Shop
from tests.conftest import SETTINGS, config_of


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A Redis that nobody else uses; the test plays the order worker."""
    with LocalShop(tmp_path_factory.mktemp("redis"), env=SETTINGS, only=("redis",)) as running:
        shop = Shop(config_of(running))
        yield shop
        shop.close()

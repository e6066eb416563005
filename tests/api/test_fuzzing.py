"""Schemathesis, with all of its checks, finds nothing: the shop does what its description says, whatever is sent."""

import os
from pathlib import Path

import pytest

from storefront.local.shop import LocalShop
from storefront.shop import Shop
from tests.api import fuzzing
from tests.conftest import SETTINGS, config_of, eventually

EXAMPLES = int(os.environ.get("API_EXAMPLES", "15"))
"""Calls of each operation, and chains of calls. Those for each rule of the description, a thousand, come on top."""


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    with LocalShop(tmp_path / "shop", env=SETTINGS) as running:
        shop = Shop(config_of(running))
        eventually(shop.is_open)
        found = fuzzing.run(running, fuzzing.staged(shop), tmp_path, examples=EXAMPLES, seed=1)
        shop.close()
    assert found.returncode == 0, found.stdout + found.stderr

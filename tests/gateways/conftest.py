"""A Stripe of one's own, as a process, once per test process that needs it."""

import sys
from collections.abc import Iterator

import pytest

from storefront.local.embedded import free_port
from storefront.local.shop import LocalShop


@pytest.fixture(scope="session")
def stripe_server(real_shop: LocalShop) -> Iterator[str]:
    """The address of a Stripe for tests (``stripe_server.py``)."""
    port = free_port()
    process = real_shop.companion("stripe", [sys.executable, "-m", "tests.gateways.stripe_server", str(port)])
    process.start()
    process.wait_ready()
    yield f"http://127.0.0.1:{port}"
    process.stop()

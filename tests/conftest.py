"""One whole real shop per test process, and applications in this process on the same Redis and ledger."""

import itertools
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from storefront import create_app
from storefront.config import Config, from_environment
from storefront.domain.account import Account, Profile
from storefront.domain.sale import Sale, Terms
from storefront.gateways.payments import Charge
from storefront.gateways.sandbox import Sandbox
from storefront.local.embedded import free_port
from storefront.local.shop import LocalShop
from storefront.services import accounts, selling
from storefront.shop import Shop
from storefront.web.limits import limiter
from tests.faces import FACES, Face

SETTINGS = {
    "STOREFRONT_PASSWORD_MEMORY": "1",
    "STOREFRONT_LIMIT_DEFAULT": "100000/second",
    "STOREFRONT_LIMIT_REGISTER": "100000/second",
    "STOREFRONT_LIMIT_LOGIN": "100000/second",
    "STOREFRONT_LIMIT_LOGIN_STRANGERS": "100000/second",
    "STOREFRONT_LIMIT_SALES": "100000/second",
    "STOREFRONT_LIMIT_BUY_ACCOUNT": "100000/second",
    "STOREFRONT_LIMIT_BUY_ADDRESS": "100000/second",
    "STOREFRONT_BANS": "",
    "STOREFRONT_BANS_ADDRESS": "",
}
"""Cheap passwords, no limits and no bans: a test that is about one of them sets its own."""

STRIPE: dict[str, Any] = {
    "payments": "stripe",
    "stripe_key": "sk_test_secret",
    "stripe_webhook_secret": "whsec_of_tests",
}
"""Settings of a shop on the Stripe of ``stripe_server``."""

Served = Callable[[Flask], str]

# A shell that runs the tests in the background has them ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = itertools.count(1)
_run = secrets.token_hex(3)


def unique(word: str) -> str:
    """A name that no other test uses."""
    return f"{word} {_run}{next(_numbers)}"


def eventually(look: Callable[[], Any], timeout: float = 30) -> Any:
    """What ``look`` returns, once that is true. Fails after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {timeout} s; at last: {found!r}"
        time.sleep(0.02)
    return found


def charged(shop: Shop, order: str, amount: int, currency: str = "CNY") -> Charge:
    """Have the sandbox take money for an order, of which the shop doesn't know."""
    assert isinstance(shop.payments, Sandbox)
    return shop.payments.charge(order, amount, currency)


def append_only_file(running: LocalShop) -> Path:
    """The file that the embedded Redis writes to now; it is one of one part (Redis 6) or of several (7, Valkey)."""
    folder = running.var / "redis"
    parts = [*folder.glob("appendonly.aof"), *folder.glob("appendonlydir/*.incr.aof")]
    return max(parts, key=lambda part: part.stat().st_mtime)


def broker_settings() -> dict[str, str]:
    """What leads a shop to topics of its own on the Kafka that STOREFRONT_KAFKA names; nothing if it names none."""
    servers = os.environ.get("STOREFRONT_KAFKA")
    if not servers:
        return {}
    return {
        "STOREFRONT_KAFKA": servers,
        "STOREFRONT_TOPIC_PREFIX": f"{_run}-",
        "STOREFRONT_REPLICATION": str(min(3, servers.count(",") + 1)),
    }


@pytest.fixture(scope="session")
def real_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalShop]:
    """A running shop: Redis, broker, order worker, sweep, two web processes. It logs as in production."""
    settings = SETTINGS | broker_settings() | {"STOREFRONT_LOG": "json"}
    with LocalShop(tmp_path_factory.mktemp("shop"), web_processes=2, env=settings) as shop:
        yield shop


def config_of(running: LocalShop) -> Config:
    """A running shop's settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("STOREFRONT_")]:
            patch.delenv(name)
        for name, value in running.env.items():
            patch.setenv(name, value)
        config = from_environment()
    # on a busy machine the limits would give their Redis up, and count in memory
    return replace(config, limiter_url=f"{config.limiter_url}?socket_timeout=10&socket_connect_timeout=10")


@pytest.fixture(scope="session")
def config(real_shop: LocalShop) -> Config:
    """The running shop's settings."""
    return config_of(real_shop)


@pytest.fixture(scope="session")
def shop(config: Config) -> Iterator[Shop]:
    """The running shop's stores and ledger, opened in this process."""
    opened = Shop(config)
    eventually(opened.is_open)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def lasting_app(config: Config, shop: Shop) -> Iterator[tuple[Flask, dict[str, object]]]:
    """The application in this process, on the running shop's Redis, ledger and workers; and what its limits know."""
    made = create_app(config)
    made.testing = False  # faults must be answered, as in production
    yield made, dict(vars(limiter))
    made.extensions["shop"].close()


@pytest.fixture
def app(lasting_app: tuple[Flask, dict[str, object]]) -> Flask:
    """The application in this process, on the running shop's Redis, ledger and workers.

    Flask-Limiter is one per process, and counts where the application made last does: maybe a shop's that is gone.
    """
    made, limits = lasting_app
    vars(limiter).update(limits)
    return made


@pytest.fixture
def app_with(config: Config, shop: Shop) -> Iterator[Callable[..., Flask]]:
    """Makes an application with other settings."""
    made: list[Flask] = []

    def make(**changes: object) -> Flask:
        made.append(create_app(replace(config, **changes)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for app in made:
        app.extensions["shop"].close()


@pytest.fixture
def served() -> Iterator[Served]:
    """Puts an application of this process on the network, and returns its address."""
    servers = []

    def serve(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.port}"

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def stripe_server(real_shop: LocalShop) -> Iterator[str]:
    """The address of a Stripe for tests (``stripe_server.py``), which ends with the shop."""
    port = free_port()
    process = real_shop.companion("stripe", [sys.executable, "-m", "tests.stripe_server", str(port)])
    process.start()
    process.wait_ready()
    yield f"http://127.0.0.1:{port}"
    process.stop()


@pytest.fixture
def on_stripe(app_with: Callable[..., Flask], stripe_server: str) -> Flask:
    """The application with that Stripe as its payment provider. The running shop's sweep has the sandbox."""
    return app_with(**STRIPE, stripe_api=stripe_server, stripe_pages=stripe_server)


@pytest.fixture(params=FACES, ids=lambda face: face.__name__.lower())
def face(request: pytest.FixtureRequest, app: Flask) -> Face:
    """A caller of each face in turn, not logged in."""
    made: Face = request.param(app)
    return made


@pytest.fixture
def somebody(shop: Shop) -> Callable[..., Account]:
    """Makes accounts, all with the password ``secret123``."""

    def make(name: str = "") -> Account:
        profile = Profile(name or unique("张三"), 20, "北京市海淀区", "http://example.com/avatar.jpg")
        return accounts.register(shop, profile, "secret123")

    return make


@pytest.fixture
def crowded(shop: Shop) -> Account:
    """Somebody who has registered just now, where many had."""
    return accounts.register(
        shop,
        Profile(unique("x"), 30, "y", "http://example.com/a.jpg"),
        "secret123",
        crowd=nullcontext(enter_result=True),
    )


@pytest.fixture
def merchant(shop: Shop, somebody: Callable[..., Account]) -> Account:
    """An account that may open sales where only merchants may."""
    made = somebody()
    accounts.grant_merchant(shop, made.name)
    return replace(made, merchant=True)


@pytest.fixture
def a_sale(shop: Shop) -> Callable[..., Sale]:
    """Opens sales; live for an hour unless told otherwise."""

    def make(num: int = 1, begins: float = -60, ends: float = 3600, **terms: object) -> Sale:
        now = shop.memory.now_ms() // 1000
        fixed = Terms(
            **{  # type: ignore[arg-type]
                "product": unique("手机"),
                "num": num,
                "producter": "Apple",
                "begins": int(now + begins),
                "ends": int(now + ends),
                "price": 1000,
                **terms,
            }
        )
        return selling.open_sale(shop, None, fixed).sale

    return make


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return Path(__file__).parent.parent


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly which tests could not be run here, and why."""
    for report in terminalreporter.stats.get("skipped", []):
        if "NO BROWSER" in str(report.longrepr):
            terminalreporter.write_line(f"{report.longrepr}", red=True, bold=True)
            return

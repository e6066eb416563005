"""A whole shop whose Redis asks for a user and a password, and is reached over TLS.

The embedded Redis has no TLS of its own, so a small server in front of it ends it, as stunnel or a cloud's proxy would.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from redis.exceptions import RedisError

from storefront.domain.account import Profile
from storefront.domain.sale import Terms
from storefront.local import embedded
from storefront.local.embedded import LOOPBACK, free_port
from storefront.local.process import Process
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying, selling
from storefront.shop import Shop
from storefront.stores.connection import connect
from tests import certificates
from tests.conftest import SETTINGS, broker_settings, config_of, eventually, unique

PASSWORD = "p@ss/word"
ENCODED = "p%40ss%2Fword"
RULES = "~* &* +@all -@dangerous +info"
"""What docs/deploy.md has an operator allow the shop."""


@contextmanager
def redis_with_a_user(folder: Path) -> Iterator[int]:
    """The port of a Redis that knows one user; nobody else gets in."""
    users, port = folder / "users.acl", free_port()
    users.write_text(f"user default off\nuser shop on >{PASSWORD} {RULES}\n")
    argv = [*embedded.redis_argv(folder, port), "--aclfile", str(users)]

    def answers(_: Process) -> bool:
        return embedded.redis_answers(f"redis://shop:{ENCODED}@{LOOPBACK}:{port}")

    process = Process("redis", argv, answers)
    process.start()
    try:
        process.wait_ready()
        yield port
    finally:
        process.kill()


@contextmanager
def tls_in_front_of(port: int, keystore: Path) -> Iterator[int]:
    """A port on which TLS is spoken, and all of it passed on."""
    own, loop, began = free_port(), asyncio.new_event_loop(), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keystore)

    async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while some := await source.read(65536):
                sink.write(some)
                await sink.drain()
        except OSError:
            pass  # the other side is told by the end of this one
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection(LOOPBACK, port)
        await asyncio.gather(pour(reader, to_behind), pour(behind, writer))

    async def main() -> None:
        await asyncio.start_server(serve, LOOPBACK, own, ssl=context)
        began.set()

    def run() -> None:
        loop.create_task(main())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert began.wait(30)
    yield own
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)


def test_a_whole_shop_comes_over_tls_and_as_a_user_with_few_rights(tmp_path: Path) -> None:
    keystore = certificates.make(tmp_path)
    with redis_with_a_user(tmp_path) as plain, tls_in_front_of(plain, keystore) as port:
        options = f"ssl_ca_certs={tmp_path / 'certificate.pem'}"
        url = tmp_path / "redis-url"
        url.write_text(f"rediss://shop:{ENCODED}@localhost:{port}/0?{options}")
        env = SETTINGS | broker_settings() | {"STOREFRONT_REDIS_URL_FILE": str(url)}
        with LocalShop(tmp_path / "shop", env=env) as running:
            shop = Shop(config_of(running))
            eventually(shop.is_open)
            now = shop.memory.now_ms() // 1000
            sale = selling.open_sale(shop, None, Terms(unique("sale"), 1, "x", now - 60, now + 3600, price=100)).sale
            profile = Profile(unique("shopper"), 20, "x", "http://example.com/a.jpg")
            order = buying.buy(shop, accounts.register(shop, profile, "secret123"), sale.product).order
            eventually(lambda: (found := shop.orders.get(order)) and found.state == "pending")
            figures = requests.get(f"{running.url}/metrics", timeout=30).text
            assert "storefront_limits_shared 1.0" in figures
            hurried = Shop(config_of(running))
            eventually(lambda: running.processes["expiry"].running and _swept(hurried))
            hurried.close()
            shop.close()
            said = "".join(line for one in running.processes.values() for line in one.last_lines(200))
            assert "NOPERM" not in said
            assert "NoPermission" not in said
        for wrong in (
            f"rediss://shop:wrong@localhost:{port}/0?{options}",
            f"rediss://shop:{ENCODED}@localhost:{port}/0",
        ):
            with pytest.raises(RedisError), connect(wrong, socket_timeout=5) as stranger:
                stranger.ping()


def _swept(shop: Shop) -> bool:
    """Whether the timer's queue was worked on, which only the sweep's own connections do."""
    with connect(shop.config.rq_url) as timers:
        return any(b"worker" in key for key in timers.scan_iter("rq:*"))

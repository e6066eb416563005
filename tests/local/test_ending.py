"""The shop's processes are asked to end (SIGTERM) while they are busy: no request is lost, and each ends by itself."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local.process import Process
from storefront.local.shop import LocalShop
from storefront.services import tokens
from storefront.shop import Shop
from tests.callers import Callers
from tests.conftest import eventually

GET = b"GET /time HTTP/1.1\r\nHost: shop\r\n\r\n"


def buying_of(sale: Sale, token: str) -> bytes:
    """A purchase as a program sends it."""
    body = json.dumps({"token": token})
    fields = f"Host: shop\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"POST /miaosha/{quote(sale.product)} HTTP/1.1\r\n{fields}{body}".encode()


def test_a_web_process_that_is_asked_to_end_answers_everything_first(
    real_shop: LocalShop, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], tmp_path: Path
) -> None:
    sale, buyer = a_sale(num=100_000, limit=100_000), somebody()
    purchase = buying_of(sale, tokens.issue(buyer, shop.config.secret, 600))
    with LocalShop(tmp_path, env=real_shop.env, only=("web",), web_processes=2) as busy:
        web = busy.processes["web"]
        eventually(lambda: sum("Started worker-" in line for line in web.last_lines(100)) == 2)
        with (
            Callers(busy.port, 6, GET, keep=True) as staying,
            Callers(busy.port, 6, GET, keep=False) as passing,
            Callers(busy.port, 4, purchase, keep=True) as buyers,
        ):
            everybody = (staying, passing, buyers)
            eventually(lambda: all(callers.seen[200] > 50 for callers in everybody))
            web.stop(grace=30)
            eventually(lambda: all(callers.seen["refused"] for callers in everybody))
        assert web.exit_code == 0
        for callers in everybody:
            assert callers.seen.keys() <= {200, "refused", "closed"}, callers.seen
    placed = eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.reserved == 0 and now.units)
    assert placed.unpaid == buyers.seen[200]


def test_workers_that_are_asked_to_end_do_so(real_shop: LocalShop, shop: Shop, tmp_path: Path) -> None:
    before = shop.positions.workers(shop.memory.now_ms())
    with LocalShop(tmp_path, env=real_shop.env, only=("orders", "expiry")) as more:
        eventually(lambda: shop.positions.workers(shop.memory.now_ms()) == before + 1)
        workers: list[Process] = [*more.processes.values()]
        for worker in workers:
            worker.stop(grace=30)
        assert [worker.exit_code for worker in workers] == [0, 0]
        assert shop.positions.workers(shop.memory.now_ms()) == before  # it gave its leases back at once

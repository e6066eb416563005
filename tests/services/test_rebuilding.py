"""A Redis that lost everything, or a part, is made whole from the ledger: by the command, or by the worker."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace

import pytest
from flask import Flask

from storefront import create_app
from storefront.config import Config
from storefront.domain.account import Account, Login, Profile
from storefront.domain.ids import new_account_id, new_order_id
from storefront.domain.records import LoggedOut, LoggedOutEverywhere, Paid, Record, Requested
from storefront.domain.sale import Sale, Terms
from storefront.local.shop import LocalShop
from storefront.services import accounts, auditing, buying, following, paying, rebuilding, restoring, selling
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import SETTINGS, charged, config_of, eventually, unique

REBUILDING = re.compile("rebuilding: ([0-9,]+) of ([0-9,]+) records")
ORDERS = following.MANY + 500


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalShop]:
    """A shop of its own: Redis, broker and order worker."""
    with LocalShop(tmp_path_factory.mktemp("rebuilt"), env=SETTINGS, only=("redis", "broker", "orders")) as shop:
        yield shop


@pytest.fixture(scope="module")
def inside(running: LocalShop, config: Config) -> Iterator[Flask]:
    """An application in this process, on that shop. Its limits are all applications': their Redis must outlive it."""
    app = create_app(replace(config_of(running), limiter_url=config.limiter_url, send_timeout=30))
    eventually(app.extensions["shop"].is_open)
    yield app
    app.extensions["shop"].close()


@pytest.fixture(scope="module")
def large_sale(inside: Flask) -> Sale:
    """A sale with many orders, in a shop with accounts."""
    shop: Shop = inside.extensions["shop"]
    sale = open_sale(shop, 2 * ORDERS)
    buyer = accounts.register(shop, Profile(unique("buyer"), 20, "x", "http://example.com/a.jpg"), "secret123")
    accounts.grant_merchant(shop, buyer.name)
    paid, cancelled, _ = (buying.buy(shop, buyer, sale.product).order for _ in range(3))
    paying.pay(shop, buyer, paid)
    paying.cancel(shop, buyer, cancelled)
    charge = charged(shop, cancelled, 100, "CNY")
    shop.ledger.append(Paid(at=shop.memory.now_ms(), sale=sale.id, order=cancelled, charge=charge.id))
    eventually(lambda: (now := shop.sales.get(sale.id)) and now.refunds.due == 1)
    many = requests(shop, sale, ORDERS)
    for start in range(0, len(many), 1000):
        shop.ledger.append_all(many[start : start + 1000])
    eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.unpaid == ORDERS + 1)
    return sale


def open_sale(shop: Shop, num: int) -> Sale:
    now = shop.memory.now_ms() // 1000
    terms = Terms(unique("sale"), num, "x", now - 60, now + 3600, price=100, limit=10)
    return selling.open_sale(shop, None, terms).sale


def requests(shop: Shop, sale: Sale, number: int) -> list[Record]:
    (held,) = shop.positions.all_at([("accounts", 0)])
    now = shop.memory.now_ms()
    return [
        Requested(
            at=now, sale=sale.id, order=new_order_id(sale.id), shopper=new_account_id(), shopper_name="x",
            epoch=held.epoch, pay_by=now + 3_600_000,
        )
        for _ in range(number)
    ]  # fmt: skip


def unpaid_of(shop: Shop, sale: Sale) -> int:
    found = shop.sales.get(sale.id)
    assert found is not None
    return found.units.unpaid


def contents(shop: Shop) -> dict[str, object]:
    """Everything in Redis that the ledger tells, whatever the epoch."""
    redis = shop.memory.redis
    found: dict[str, object] = {}
    for key in redis.scan_iter(count=1000):
        name = str(key)
        if name.startswith(("position:", "lease:", "workers", "sandbox:", keys.BIRTH, keys.ACCOUNTS)):
            continue
        match redis.type(name):
            case "hash":
                own = {"signed", "position", "at", "promised", "epoch"}
                found[name] = {field: value for field, value in shop.memory.hash(name).items() if field not in own}
            case "zset" if ":agenda:" not in name:
                found[name] = redis.zrange(name, 0, -1)
            case "set":
                found[name] = shop.memory.members(name)
            case "string":
                found[name] = shop.memory.text(name)
    return found


def behind(shop: Shop) -> int:
    """How many lines of the ledger Redis hasn't applied: a worker may have been stopped in front of one of its own."""
    held = shop.positions.all_at(shop.ledger.partitions)
    with closing(shop.ledger.reader()) as reader:
        ends = reader.ends(shop.ledger.partitions)
    return sum(ends[name] - position.offset for name, position in zip(shop.ledger.partitions, held, strict=True))


@pytest.fixture
def without_worker(running: LocalShop) -> Iterator[Callable[[], None]]:
    """The order worker is away; what is returned brings it back, as the end of the test does."""
    worker = running.processes["orders"]
    worker.stop()

    def bring_back() -> None:
        if not worker.running:
            worker.start()
            worker.wait_ready(20)

    yield bring_back
    bring_back()


def test_the_command_restores_an_empty_redis_with_no_worker_running(
    inside: Flask, large_sale: Sale, without_worker: Callable[[], None]
) -> None:
    shop, run = inside.extensions["shop"], inside.test_cli_runner().invoke
    before = contents(shop)
    shop.memory.redis.flushall()
    assert not shop.is_open()
    result = run(args=["rebuild"])
    assert result.exit_code == 0, result.output
    assert "records were applied, and the shop is open." in result.output
    assert shop.is_open()
    assert contents(shop) == before
    assert auditing.audit(shop).adds_up
    result = run(args=["rebuild"])
    assert (result.exit_code, result.stdout.strip().splitlines()[-1]) == (
        0, "Redis holds everything that the ledger says; the shop is open.",
    )  # fmt: skip
    without_worker()
    unpaid = unpaid_of(shop, large_sale)
    late = accounts.register(shop, Profile(unique("late"), 20, "x", "http://example.com/a.jpg"), "secret123")
    buying.buy(shop, late, large_sale.product)  # and the worker goes on from there
    eventually(lambda: unpaid_of(shop, large_sale) == unpaid + 1)
    assert auditing.audit(shop).adds_up


def test_the_command_brings_on_a_redis_that_is_behind(
    inside: Flask, large_sale: Sale, without_worker: Callable[[], None]
) -> None:
    shop: Shop = inside.extensions["shop"]
    unpaid, lines = unpaid_of(shop, large_sale), behind(shop) + 3
    shop.ledger.append_all(requests(shop, large_sale, 3))
    told: list[tuple[int, int]] = []
    assert rebuilding.rebuild(shop, lambda done, total: told.append((done, total))) == lines
    assert told[-1] == (lines, lines)
    assert unpaid_of(shop, large_sale) == unpaid + 3


def test_the_command_and_a_worker_may_rebuild_at_once(inside: Flask, large_sale: Sale) -> None:
    shop: Shop = inside.extensions["shop"]
    shop.memory.redis.flushall()
    assert rebuilding.rebuild(shop) > ORDERS
    assert shop.is_open()
    assert auditing.audit(shop).adds_up


def test_the_worker_rebuilds_by_itself_and_tells_how_far_it_is(
    running: LocalShop, inside: Flask, large_sale: Sale, without_worker: Callable[[], None]
) -> None:
    shop: Shop = inside.extensions["shop"]
    before = contents(shop)
    shop.memory.redis.flushall()
    without_worker()
    eventually(shop.is_open)
    assert contents(shop) == before
    worker = running.processes["orders"]
    told = eventually(
        lambda: (found := REBUILDING.findall("\n".join(worker.last_lines(200)))) and len(found) > 1 and found
    )
    assert int(told[0][0].replace(",", "")) < ORDERS
    assert told[-1][0] == told[-1][1]
    assert auditing.audit(shop).adds_up


def test_a_ledger_that_lost_its_end_is_told_in_one_sentence(
    inside: Flask, large_sale: Sale, without_worker: Callable[[], None]
) -> None:
    shop: Shop = inside.extensions["shop"]
    shop.memory.redis.hincrby(keys.position("orders", 0), "offset", 1000)
    try:
        result = inside.test_cli_runner().invoke(args=["rebuild"])
    finally:
        shop.memory.redis.hincrby(keys.position("orders", 0), "offset", -1000)
    assert result.exit_code == 1
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert "no longer holds what Redis applied last (orders 0)" in sentence


def test_account_of_a_rebuilt_shop_is_the_same(inside: Flask) -> None:
    shop: Shop = inside.extensions["shop"]
    profile = Profile(unique("x"), 30, "y", "http://example.com/b.jpg")
    made: Account = accounts.register(shop, profile, "secret123", crowd=nullcontext(enter_result=True))
    accounts.grant_merchant(shop, made.name)
    accounts.log_out_everywhere(shop, made.name)
    changed = shop.accounts.get(made.name)
    assert changed
    accounts.log_out(shop, changed, Login("one", changed.era), 9_999_999_999_999)
    shop.memory.redis.flushall()
    rebuilding.rebuild(shop)
    again = shop.accounts.get(made.name)
    assert again is not None
    assert (again.id, again.merchant, again.profile) == (made.id, True, made.profile)
    assert again.seniority == made.seniority
    assert made.seniority.probation == made.seniority.registered + shop.config.probation * 1000
    assert (again.era, again.ended) == (changed.era, (("one", 9_999_999_999_999),))
    assert changed.era
    mended = [one for one in restoring._accounts_again(shop, "mending", 1) if getattr(one, "account", "") == made.id]
    ends = [(type(one), getattr(one, "era", ""), getattr(one, "login", "")) for one in mended[-2:]]
    assert ends == [(LoggedOutEverywhere, changed.era, ""), (LoggedOut, "", "one")]

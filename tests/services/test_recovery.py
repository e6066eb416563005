"""Real processes are killed under a real sale; what was answered yes stays, and the shop comes back by itself."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from storefront.domain.account import Account, Login, Profile
from storefront.domain.errors import LedgerDown, LimitReached, Refused
from storefront.domain.sale import Sale, Terms
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying, paying, selling, waiting
from storefront.shop import Shop
from storefront.stores import keys
from tests.company import held_up
from tests.conftest import SETTINGS, append_only_file, config_of, eventually, unique

UNITS = 10


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalShop]:
    """A shop of its own, without web processes: the test plays their part."""
    only = ("redis", "broker", "orders", "expiry")
    with LocalShop(tmp_path_factory.mktemp("killed"), env=SETTINGS, only=only) as shop:
        yield shop


@pytest.fixture
def inside(running: LocalShop) -> Iterator[Shop]:
    """That shop's stores and ledger, opened in this process.

    The broker is stopped once, in peace: killed in its very first second it would forget its topics' partitions, too.
    """
    shop = Shop(config_of(running))
    eventually(shop.is_open)
    broker = running.processes["broker"]
    broker.stop()
    broker.start()
    broker.wait_ready(20)
    yield shop
    shop.close()


def shopper_of(shop: Shop) -> Account:
    return accounts.register(shop, Profile(unique("shopper"), 20, "x", "http://example.com/a.jpg"), "secret123")


def known(shop: Shop, account: Account) -> Account:
    found = shop.accounts.get(account.name)
    assert found
    return found


def sale_of(shop: Shop, units: int = UNITS, draw: int = 0) -> Sale:
    now = shop.memory.now_ms() // 1000
    terms = Terms(unique("sale"), units, "x", now - 60, now + 3600, price=100, draw=draw)
    return selling.open_sale(shop, None, terms).sale


def willing(act: Callable[[], object]) -> bool:
    """Whether the shop does it, rather than refuse or not answer."""
    try:
        act()
    except LimitReached:  # an earlier try that was refused went through after all
        return True
    except (Refused, OSError, ConnectionError):
        return False
    except Exception as fault:
        if type(fault).__module__.startswith("redis"):
            return False
        raise
    return True


@pytest.mark.parametrize("fault", ["redis killed", "redis emptied", "worker killed", "broker killed", "sweep killed"])
def test_what_was_answered_yes_outlives(running: LocalShop, inside: Shop, fault: str) -> None:
    sale = sale_of(inside)
    buyers = [shopper_of(inside) for _ in range(4)]
    purchases = [buying.buy(inside, buyer, sale.product) for buyer in buyers]
    paying.pay(inside, buyers[0], purchases[0].order)
    paying.cancel(inside, buyers[1], purchases[1].order)
    accounts.log_out_everywhere(inside, buyers[3].name)
    buyers[3] = known(inside, buyers[3])
    accounts.log_out(inside, buyers[3], Login("a-token", buyers[3].era), 9_999_999_999_999)
    buyers[3] = known(inside, buyers[3])
    paid = inside.orders.get(purchases[0].order)
    # everything written so far shall have reached the disks: this test is about coming back, not about a lost tail
    eventually(lambda: inside.sales.get(sale.id).units.unpaid == 2)  # type: ignore[union-attr]

    match fault.split():
        case ["redis", "emptied"]:
            inside.memory.redis.flushall()
        case [name, _]:
            process = running.processes[{"worker": "orders", "sweep": "expiry"}.get(name, name)]
            if name in ("redis", "broker"):
                inside.memory.redis.bgrewriteaof()
                eventually(lambda: inside.memory.redis.info("persistence")["aof_rewrite_in_progress"] == 0)
            process.kill()
            process.start()
            process.wait_ready(20)

    late = shopper_of_when_possible(inside)
    eventually(lambda: willing(lambda: buying.buy(inside, late, sale.product)), timeout=60)
    expect_everything(inside, sale, buyers, purchases)
    assert anomalies(inside) <= ({"ledger cut:orders", "ledger cut:accounts"} if "broker" in fault else set())

    # whatever happened to the ledger meanwhile, it still tells the whole story
    inside.memory.redis.flushall()
    eventually(lambda: sale_is_open(inside, sale), timeout=60)
    expect_everything(inside, sale, buyers, purchases)
    assert inside.orders.get(purchases[0].order) == paid
    assert anomalies(inside) == set()


def test_a_registration_outlives_a_broker_that_forgets_it_though_nobody_registers_afterwards(
    running: LocalShop, inside: Shop
) -> None:
    sale, buyer = sale_of(inside), shopper_of(inside)
    drawing, entrants = sale_of(inside, draw=600), [shopper_of(inside) for _ in range(4)]
    for one in entrants:
        waiting.join(inside, one, drawing.id)
    entered = eventually(lambda: len(found := inside.waitlist.all(drawing.id)) == len(entrants) and found)
    assert len(entered) == len({one.number for one in entered}) == 4
    broker = running.processes["broker"]
    broker.kill()  # it may lose its last second
    broker.start()
    broker.wait_ready(20)
    with closing(inside.ledger.reader()) as reader:

        def whole() -> bool:
            """Whether the ledger holds all that was applied, for every partition."""
            held = inside.positions.all_at(inside.ledger.partitions)
            ends = reader.ends(inside.ledger.partitions)
            return sale_is_open(inside, sale) and all(
                ends[name] >= position.offset for name, position in zip(inside.ledger.partitions, held, strict=True)
            )

        eventually(lambda: willing_to(whole), timeout=60)
    inside.memory.redis.flushall()
    eventually(lambda: sale_is_open(inside, sale), timeout=60)
    assert inside.accounts.get(buyer.name) == buyer
    assert inside.waitlist.all(drawing.id) == entered
    assert inside.sales.get(drawing.id) == replace(drawing, waiting=4)


@pytest.mark.parametrize("fault", ["redis killed", "redis emptied", "broker killed"])
def test_a_waitlist_outlives(running: LocalShop, inside: Shop, fault: str) -> None:
    sale, buyer, waiters = sale_of(inside, units=1), shopper_of(inside), [shopper_of(inside) for _ in range(3)]
    bought = buying.buy(inside, buyer, sale.product)
    assert [waiting.join(inside, one, sale.id).place for one in waiters] == [1, 2, 3]
    waiting.leave(inside, waiters[1], sale.id)
    before = inside.waitlist.all(sale.id)
    if fault == "redis emptied":
        inside.memory.redis.flushall()
    else:
        process = running.processes[fault.split(maxsplit=1)[0]]
        inside.memory.redis.bgrewriteaof()
        eventually(lambda: inside.memory.redis.info("persistence")["aof_rewrite_in_progress"] == 0)
        process.kill()
        process.start()
        process.wait_ready(20)
    eventually(lambda: willing(lambda: paying.cancel(inside, buyer, bought.order)), timeout=60)
    eventually(lambda: inside.waitlist.all(sale.id) == before[1:])
    (offered,) = eventually(lambda: inside.orders.of_buyer(sale.id, waiters[0].id))
    assert eventually(lambda: inside.orders.get(offered.id).state == "pending")  # type: ignore[union-attr]


def test_an_offer_whose_request_never_got_through_is_made_again_to_the_same_shopper(
    running: LocalShop, inside: Shop
) -> None:
    sale, buyer, waiters = sale_of(inside, units=1), shopper_of(inside), [shopper_of(inside) for _ in range(2)]
    bought = buying.buy(inside, buyer, sale.product)
    for one in waiters:
        waiting.join(inside, one, sale.id)
    running.processes["expiry"].stop()
    paying.cancel(inside, buyer, bought.order)
    (offer,) = inside.waitlist.offer([sale.id], {}, 1, doubt_ms=100, pay_ms=60_000, drawn_pay_ms=60_000)
    assert offer.shopper == waiters[0].id  # and this sweep dies before it appends the request
    running.processes["expiry"].start()
    eventually(lambda: inside.orders.get(offer.order).state == "released")  # type: ignore[union-attr]
    (again,) = eventually(lambda: inside.orders.of_buyer(sale.id, waiters[0].id))
    assert again.id != offer.order
    eventually(lambda: [one.shopper for one in inside.waitlist.all(sale.id)] == [waiters[1].id])


def test_a_file_that_was_torn_within_a_transaction_is_written_anew(running: LocalShop, inside: Shop) -> None:
    sale = sale_of(inside)
    buying.buy(inside, shopper_of(inside), sale.product)
    eventually(lambda: inside.sales.get(sale.id).units.unpaid == 1)  # type: ignore[union-attr]
    redis = running.processes["redis"]
    redis.kill()
    file = append_only_file(running)
    written = file.read_bytes()
    taken = written.rindex(b"\r\nstock\r\n$2\r\n-1\r\n") + len(b"\r\nstock\r\n$2\r\n-1\r\n")
    os.truncate(file, taken + len(b"*4\r\n$7"))  # behind one command of a transaction, as a power failure may leave it
    redis.start()
    redis.wait_ready(20)
    eventually(lambda: sale_is_open(inside, sale), timeout=60)

    def whole() -> bool:
        """Whether no transaction stands open in the file, whose half would be done again at the next start."""
        written = append_only_file(running).read_bytes()
        return written.count(b"\r\nMULTI\r\n") == written.count(b"\r\nEXEC\r\n")

    eventually(whole)


def willing_to(look: Callable[[], bool]) -> bool:
    """What ``look`` says, once the ledger answers."""
    try:
        return look()
    except LedgerDown:
        return False


def anomalies(shop: Shop) -> set[str]:
    return set(shop.memory.anomalies())


def test_a_broker_that_goes_away_under_purchases_that_wait_together_refuses_them_all(
    running: LocalShop, inside: Shop
) -> None:
    sale, broker = sale_of(inside), running.processes["broker"]
    buyers = [shopper_of(inside) for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        with held_up(inside, pool) as companies:
            asking = [pool.submit(buying.buy, inside, buyer, sale.product) for buyer in buyers]
            eventually(lambda: companies.waiting() == 3)
            broker.stop()
        told = [one.exception(60) for one in asking]
    assert [type(fault) for fault in told] == [LedgerDown] * 3
    assert [len(company) for company in companies.seen] == [3]
    broker.start()
    broker.wait_ready(20)
    eventually(lambda: inside.sales.get(sale.id).units.left == UNITS)  # type: ignore[union-attr]
    eventually(lambda: willing(lambda: buying.buy(inside, buyers[0], sale.product)))


def expect_everything(shop: Shop, sale: Sale, buyers: list[Account], purchases: list[buying.Purchase]) -> None:
    def found() -> tuple[int, ...] | None:
        now = shop.sales.get(sale.id)
        return (now.units.left, now.units.reserved, now.units.unpaid, now.units.paid) if now else None

    # a cut ledger may be noticed only now, and is then written anew while the shop says that it recovers
    eventually(lambda: found() == (UNITS - 4, 0, 3, 1) and sale_is_open(shop, sale), timeout=60)
    states = [order.state for p in purchases if (order := shop.orders.get(p.order))]
    assert states == ["paid", "cancelled", "pending", "pending"]
    for buyer in buyers:
        assert shop.accounts.get(buyer.name) == buyer
    assert shop.orders.of_shopper(buyers[2].id, 9) == [purchases[2].order]


def sale_is_open(shop: Shop, sale: Sale) -> bool:
    """Whether the sale is signed to the epoch in force."""
    (held,) = shop.positions.all_at([("accounts", 0)])
    return shop.memory.field(keys.sale(sale.id), "signed") == held.epoch and shop.is_open()


def shopper_of_when_possible(shop: Shop) -> Account:
    made: list[Account] = []
    eventually(lambda: willing(lambda: made.append(shopper_of(shop))), timeout=60)
    return made[0]

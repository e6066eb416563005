"""A draw: whoever enters in time has the same chance, nobody twice, and the units go to the least numbers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from storefront.domain.account import Account
from storefront.domain.draw import Entering, Entry, number_of, seal_of
from storefront.domain.errors import AllHeld, Drawing, LimitReached
from storefront.domain.records import Joined
from storefront.domain.sale import Phase, Sale, Units
from storefront.services import auditing, buying, paying, waiting
from storefront.shop import Shop
from storefront.stores import keys, waitlist
from storefront.stores.scripts import place
from tests.conftest import eventually


def press(shop: Shop, shopper: Account, sale: Sale) -> Entry:
    """Press the button while the draw is open, and enter."""
    with pytest.raises(Entering) as told:
        buying.buy(shop, shopper, sale.product)
    assert waiting.enter(shop, told.value.entry) == sale.terms.draw_closes * 1000
    return told.value.entry


def waiters(shop: Shop, sale: Sale) -> list[str]:
    return [one.shopper for one in shop.waitlist.all(sale.id)]


def orders_of(shop: Shop, sale: Sale, shopper: Account) -> list[str]:
    return [str(one.state) for one in shop.orders.of_buyer(sale.id, shopper.id)]


def handed_out(shop: Shop, sale: Sale) -> bool:
    found = shop.sales.get(sale.id)
    assert found is not None
    assert found.adds_up
    return found.units.unpaid == found.terms.num


@pytest.fixture
def opening(a_sale: Callable[..., Sale]) -> Callable[..., Sale]:
    """Opens sales of which the draw closes in ``closes`` seconds."""
    return lambda num, closes: a_sale(num=num, draw=60 + closes)


def test_the_least_numbers_win_whoever_pressed_first(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    people = [somebody() for _ in range(5)]
    sale = opening(2, 5)
    by_number = sorted(people, key=lambda one: number_of(sale.seed, one.name))
    for one in reversed(by_number):  # who wins presses last
        press(shop, one, sale)
    eventually(lambda: waiters(shop, sale) == [one.id for one in by_number])
    assert press(shop, by_number[4], sale).stands  # twice is once, and leaves no record
    assert [orders_of(shop, sale, one) for one in people] == [[]] * 5
    eventually(lambda: handed_out(shop, sale))
    assert [orders_of(shop, sale, one) for one in by_number] == [["pending"], ["pending"], [], [], []]
    (order,) = shop.orders.of_buyer(sale.id, by_number[0].id)
    assert order.at >= sale.terms.draw_closes * 1000
    assert order.pay_by - order.at == shop.config.payment_window * 1000
    assert waiters(shop, sale) == [one.id for one in by_number[2:]]
    with pytest.raises(AllHeld):
        buying.buy(shop, by_number[3], sale.product)
    with pytest.raises(LimitReached):
        buying.buy(shop, by_number[0], sale.product)
    late = somebody()
    assert waiting.join(shop, late, sale.id).place == 4
    assert shop.waitlist.all(sale.id)[-1] == (late.id, late.name, 0)
    assert auditing.audit(shop, sale.id).adds_up


def test_what_nobody_entered_for_is_for_sale_afterwards(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    sale, (entrant, passer_by) = opening(2, 2), [somebody() for _ in range(2)]
    press(shop, entrant, sale)

    def phase() -> Phase:
        found = shop.sales.get(sale.id)
        assert found is not None
        return found.phase(shop.memory.now_ms() / 1000)

    assert phase() is Phase.DRAWING
    eventually(lambda: phase() is Phase.LIVE)
    assert orders_of(shop, sale, entrant) == ["pending"]
    assert buying.buy(shop, passer_by, sale.product).order


def test_who_leaves_and_comes_again_has_the_same_number(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    sale, entrant = opening(1, 600), somebody()
    press(shop, entrant, sale)
    before = eventually(lambda: shop.waitlist.all(sale.id))
    assert waiting.look(shop, entrant, sale.id).is_in_draw
    assert not waiting.leave(shop, entrant, sale.id).is_in_draw
    assert shop.waitlist.all(sale.id) == []
    assert waiting.join(shop, entrant, sale.id).is_in_draw
    eventually(lambda: shop.waitlist.all(sale.id) == before)


def test_many_who_press_at_once_are_all_in(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    people = [somebody() for _ in range(12)]
    sale = opening(1, 600)
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda one: press(shop, one, sale), people))
    eventually(lambda: set(waiters(shop, sale)) == {one.id for one in people})
    assert not shop.memory.redis.exists(keys.entering(sale.id))


def test_hundreds_of_units_are_handed_out_in_order(shop: Shop, opening: Callable[..., Sale]) -> None:
    """More than go in one round trip, and more who wait than are looked at in one piece."""
    sale = opening(230, 4)
    names = [f"{sale.id} {number}" for number in range(350)]
    shop.ledger.append_all(
        Joined(at=1, sale=sale.id, shopper=name, shopper_name=name, number=number_of(sale.seed, name)) for name in names
    )
    eventually(lambda: handed_out(shop, sale))
    winners = sorted(names, key=lambda name: number_of(sale.seed, name))[:230]
    orders = [fields for _, fields in shop.orders.all_of({sale.id})[sale.id]]
    assert {fields["shopper"] for fields in orders} == set(winners)
    assert waiters(shop, sale) == sorted(set(names) - set(winners), key=lambda name: number_of(sale.seed, name))


def test_an_entry_whose_process_died_is_recorded_by_the_sweep_and_nobody_is_passed_over(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    sale, (dead, other) = opening(1, 3), [somebody() for _ in range(2)]
    shop.waitlist.enter(sale.id, dead.id, dead.name, doubt_ms=5000)  # and that was all it did
    press(shop, other, sale)
    eventually(lambda: handed_out(shop, sale))
    winner, loser = sorted((dead, other), key=lambda one: number_of(sale.seed, one.name))
    assert orders_of(shop, sale, winner)
    assert waiters(shop, sale) == [loser.id]


@pytest.mark.parametrize(("signed", "notes"), [("", 0), ("mending:of a test", 1)])
def test_the_note_stays_while_a_mending_may_still_forget_who_entered(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale], signed: str, notes: int
) -> None:
    """The model's safeguard "kept". What the script does here the ledger knows nothing of, so it is undone."""
    sale, entrant = opening(1, 600), somebody()
    (held,) = shop.positions.all_at([("accounts", 0)])
    entry = shop.waitlist.enter(sale.id, entrant.id, entrant.name, doubt_ms=60_000)
    before = shop.memory.redis.dump(keys.sale(sale.id))
    assert before
    if signed:
        shop.memory.redis.hset(keys.sale(sale.id), "signed", signed)
    try:
        call = waitlist.effect(entry.record, held.epoch, place(10**9))
        assert shop.memory.scripts.run_many([call]) == ["joined"]
        assert shop.memory.redis.zcard(keys.entering(sale.id)) == notes
    finally:
        shop.memory.redis.restore(keys.sale(sale.id), 0, before, replace=True)
        shop.memory.redis.delete(*(key(sale.id) for key in (keys.entering, keys.waitlist, keys.waiters)))


def test_nobody_buys_while_those_who_came_in_time_are_not_on_the_waitlist_yet(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    """However long the order worker, or who was to record it, has been away."""
    sale, (early, late) = opening(2, 2), [somebody() for _ in range(2)]
    shop.waitlist.enter(sale.id, early.id, early.name, doubt_ms=60_000)  # its process dies
    eventually(lambda: shop.memory.now_ms() > sale.terms.draw_closes * 1000)
    with pytest.raises(Drawing):
        buying.buy(shop, late, sale.product)
    with pytest.raises(Entering):
        buying.buy(shop, early, sale.product)
    shop.memory.redis.zadd(keys.entering(sale.id), {keys.who_enters(early.id, early.name): 0})  # the time comes
    eventually(lambda: orders_of(shop, sale, early) == ["pending"])
    assert buying.buy(shop, late, sale.product).order


def test_a_unit_that_comes_back_after_the_draw_is_offered_as_in_any_sale(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    people = [somebody() for _ in range(3)]
    sale = opening(1, 3)
    for one in people:
        press(shop, one, sale)
    first, second, third = sorted(people, key=lambda one: number_of(sale.seed, one.name))
    eventually(lambda: handed_out(shop, sale))
    found = shop.sales.get(sale.id)
    assert found
    assert found.handed_out
    assert replace(found, units=Units(1, 0, 0, 0)).phase(shop.memory.now_ms() / 1000) is Phase.ALL_HELD
    (won,) = shop.orders.of_buyer(sale.id, first.id)
    paying.cancel(shop, first, won.id)
    (offered,) = eventually(lambda: [one for one in shop.orders.of_buyer(sale.id, second.id) if one.state == "pending"])
    assert offered.pay_by - offered.at == shop.config.offer_window * 1000
    looked = waiting.look(shop, third, sale.id)
    assert (looked.place, looked.is_in_draw) == (1, False)


def test_who_joins_behind_the_draw_is_not_told_to_be_in_it(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    sale, (early, late) = opening(1, 2), [somebody() for _ in range(2)]
    shop.waitlist.enter(sale.id, early.id, early.name, doubt_ms=60_000)  # so that nothing is handed out
    eventually(lambda: shop.memory.now_ms() > sale.terms.draw_closes * 1000)
    shop.ledger.append(Joined(at=1, sale=sale.id, shopper=late.id, shopper_name=late.name))
    eventually(lambda: waiting.look(shop, late, sale.id).place == 1)
    looked = waiting.look(shop, late, sale.id)
    assert looked.seen.sale.phase(looked.seen.now) is Phase.DRAWING
    assert not looked.is_in_draw
    assert waiting.look(shop, early, sale.id).is_in_draw
    shop.memory.redis.zadd(keys.entering(sale.id), {keys.who_enters(early.id, early.name): 0})


def test_who_leaves_is_not_brought_back_by_the_sweep(
    shop: Shop, somebody: Callable[..., Account], opening: Callable[..., Sale]
) -> None:
    sale, entrant = opening(1, 600), somebody()
    shop.waitlist.enter(sale.id, entrant.id, entrant.name, doubt_ms=0)
    waiting.leave(shop, entrant, sale.id)
    assert shop.waitlist.doubtful([sale.id], 10) == []


def test_the_seal_was_there_before_the_seed_is_told(shop: Shop, opening: Callable[..., Sale]) -> None:
    sale, other = opening(1, 600), opening(1, 600)
    assert len(sale.seed) == 32
    assert sale.seed != other.seed
    assert len(seal_of(sale.seed)) == 64
    assert 1 <= number_of(sale.seed, "小明") <= 1 << 52
    assert number_of("0" * 32, "ann") == 1 + 0x4274F575A9CDB  # so that nobody changes the rule unawares

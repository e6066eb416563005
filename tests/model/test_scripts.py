"""The real scripts keep the promises that the model keeps, on a real Redis whose history breaks.

A run is ten lives of a shop, a hundred steps each; its number is its seed. By hand, and after any change of a script:

    MACHINE_RUNS=100:400 python -m pytest tests/model/test_scripts.py -k promises

A failure prints the shortest way to it that Hypothesis finds.
"""

import os
from collections.abc import Iterator
from typing import TypeVar, cast

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis

from storefront.domain.records import AccountRecord
from storefront.local import embedded
from storefront.local.process import Process
from storefront.local.shop import LocalShop
from storefront.services import restoring
from storefront.stores import keys
from storefront.stores.memory import Memory
from tests.conftest import eventually

from .drawing import DrawMachine
from .environment import Ground
from .machine import PRODUCTS, SHOPPERS, ShopMachine
from .mutants import CONFIRMED_IN_ITS_EPOCH, CUTS, CUTS_OF_ACCOUNTS, CUTS_OF_DRAWS, SILENCES, without
from .people import PeopleMachine
from .stage import Broken, Stage

FIRST, _, END = os.environ.get("MACHINE_RUNS", "0:3").partition(":")
Machine = TypeVar("Machine", bound=Stage)
MOST_RUNS = 5
"""Runs within which the machine must find what is wrong, where something is."""

# Ten, because Hypothesis varies what it tried from the eleventh example on, and here that finds less than a fresh one.
LIFE = settings(
    max_examples=10,
    stateful_step_count=100,
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalShop]:
    """A Redis of its own."""
    with LocalShop(tmp_path_factory.mktemp("scripts"), only=("redis",)) as shop:
        yield shop


@pytest.fixture(autouse=True)
def seeds_mean_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hypothesis also tries constants from whichever modules other tests have loaded: here it must not."""
    none = Constants(integers=set(), floats=set(), bytes=set(), strings=set())
    monkeypatch.setattr(providers.HypothesisProvider, "_local_constants", none)
    providers.CONSTANTS_CACHE.cache.clear()
    yield
    providers.CONSTANTS_CACHE.cache.clear()


def machine_on(ground: Ground, kind: type[Machine]) -> type[Machine]:
    return cast("type[Machine]", type("Machine", (kind,), {"ground": ground}))


def runs(first: int = int(FIRST), end: int = int(END)) -> list[tuple[type[Stage], int]]:
    return [(kind, number) for kind in (ShopMachine, PeopleMachine, DrawMachine) for number in range(first, end)]


@pytest.mark.parametrize(("kind", "number"), runs())
def test_promises_are_kept_whatever_happens_when(running: LocalShop, kind: type[Stage], number: int) -> None:
    ground = Ground(running.redis_url)
    try:
        run_state_machine_as_test(seed(number)(machine_on(ground, kind)), settings=LIFE)
    finally:
        ground.close()


def is_missed(ground: Ground, kind: type[Stage], first_run: int = 0) -> bool:
    """Whether the machine finds what is wrong."""
    machine = machine_on(ground, kind)
    try:
        return any(fails(seed(number)(machine)) for number in range(first_run, first_run + MOST_RUNS))
    finally:
        ground.close()


def fails(machine: type[Stage]) -> bool:
    try:
        run_state_machine_as_test(machine, settings=settings(LIFE, phases=[Phase.generate]))
    except Broken:
        return True
    return False


@pytest.mark.parametrize("safeguard", CUTS)
def test_the_machine_misses_each_safeguard(running: LocalShop, safeguard: str) -> None:
    cut = CUTS[safeguard]
    assert is_missed(Ground(running.redis_url, without(cut)), ShopMachine, cut.first_run)


@pytest.mark.parametrize("safeguard", CUTS_OF_ACCOUNTS)
def test_the_machine_misses_each_safeguard_of_accounts(running: LocalShop, safeguard: str) -> None:
    cut = CUTS_OF_ACCOUNTS[safeguard]
    assert is_missed(Ground(running.redis_url, without(cut)), PeopleMachine, cut.first_run)


@pytest.mark.parametrize("safeguard", CUTS_OF_DRAWS)
def test_the_machine_misses_each_safeguard_of_draws(running: LocalShop, safeguard: str) -> None:
    cut = CUTS_OF_DRAWS[safeguard]
    assert is_missed(Ground(running.redis_url, without(cut)), DrawMachine, cut.first_run)


@pytest.mark.parametrize("what", SILENCES)
def test_the_machine_misses_what_a_mending_leaves_out(running: LocalShop, what: str) -> None:
    silence = SILENCES[what]
    kind = PeopleMachine if issubclass(silence.kind, AccountRecord) else ShopMachine
    assert is_missed(Ground(running.redis_url, tells=silence), kind, silence.first_run)


def yes_after_a_restart(ground: Ground) -> bool:
    """A reservation outlives a restart; its request arrives behind the new epoch's mark, which isn't applied yet."""
    machine = machine_on(ground, ShopMachine)()
    machine.begin(num=1, limit=1, free=True, all_arrives=True, may_be_cut=False)
    machine.buy(SHOPPERS[0], PRODUCTS[0], "key")
    (request,) = machine.ledger.flying
    machine.memory.begin_history()
    machine.look_at_epoch(0)  # goes back
    machine.look_at_epoch(0)  # signs
    signature = machine.ledger.flying[-1]
    machine.ledger.arrive(signature, again=False)
    machine.ledger.arrive(request, again=False)
    machine.let_go_on()
    machine.promises_are_kept()
    machine.run_to_rest()
    return bool(machine.bought)


def buy_behind_a_mending(ground: Ground) -> None:
    """Somebody buys behind a mending. Redis rolls back to before it, and the worker that mends again dies half-way."""
    machine = machine_on(ground, ShopMachine)()
    machine.begin(num=2, limit=1, free=True, all_arrives=True, may_be_cut=True)
    machine.buy(SHOPPERS[0], PRODUCTS[0], "key")
    machine.run_to_rest()
    known, end = len(machine.memory.kept), len(machine.ledger.lines) - 1
    machine.lose(end)
    machine.run_to_rest()
    machine.buy(SHOPPERS[1], PRODUCTS[0], "key")
    machine.run_to_rest()
    assert len(machine.bought) == 2
    machine.memory.roll_back(len(machine.memory.kept) - known)
    machine.memory.begin_history()
    machine.is_ahead = True
    machine.look_at_epoch(0)  # goes back
    machine.draw, machine.may_draw = lambda *_, **__: 1, True
    machine.mend(0)  # dies behind its first record
    machine.ledger.flying.clear()
    machine.may_draw = False
    machine.run_to_rest()


def test_a_mending_that_redis_forgot_is_read_and_not_followed_by_another(running: LocalShop) -> None:
    ground = Ground(running.redis_url)
    try:
        buy_behind_a_mending(ground)
    finally:
        ground.close()


def test_the_machine_misses_the_look_for_a_mending(running: LocalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "_is_mended", lambda *_: False)
    ground = Ground(running.redis_url)
    try:
        with pytest.raises(Broken, match="it is unknown"):
            buy_behind_a_mending(ground)
    finally:
        ground.close()


def test_a_reservation_of_an_earlier_epoch_is_not_confirmed(running: LocalShop) -> None:
    ground = Ground(running.redis_url)
    try:
        assert not yes_after_a_restart(ground)
    finally:
        ground.close()


def test_the_machine_misses_the_epoch_in_confirm(running: LocalShop) -> None:
    ground = Ground(running.redis_url, without(CONFIRMED_IN_ITS_EPOCH))
    try:
        with pytest.raises(Broken, match="was told that"):
            yes_after_a_restart(ground)
    finally:
        ground.close()


def test_a_webhook_that_comes_between_a_cut_and_its_mending_is_not_taken_in(running: LocalShop) -> None:
    ground = Ground(running.redis_url)
    try:
        machine = machine_on(ground, ShopMachine)()
        machine.begin(num=1, limit=1, free=False, all_arrives=True, may_be_cut=True)
        machine.buy(SHOPPERS[0], PRODUCTS[0], "key")
        machine.run_to_rest()
        (order,) = machine.bought
        machine.pay_at(order, 0)
        machine.run_to_rest()
        assert not machine.untold
        machine.lose(len(machine.ledger.lines) - 1)
        machine.pay_at(order, 1)  # it comes into the ledger in front of the mending
        machine.run_to_rest()
        assert list(machine.untold) == [f"{order}.1"]
        machine.teardown()  # the provider tells it again, and it goes back
        assert list(ground.provider.money()[order].values()) == [False, True]
    finally:
        ground.close()


def test_a_mending_forgets_a_charge_whose_order_was_not_known(running: LocalShop) -> None:
    ground = Ground(running.redis_url)
    try:
        machine = machine_on(ground, ShopMachine)()
        machine.begin(num=1, limit=1, free=False, all_arrives=True, may_be_cut=True)
        machine.buy(SHOPPERS[0], PRODUCTS[0], "key")
        machine.run_to_rest()
        (order,) = machine.bought
        machine.lose(2)  # all but the opening
        machine.pay_at(order, 0)
        machine.run_to_rest()
        machine.redis.flushdb()  # a replay meets the charge without its order, and then the mending
        machine.teardown()
    finally:
        ground.close()


def epoch_of(memory: Memory) -> str:
    """The epoch in force, as the scripts see it."""
    return str(memory.scripts.run("begin", [keys.position("orders", 0), keys.BIRTH], ["birth"])[0])


def test_a_redis_that_was_killed_begins_a_new_epoch(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LocalShop(tmp_path_factory.mktemp("killed"), only=("redis",)) as running:
        memory, process = Memory(running.redis_url), running.processes["redis"]
        before, history = epoch_of(memory), history_of(memory.redis)
        assert epoch_of(memory) == before
        memory.redis.bgrewriteaof()
        eventually(lambda: memory.redis.info("persistence")["aof_rewrite_in_progress"] == 0)
        process.kill()
        process.start()
        process.wait_ready()
        after = epoch_of(memory)
        assert (before, after) == (f"{history}birth", f"{history_of(memory.redis)}birth")
        assert after != before
        memory.redis.close()


def test_a_replica_that_is_promoted_begins_a_new_epoch(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LocalShop(tmp_path_factory.mktemp("primary"), only=("redis",)) as running:
        primary, port = Memory(running.redis_url), embedded.free_port()
        url = f"redis://{embedded.LOOPBACK}:{port}/0"
        argv = embedded.redis_argv(tmp_path_factory.mktemp("replica"), port)
        process = Process("replica", argv, lambda _: embedded.redis_answers(url))
        try:
            process.start()
            process.wait_ready()
            replica = Memory(url)
            assert epoch_of(primary).endswith("birth")
            host, primary_port = running.redis_url.removeprefix("redis://").removesuffix("/0").split(":")
            replica.redis.replicaof(host, primary_port)
            eventually(lambda: replica.text(keys.BIRTH) and history_of(replica.redis) == history_of(primary.redis))
            before = epoch_of(primary)  # a primary begins one too when its first replica comes
            replica.redis.replicaof("NO", "ONE")
            assert epoch_of(primary) == before
            assert epoch_of(replica) == f"{history_of(replica.redis)}birth"
            assert epoch_of(replica) != before
            replica.redis.close()
        finally:
            process.stop()
            primary.redis.close()


def history_of(redis: Redis) -> str:
    return str(redis.info("replication")["master_replid"])

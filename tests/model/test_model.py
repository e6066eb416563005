"""The protocols keep their promises in every order of events, and each of their safeguards is needed.

Sizes here take seconds. By hand, and after any change of the protocol:

    python -m tests.model.explorer --units 1 --shoppers 2 --rollbacks 2
    python -m tests.model.explorer --units 2 --shoppers 3 --rollbacks 1
    python -m tests.model.explorer --units 2 --shoppers 2 --rollbacks 0 --cuts 1
"""

import pytest

from . import accounts
from .accounts import Registering
from .buying import Buying
from .explorer import Model, explore, main
from .reductions import reduced
from .world import CHANGED, CHANGES, MENDING, SAFEGUARDS, Order, Record, Redis, Size, World, applied, effects

FORGOT_THE_MENDING = (
    "worker: sends Signed(epoch 1 after 0)",
    "ledger: Signed(epoch 1 after 0) arrives",
    "worker: applies Signed(epoch 1 after 0)",
    "web: reserves 0 (Redis before is kept)",
    "ledger: Requested(0, epoch 1) arrives",
    "web: confirms 0, the shopper is told yes",
    "broker: loses all from 0 on",
    "worker: sees the cut, begins epoch 2",
    "worker: begins mending 1, writes what Redis knows",
    "ledger: the mending's Mending(1, as -21) arrives",
    "ledger: the mending's Restored(0, pending, as -21) arrives",
    "ledger: the mending's Signed(epoch 2 after -21) arrives",
    "worker: reads again from the start",
    "redis: rolls back to stock 1, orders none, signed 1, position 1",
)


class BehindAMending(Buying):
    """What can happen once Redis rolled back to before a mending. From the very start that takes an hour."""

    def start(self) -> World:
        """See ``Model``."""
        world = super().start()
        for deed in FORGOT_THE_MENDING:
            world = self.reduced(next(after for told, after in self.steps(world) if told == deed))
        return world


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(Buying(Size(units=1, shoppers=2, rollbacks=1)), id="two shoppers for one unit, one rollback"),
        pytest.param(Buying(Size(units=2, shoppers=3, rollbacks=0)), id="three shoppers for two units"),
        pytest.param(Buying(Size(units=1, shoppers=1, rollbacks=2)), id="one shopper, two rollbacks"),
        pytest.param(Buying(Size(units=1, shoppers=3, rollbacks=0)), id="three shoppers for one unit"),
        pytest.param(Buying(Size(1, 2, 0, cuts=1, deaths=0)), id="two shoppers for one unit, the ledger cut"),
        pytest.param(Buying(Size(1, 1, 1, waiters=1)), id="one waits, one rollback"),
        pytest.param(Buying(Size(1, 2, 0, waiters=1)), id="one buys, one waits"),
        pytest.param(Buying(Size(1, 2, 0, waiters=2)), id="two wait"),
        pytest.param(Buying(Size(1, 2, 0, waiters=2, draws=True)), id="two enter a draw"),
        pytest.param(Buying(Size(1, 1, 1, waiters=1, draws=True)), id="one enters a draw, one rollback"),
        pytest.param(Buying(Size(1, 1, 0, cuts=1, waiters=1, draws=True)), id="one enters a draw, the ledger cut"),
        pytest.param(Buying(Size(1, 1, 0, cuts=1, slow=True)), id="the ledger cut, mended twice, a slow worker"),
        pytest.param(BehindAMending(Size(1, 1, 1, cuts=1, deaths=2)), id="a mending that Redis forgot, mended thrice"),
        pytest.param(Buying(Size(1, 1, 1, changes=("Withdrew",))), id="one buys, a unit is withdrawn, one rollback"),
        pytest.param(Buying(Size(1, 1, 1, changes=("Restocked",))), id="one buys, a unit is added, one rollback"),
        pytest.param(Buying(Size(1, 1, 1, changes=("CalledOff",))), id="one buys, it is called off, one rollback"),
        pytest.param(Buying(Size(1, 1, 0, cuts=1, changes=("Withdrew",))), id="a unit is withdrawn, the ledger cut"),
        pytest.param(Buying(Size(1, 1, 0, cuts=1, changes=("Restocked",))), id="a unit is added, the ledger cut"),
        pytest.param(Registering(people=2, rollbacks=1, deletions=1), id="two people for one name, one rollback"),
        pytest.param(Registering(people=3, rollbacks=0, deletions=1), id="three people for one name"),
    ],
)
def test_nothing_goes_wrong_in_any_order_of_events(model: Model) -> None:
    found = explore(model)
    assert found.why is None, "\n".join((found.why or "", *found.trace))


CHANGING = ("taken", "change", "once")


@pytest.mark.parametrize("safeguard", SAFEGUARDS)
def test_without_any_one_safeguard_somebody_is_harmed(safeguard: str) -> None:
    rollbacks = 2 if safeguard == "void" else 1
    size = Size(units=1, shoppers=2, rollbacks=rollbacks, off=frozenset({safeguard}))
    if safeguard in MENDING:
        rollbacks = 1 if safeguard == "unread" else 0
        size = Size(units=1, shoppers=1, rollbacks=rollbacks, cuts=1, off=frozenset({safeguard}))
    if safeguard in ("open", "noted", "kept"):
        size = Size(1, 1, 0, frozenset({safeguard}), cuts=1, waiters=1, draws=safeguard != "open")
    if safeguard == "drawn":
        size = Size(1, 2, 0, frozenset({safeguard}), waiters=2, draws=True)
    if safeguard in CHANGING:
        kind = "Restocked" if safeguard == "once" else "Withdrew"
        size = Size(1, 1, 1, frozenset({safeguard}), twice=safeguard == "once", changes=(kind,))
    model = BehindAMending if safeguard == "whole" else Buying
    if safeguard == "whole":
        size = Size(units=1, shoppers=1, rollbacks=1, cuts=1, off=frozenset({safeguard}))
    if safeguard in ("queue", "served"):
        size = Size(units=1, shoppers=2, rollbacks=0, waiters=1, off=frozenset({safeguard}))
    found = explore(model(size))
    assert found.why is not None
    assert found.trace


@pytest.mark.parametrize("safeguard", accounts.SAFEGUARDS)
def test_without_any_one_safeguard_a_registration_goes_wrong(safeguard: str) -> None:
    found = explore(Registering(off=frozenset({safeguard})))
    assert found.why is not None
    assert found.trace


def test_that_a_name_is_its_first_registrations_follows_from_the_rest() -> None:
    """With the other safeguards on, no second registration ever meets an account: the rule is a second line."""
    assert explore(Registering(people=2, deletions=1, off=frozenset({"first"}))).why is None


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(units=1, shoppers=1, rollbacks=1), id="a rollback"),
        pytest.param(Size(units=1, shoppers=1, rollbacks=0, workers=2), id="two workers"),
        pytest.param(Size(units=1, shoppers=0, rollbacks=0, cuts=1), id="a cut, and a mending given up"),
        pytest.param(Size(units=1, shoppers=1, rollbacks=0, cuts=1, deaths=0), id="a cut"),
        pytest.param(Size(1, 0, 1, changes=("Withdrew",)), id="a withdrawal, and a rollback"),
        pytest.param(Size(1, 1, 0, changes=("CalledOff",)), id="a sale that is called off"),
    ],
)
def test_the_reductions_neither_lose_nor_invent_a_world(size: Size) -> None:
    plain = explore(Buying(size, plain=True))
    assert plain.why is None
    assert {reduced(world, size.off) for world in plain.worlds} == explore(Buying(size)).worlds


def test_the_reductions_of_registrations_neither_lose_nor_invent_a_world() -> None:
    plain = explore(Registering(people=2, rollbacks=0, plain=True))
    assert plain.why is None
    found = explore(Registering(people=2, rollbacks=0))
    assert {accounts.reduced(world, frozenset()) for world in plain.worlds} == found.worlds


@pytest.mark.parametrize(
    "state", ["none", "reserved", "releasing", "pending", "paid", "expired", "refund", "released", *sorted(CHANGED)]
)
@pytest.mark.parametrize("kind", ["Requested", "Released", "Expired", "Paid", "Revoked", *CHANGES])
def test_a_record_applied_twice_is_applied_once(kind: str, state: str) -> None:
    redis = Redis(stock=1, orders=(Order(state, 0),), signed=1, position=4)
    record = Record(kind, 0, epoch=1 if kind in ("Requested", "Released", *CHANGES) else 0)
    once = applied(redis, record, 4)
    assert applied(once, record, 4) == once, "at the same offset"
    assert effects(once, record) == once, "again in the ledger"


def test_the_command_line_tells_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--units", "1", "--shoppers", "1", "--rollbacks", "0"]) == 0
    assert "no violation" in capsys.readouterr().out
    assert main(["--accounts", "--shoppers", "2", "--rollbacks", "0"]) == 0
    assert "no violation" in capsys.readouterr().out
    assert main(["--shoppers", "1", "--without", "confirm"]) == 1
    assert "VIOLATION: shopper 0 was told yes" in capsys.readouterr().out

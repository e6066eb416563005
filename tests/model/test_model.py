"""The purchase protocol keeps its promises in every order of events, and each of its safeguards is needed.

Sizes here take seconds. By hand, and after any change of the protocol:

    python -m tests.model.explorer --units 1 --shoppers 2 --rollbacks 2
    python -m tests.model.explorer --units 2 --shoppers 3 --rollbacks 1
"""

import pytest

from .explorer import explore, main
from .reductions import reduced
from .steps import Size
from .world import SAFEGUARDS, Order, Record, Redis, applied, effects


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(units=1, shoppers=2, rollbacks=1), id="two shoppers for one unit, one rollback"),
        pytest.param(Size(units=2, shoppers=3, rollbacks=0), id="three shoppers for two units"),
        pytest.param(Size(units=1, shoppers=1, rollbacks=2), id="one shopper, two rollbacks"),
        pytest.param(Size(units=1, shoppers=3, rollbacks=0), id="three shoppers for one unit"),
    ],
)
def test_nothing_goes_wrong_in_any_order_of_events(size: Size) -> None:
    found = explore(size)
    assert found.why is None, "\n".join((found.why or "", *found.trace))


@pytest.mark.parametrize("safeguard", SAFEGUARDS)
def test_without_any_one_safeguard_somebody_is_harmed(safeguard: str) -> None:
    rollbacks = 2 if safeguard == "void" else 1
    found = explore(Size(units=1, shoppers=2, rollbacks=rollbacks, off=frozenset({safeguard})))
    assert found.why is not None
    assert found.trace


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(units=1, shoppers=1, rollbacks=1), id="a rollback"),
        pytest.param(Size(units=1, shoppers=1, rollbacks=0, workers=2), id="two workers"),
    ],
)
def test_the_reductions_neither_lose_nor_invent_a_world(size: Size) -> None:
    plain = explore(size, plain=True)
    assert plain.why is None
    assert {reduced(world, size.off) for world in plain.worlds} == explore(size).worlds


@pytest.mark.parametrize("state", ["none", "reserved", "releasing", "pending", "paid", "expired", "refund", "released"])
@pytest.mark.parametrize("kind", ["Requested", "Released", "Expired", "Paid"])
def test_a_record_applied_twice_is_applied_once(kind: str, state: str) -> None:
    redis = Redis(stock=1, orders=(Order(state, 0),), signed=1, position=4)
    record = Record(kind, 0, epoch=1 if kind == "Requested" else 0)
    once = applied(redis, record, 4)
    assert applied(once, record, 4) == once, "at the same offset"
    assert effects(once, record) == once, "again in the ledger"


def test_the_command_line_tells_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--units", "1", "--shoppers", "1", "--rollbacks", "0"]) == 0
    assert "no violation" in capsys.readouterr().out
    assert main(["--shoppers", "1", "--without", "confirm"]) == 1
    assert "VIOLATION: shopper 0 was told yes" in capsys.readouterr().out

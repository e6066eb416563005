"""The rehearsal still races and counts; its verdict tells luck from unfairness; its page keeps its words."""

import re
import shutil
from pathlib import Path

import pytest

from swarm import report, verdict
from swarm.cast import Timing
from swarm.plan import PEOPLE, Kind
from swarm.race import Outcome, race
from swarm.scale import TINY
from swarm.verdict import Share


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A small race."""
    return race(tmp_path_factory.mktemp("swarm"), TINY, Timing.AT_START, seed=1)


@pytest.mark.xdist_group("swarm")
def test_every_kind_races_and_every_unit_is_counted(outcome: Outcome) -> None:
    assert outcome.exact
    assert outcome.winners.total() == TINY.units
    assert {diary.kind for diary in outcome.diaries} == set(Kind)
    assert sum(bool(diary.pressed) for diary in outcome.diaries) > TINY.scripts
    assert outcome.first >= 0
    assert verdict.told(outcome, Kind.REPLAYED)["invalid_token"]
    assert verdict.told(outcome, Kind.HAMMER)["not_started"]
    people = [diary for diary in outcome.diaries if diary.kind in PEOPLE and diary.pressed]
    assert {diary.kind for diary in people} == PEOPLE
    assert all(diary.waits for diary in people)


@pytest.mark.xdist_group("swarm")
def test_a_race_by_lot_hands_every_unit_to_somebody_who_entered(tmp_path: Path) -> None:
    drawn = race(tmp_path, TINY, Timing.BY_LOT, seed=1)
    assert drawn.exact
    assert drawn.first >= TINY.draw
    entered = {kind: {name for diary in drawn.of(kind) for name in diary.entered} for kind in Kind}
    assert len(entered[Kind.ALONE]) == len(entered[Kind.HYDRA]) == 1
    assert any(entered[kind] for kind in PEOPLE)
    assert drawn.winners.total() == min(TINY.units, len(set().union(*entered.values())))


@pytest.mark.xdist_group("swarm")
def test_a_new_race_changes_the_figures_of_the_page_and_not_its_words(outcome: Outcome, tmp_path: Path) -> None:
    page = Path(shutil.copy(report.PAGE, tmp_path))
    report.save([outcome], seed=4242, page=page)
    assert "seed 4242" in page.read_text()
    assert _words(page) == _words(report.PAGE)


def _words(page: Path) -> str:
    return re.sub(r"(<!-- swarm: [a-z-]+ -->).*?(<!-- end -->)", r"\1\2", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize(
    ("accounts", "units", "is_fair"),
    [(60, 9, True), (60, 15, True), (60, 60, False), (60, 0, True), (4, 4, False), (1, 1, True)],
)
def test_luck_is_fair_and_what_luck_hardly_explains_is_not(accounts: int, units: int, *, is_fair: bool) -> None:
    assert Share(accounts, units, fair=0.15).is_fair is is_fair

"""What the rehearsal says follows from what it measured: plain arithmetic."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from storefront.rehearsal import plot, verdict
from storefront.rehearsal.crowd import PAGE, PAY, PRESS, Entry
from storefront.rehearsal.figures import BROKER, CROWD, ORDERS, REDIS, WEB, Gauged, Stage, percentile
from storefront.rehearsal.verdict import Asked

ASKED = Asked(rate=200, p99=250, shoppers=4000, cores=4, web=2, workers=1)
CALM = Gauged(
    seconds=10, cpu={WEB: 2.0, REDIS: 0.5, ORDERS: 1.0, CROWD: 0.5}, busiest={WEB: 0.4}, idle=0.5, lags=[0, 3, 0],
    appends=[1.0, 2.0, 3.0], applied=200,
)  # fmt: skip


def a_stage(rate: int = 200, ms: float = 5.0, gauged: Gauged = CALM, *, sold: int = 10, **codes: int) -> Stage:
    """Ten seconds at a rate, all answered in so many ms: with ``codes``, the rest with "sold_out"."""
    seconds = 10
    told = [code for code, number in ({"yes": 10} | codes).items() for _ in range(number)]
    told += ["sold_out"] * (rate * seconds - len(told))
    entries = [Entry(number / rate, PRESS, ms, code) for number, code in enumerate(told)]
    return Stage(rate, seconds, 10, entries, [0.0], gauged, sold=sold)


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    assert [percentile(range(1, 101), part) for part in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([], 0.99) == 0


@pytest.mark.parametrize(
    ("stage", "is_held"),
    [
        (a_stage(), True),
        (a_stage(ms=250), True),
        (a_stage(ms=251), False),
        (a_stage(NO_ANSWER=0, http_500=1), False),
        (a_stage(too_fast=1), False),
        (a_stage(limit_reached=50, all_held=50), True),
        (a_stage(sold=11), False),  # a unit too many
        (a_stage(sold=9), False),  # a yes without an order
        (replace(a_stage(), adds_up=False), False),
    ],
)
def test_a_rate_is_held_if_all_are_answered_in_time_and_rightly(stage: Stage, *, is_held: bool) -> None:
    assert verdict.is_held(stage, p99=250) is is_held


def test_answers_that_come_later_and_later_are_no_held_rate() -> None:
    falling_behind = [Entry(number / 200, PRESS, number / 2, "sold_out") for number in range(2000)]
    stage = replace(a_stage(), entries=falling_behind, units=0, sold=0)
    assert stage.offered == 200
    assert stage.answered == pytest.approx(200 / 1.1, rel=0.01)
    assert not verdict.is_held(stage, p99=10_000)


def test_payments_come_on_top_of_the_rate_and_wait_for_their_order() -> None:
    stage = a_stage()
    paying = replace(stage, entries=[*stage.entries, Entry(1.0, PAY, 900.0, "paid"), Entry(1.0, PAGE, 5.0, "page")])
    assert (paying.offered, paying.p99, paying.payments) == (200.1, 5.0, [900.0])


def test_the_highest_rate_held_has_none_below_it_that_was_not() -> None:
    slow = a_stage(100, ms=300)
    assert verdict.held([a_stage(50), slow, a_stage(200)], 250) == a_stage(50)
    assert verdict.held([slow], 250) is None


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"busiest": {CROWD: 0.95, WEB: 0.99}}, CROWD),
        ({"busiest": {WEB: 0.95, REDIS: 0.95}}, WEB),
        ({"busiest": {REDIS: 0.95}, "idle": 0.0}, REDIS),
        ({"lags": [0, 20, 40]}, ORDERS),  # two seconds of work, at 20 records a second
        ({"lags": [40, 40, 50]}, "nothing seen"),
        ({"idle": 0.02}, "the machine"),
        ({"appends": [50, 150, 200]}, "ledger"),
        ({}, "nothing seen"),
    ],
)
def test_what_saturates_first_is_what_has_no_more_to_give(changed: dict[str, object], what: str) -> None:
    gauged = replace(CALM, **changed)  # type: ignore[arg-type]
    assert verdict.limit(a_stage(ms=900, gauged=gauged), ASKED).what == what


def test_a_load_that_leaves_late_is_the_limit_unless_something_else_is() -> None:
    late = replace(a_stage(ms=900), late=[0.0] * 90 + [80.0] * 10)
    assert verdict.limit(late, ASKED).what == CROWD
    assert verdict.limit(replace(late, gauged=replace(CALM, busiest={WEB: 0.95})), ASKED).what == WEB


def test_web_processes_are_counted_from_the_cpu_of_a_request_with_room_to_spare() -> None:
    stage = a_stage()  # 2 s of CPU for 2000 requests: one ms each
    assert [verdict.web_processes(stage, rate) for rate in (1, 600, 601, 6000)] == [1, 1, 2, 10]


def test_an_order_worker_that_falls_behind_would_need_more_than_it_used() -> None:
    assert verdict.worker_load(a_stage()) == pytest.approx(0.1)
    behind = replace(CALM, cpu={ORDERS: 9.0}, applied=900, lags=[0, 900])
    assert verdict.worker_load(a_stage(gauged=behind)) == pytest.approx(1.8)


def test_the_verdict_says_what_was_held_what_gave_in_and_what_is_needed() -> None:
    full = replace(CALM, busiest={WEB: 0.97})
    stages = [a_stage(100), a_stage(200, ms=20), a_stage(400, ms=700, gauged=full)]
    opening = replace(a_stage(4000, ms=50), seconds=1.0, is_opening=True)
    told = " ".join(verdict.sentences([*stages, opening], ASKED))
    assert "200 requests a second: held." in told
    assert "20.0 ms for half of all answers" in told
    assert "What saturates first: web, at 400 a second, since a web process used up to 97% of a core" in told
    assert "200 requests a second need 1 web process" in told
    assert "One order worker is enough" in told
    assert "4 sales, 40 units sold, none twice, none too many" in told
    assert "Not on this machine, or another user's, so its CPU was not seen: broker." in verdict.caveats(stages, ASKED)
    here = replace(CALM, cpu={**CALM.cpu, BROKER: 1.0})
    assert len([*verdict.caveats([a_stage(gauged=here)], ASKED)]) == 2


def test_the_verdict_says_why_the_rate_was_not_held() -> None:
    told = " ".join(verdict.sentences([a_stage(50), a_stage(100, ms=300, http_500=3)], ASKED))
    assert "200 requests a second: not held. The highest rate that was held: 50 a second" in told
    assert "At 100 a second: 99 of 100 answers took up to 300 ms, more than 250; 3 answers were errors." in told
    lost = " ".join(verdict.sentences([a_stage(50, sold=11)], ASKED))
    assert "THE UNITS DO NOT ADD UP in 1 of 1 sales" in lost


def test_the_plot_is_xml_with_every_stage_and_no_script() -> None:
    opening = replace(a_stage(30), is_opening=True, seconds=1.0)
    svg = plot.drawn("Rehearsal of “<iPhone & 13>”", [a_stage(100), a_stage(2000, ms=0), opening], 250)
    texts = [text.text for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"Rehearsal of “<iPhone & 13>”", "100/s", "2,000/s", "opening"} <= set(texts)
    assert "<script" not in svg

"""The ground floor: identifiers, text, phases, records."""

import dataclasses
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storefront.domain import ids, records, text
from storefront.domain.sale import Phase, Sale, Terms, Units

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(NAMES)
def test_every_id_of_a_product_begins_with_its_tag(name: str) -> None:
    tag = ids.tag_of_product(name)
    sale = ids.new_sale_id(name)
    assert len(tag) == ids.TAG_LENGTH
    assert set(tag) <= set(string.ascii_lowercase + string.digits)
    assert ids.tag_of(sale) == ids.tag_of(ids.new_order_id(sale)) == tag
    assert ids.is_order_id(ids.new_order_id(sale))


@given(NAMES, NAMES, NAMES)
def test_a_key_makes_the_same_order_id_again_and_another_key_another(shopper: str, key: str, other: str) -> None:
    sale = ids.new_sale_id("x")
    made = ids.repeatable_order_id(sale, shopper, key)
    assert made == ids.repeatable_order_id(sale, shopper, key)
    assert ids.is_order_id(made)
    assert (made == ids.repeatable_order_id(sale, shopper, other)) == (key == other)


@given(st.text(max_size=60))
def test_normal_text_stays_as_it_is(given_text: str) -> None:
    assert text.normal(text.normal(given_text)) == text.normal(given_text)


@pytest.mark.parametrize(
    "bad", ["a\x00", "\x7f", "\x85", "\u2028", "\ud800", "\u202e", "\u2066", "a\nb", "a\tb", "a\u200b", "\ufeff"]
)
def test_characters_that_deceive_or_break_are_refused(bad: str) -> None:
    assert text.flaw(bad)


@pytest.mark.parametrize("good", ["", "张三", "O'Neill", "👩‍👩‍👧 family", "a/b?c#d%e..f", "नमस्ते", "<b>&amp;"])
def test_every_script_and_sign_is_welcome(good: str) -> None:
    assert text.flaw(good) is None


def test_line_breaks_are_welcome_where_lines_are() -> None:
    assert text.flaw("a\n\tb", lines=True) is None
    assert text.flaw("a\x00b", lines=True)


@pytest.mark.parametrize("name", [".", ".."])
def test_names_that_an_address_cannot_hold_are_refused(name: str) -> None:
    assert text.product_flaw(name)


@pytest.mark.parametrize(
    ("now", "units", "phase"),
    [
        (99, Units(1, 0, 0, 0), Phase.UPCOMING),
        (100, Units(1, 0, 0, 0), Phase.LIVE),
        (199.9, Units(0, 1, 0, 0), Phase.ALL_HELD),
        (150, Units(0, 0, 1, 0), Phase.ALL_HELD),
        (150, Units(0, 0, 0, 1), Phase.SOLD_OUT),
        (200, Units(1, 0, 0, 0), Phase.ENDED),
    ],
)
def test_the_phase_of_a_sale(now: float, units: Units, phase: Phase) -> None:
    sale = Sale("x", Terms("p", 1, "m", 100, 200), units, "", "")
    assert units.total == 1
    assert sale.phase(now) is phase


@pytest.mark.parametrize(
    ("now", "left", "waiting", "phase"),
    [
        (99, 1, 0, Phase.UPCOMING),
        (100, 1, 0, Phase.DRAWING),
        (109.9, 1, 5, Phase.DRAWING),
        (110, 1, 5, Phase.DRAWING),
        (110, 0, 5, Phase.ALL_HELD),
        (110, 1, 0, Phase.LIVE),
        (200, 1, 5, Phase.ENDED),
    ],
)
def test_the_phase_of_a_sale_that_draws(now: float, left: int, waiting: int, phase: Phase) -> None:
    units = Units(left, 1 - left, 0, 0)
    assert Sale("x", Terms("p", 1, "m", 100, 200, draw=10), units, "", "", waiting=waiting).phase(now) is phase


def an_example(kind: type[records.Record]) -> records.Record:
    values: dict[str, Any] = {"int": 7, "bool": True, "str": '七 \u0000"', "int | None": None, "str | None": None}
    return kind(
        **{field.name: values[str(getattr(field.type, "__name__", field.type))] for field in dataclasses.fields(kind)}
    )


@pytest.mark.parametrize("kind", records.KINDS.values(), ids=lambda kind: kind.__name__)
def test_a_record_is_read_as_it_was_written(kind: type[records.Record]) -> None:
    record = an_example(kind)
    assert records.decode(records.encode(record)) == record
    assert isinstance(record.key, str)


def test_a_sale_that_was_opened_before_a_term_was_known_has_its_default() -> None:
    written = json.loads(records.encode(an_example(records.Opened)))
    older = {name: value for name, value in written.items() if name not in ("proof", "min_account_age", "draw")}
    read = records.decode(json.dumps(older).encode())
    assert isinstance(read, records.Opened)
    assert (read.proof, read.min_account_age, read.draw) == ("off", 0, 0)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"5", b'{"kind": "Nothing"}', b'{"kind": "Paid"}', b"\xff"])
def test_a_line_that_is_no_record_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        records.decode(line)

"""The demo sales."""

from datetime import UTC, datetime

import pytest

from storefront.local.embedded import free_port
from storefront.local.seed import demo_sales, next_opening, seed

NOON = datetime(2026, 11, 11, 12, 0, tzinfo=UTC)


def test_one_demo_sale_is_live_one_upcoming_one_ended() -> None:
    now = int(NOON.timestamp())
    live, upcoming, ended = demo_sales(NOON)
    assert int(live["time_begintokill"]) < now < int(live["time_endkill"])
    assert now < int(upcoming["time_begintokill"]) < int(upcoming["time_endkill"])
    assert int(ended["time_begintokill"]) < int(ended["time_endkill"]) < now


@pytest.mark.parametrize(
    ("time", "day", "hour"), [("09:00", 11, 10), ("09:55", 12, 10), ("10:00", 12, 10), ("23:00", 12, 10)]
)
def test_the_upcoming_sale_opens_at_the_next_ten_oclock(time: str, day: int, hour: int) -> None:
    opening = next_opening(datetime.fromisoformat(f"2026-11-11T{time}:00+08:00"))
    assert (opening.day, opening.hour, opening.minute) == (day, hour, 0)


def test_a_shop_that_cannot_be_seeded_is_a_sentence() -> None:
    sentence = seed(f"http://127.0.0.1:{free_port()}", NOON)
    assert sentence.startswith("The demo sales could not be created")
    assert "\n" not in sentence

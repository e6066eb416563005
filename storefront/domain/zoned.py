"""What clocks on the wall say: local times that don't exist, that come twice, and windows moved to a day ahead.

A local time is a ``datetime`` without a zone; PEP 495 says what its ``fold`` means.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LATEST = 253_402_300_799 - 86_400  # 9999-12-30T23:59:59Z


@dataclass(frozen=True)
class Gap:
    """Clocks go forward from ``before`` to ``after``; what lies between is on no clock, ``before`` itself included."""

    before: datetime
    after: datetime

    @property
    def last(self) -> datetime:
        """The last whole minute that clocks show."""
        return self.before - MINUTE


def _offsets(local: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """How far clocks are ahead of UTC before and after the change of them that ``local`` falls into, or twice alike."""
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return first, second


def gap_around(local: datetime, zone: ZoneInfo) -> Gap | None:
    """The gap in which a local time lies that doesn't exist, or None where it exists."""
    before, after = _offsets(local, zone)
    if before >= after:
        return None
    end = local.replace(second=0, microsecond=0)
    while _offsets(end, zone) == (before, after):
        end += MINUTE
    return Gap(end - (after - before), end)


def offsets_of_both(local: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta] | None:
    """How far clocks are ahead of UTC the first and the second time that they show ``local``; None if it is once."""
    first, second = _offsets(local, zone)
    return (first, second) if first > second else None


def moment_in(seconds: int, zone: ZoneInfo) -> datetime:
    """A moment in Unix seconds, with the zone. Of the last day there is only the beginning, for clocks ahead of UTC."""
    return datetime.fromtimestamp(min(seconds, LATEST), zone)


def on_clocks(seconds: int, zone: ZoneInfo) -> datetime:
    """What clocks show at a moment in Unix seconds."""
    return moment_in(seconds, zone).replace(tzinfo=None, fold=0)


def moment_of(local: datetime, zone: ZoneInfo) -> int:
    """When clocks first show ``local``, in Unix seconds; one that doesn't exist is moved behind the gap."""
    gap = gap_around(local, zone)
    return int((gap.after if gap else local).replace(tzinfo=zone).timestamp())


def moved_ahead(begins: int, ends: int, zone: ZoneInfo, now: float) -> tuple[int, int]:
    """A window as long as this one, at the same time of day, on the next day on which it begins after ``now``.

    One that is ahead already stays as it is. All in Unix seconds.
    """
    if begins > now:
        return begins, ends
    today = on_clocks(int(now), zone).date()
    local = datetime.combine(today, on_clocks(begins, zone).time())
    while (moved := moment_of(local, zone)) <= now:
        local += DAY
    return moved, moved + ends - begins

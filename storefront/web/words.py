"""Moments and lengths of time in words, in the caller's language."""

from datetime import datetime

from flask_babel import format_datetime, gettext, ngettext


def in_words(moment: datetime) -> str:
    """A moment in UTC, in the caller's way of writing dates."""
    return str(format_datetime(moment, "medium")) + " UTC"


def span_in_words(seconds: int) -> str:
    """A length of time, to the second."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        ngettext("%(num)s day", "%(num)s days", days) if days else "",
        gettext("%(count)s h", count=hours) if hours else "",
        gettext("%(count)s min", count=minutes) if minutes else "",
        gettext("%(count)s s", count=rest) if rest or not seconds else "",
    ]
    return " ".join(filter(None, parts))

"""A sale as an iCalendar file (RFC 5545), in the reader's language.

A library would do more than this one event needs. What matters is that no text can end its line; ``_text`` sees to it.
"""

from datetime import UTC, datetime, timedelta

from flask_babel import gettext

from storefront.domain.sale import Look

BEFORE = timedelta(minutes=5)
"""How long before the sale begins the alarm goes off."""

LONGEST_LINE = 75
"""Bytes, without the line break (RFC 5545, section 3.1)."""


def of(look: Look, address: str) -> str:
    """The file. ``address`` is where the sale can be bought, percent-encoded.

    The event's UID is the sale's id, so a calendar that gets it twice still has it once.
    """
    terms = look.sale.terms
    where = _text(gettext("Buy it here: %(address)s", address=address))
    title = _text(gettext("Flash sale: %(product)s", product=terms.product))
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Flash Sale//Reminder//EN",
        "BEGIN:VEVENT",
        f"UID:{look.sale.id}@flash-sale",
        f"DTSTAMP:{_moment(look.now)}",
        f"DTSTART:{_moment(terms.begins)}",
        f"DTEND:{_moment(terms.ends)}",
        f"SUMMARY:{title}",
        f"DESCRIPTION:{where}",
        f"URL:{address}",
        f"STATUS:{'CANCELLED' if look.sale.called_off else 'CONFIRMED'}",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"TRIGGER:-PT{BEFORE // timedelta(minutes=1)}M",
        f"DESCRIPTION:{title}",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    for char in "\\;,":
        value = value.replace(char, f"\\{char}")
    return "\\n".join(value.splitlines())


def _folded(line: str) -> str:
    """``line`` in pieces of so many bytes, none of which ends within a character."""
    pieces, size = [""], 0
    for char in line:
        width = len(char.encode())
        if size + width > LONGEST_LINE:
            pieces.append("")
            size = 1  # the space in front
        pieces[-1] += char
        size += width
    return "\r\n ".join(pieces)

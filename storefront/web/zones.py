"""The time zones that a merchant can choose from, and the reader's words for them and for their clocks."""

import re
from datetime import timedelta
from functools import cache
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from babel.dates import get_timezone_location
from flask_babel import get_locale, gettext

UTC = "UTC"
COMMON = (
    "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata", "Europe/Berlin",
    "Europe/London", "America/New_York", "America/Los_Angeles", "Australia/Sydney", UTC,
)  # fmt: skip
"""Those that stand in front."""

PARTS = {
    "Africa": "002", "America": "019", "Antarctica": "AQ", "Asia": "142", "Australia": "009", "Europe": "150",
    "Pacific": "009", "Arctic": "", "Atlantic": "", "Indian": "",
}  # fmt: skip
"""What a zone's name begins with, and the code of that part of the world (UN M49) where it has one."""

Options = dict[str, list[tuple[str, str, dict[str, str]]]]


@cache
def known() -> dict[str, str]:
    """Every name of a zone, with the one that stands for all names of the same zone."""
    aliases = get_global("zone_aliases")
    first = {aliases.get(name, name): name for name in COMMON}
    names = {name for name in available_timezones() if name.partition("/")[0] in PARTS}
    found = {name: first.get(aliases.get(name, name), aliases.get(name, name)) for name in sorted(names)}
    return {**{name: shown for name, shown in found.items() if shown in names}, UTC: UTC}


def choices() -> Options:
    """The zones by part of the world, in the reader's words."""
    return _choices(get_locale() or Locale("en"), gettext("Often chosen"), gettext("Islands"))


@cache
def _choices(locale: Locale, often: str, islands: str) -> Options:
    groups: Options = {often: [_option(name, locale) for name in COMMON]}
    rest: Options = {}
    for name in sorted(set(known().values()) - set(COMMON)):
        part = locale.territories.get(PARTS[name.partition("/")[0]], islands)
        rest.setdefault(part, []).append(_option(name, locale))
    for part in sorted(rest):
        groups[part] = sorted(rest[part], key=lambda option: option[1])
    return groups


def _option(name: str, locale: Locale) -> tuple[str, str, dict[str, str]]:
    if name == UTC:
        return name, name, {}
    also = {"data-also": " ".join(_other_names()[name])} if name in _other_names() else {}
    country = locale.territories.get(_territory(name), "")
    city = _city(name, locale)
    label = f"{country} ({city})" if country and country != city else city
    foreign = locale.language != "en" and re.search("[A-Za-z]{2}", label)
    return name, label, {**also, **({"lang": "en"} if foreign else {})}


@cache
def _other_names() -> dict[str, list[str]]:
    others: dict[str, list[str]] = {}
    for name, shown in known().items():
        if name != shown:
            others.setdefault(shown, []).append(name)
    return others


def _territory(name: str) -> str:
    return str(get_global("zone_territories").get(get_global("zone_aliases").get(name, name), ""))


def _city(name: str, locale: Locale) -> str:
    return get_timezone_location(name, locale=locale, return_city=True).rpartition("/")[2]


def place_of(name: str) -> str:
    """The reader's word for the place whose clocks a zone's are."""
    return UTC if name == UTC else _city(name, get_locale() or Locale("en"))


def offset_in_words(offset: timedelta) -> str:
    """How far clocks are ahead of UTC, such as UTC+8 or UTC−3:30."""
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}" if minutes else UTC

"""What the clients are told to do, and what they write down: plain values that cross from process to process."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

BOUGHT, ENTERED, NO_ANSWER = "bought", "entered", "no_answer"

SEES = 0.2
"""Seconds from a page's end to a person's press on it, at least."""


class Kind(StrEnum):
    """Kinds of clients: people, then scripts that are faster than people, then those that aren't."""

    PAGES = "people with pages, own address"
    APP = "people with an app, own address"
    PAGES_TOGETHER = "people with pages, one address"
    APP_TOGETHER = "people with an app, one address"
    ALONE = "one account, one address"
    HYDRA = "one account, many addresses"
    FARM = "account farm, one address"
    REPLAYED = "replayed and worthless tokens"
    HAMMER = "hammering from before the start"
    PATIENT = "many of both, at people's pace"


APPS = frozenset({Kind.APP, Kind.APP_TOGETHER})
PEOPLE = APPS | {Kind.PAGES, Kind.PAGES_TOGETHER}
SINGLE = frozenset({Kind.ALONE, Kind.HYDRA, Kind.REPLAYED, Kind.HAMMER})
"""Scripts with one account each."""

FAST = SINGLE | {Kind.FARM}


@dataclass(frozen=True)
class Person:
    """Somebody with a browser (``cookie``) or with an app that speaks JSON (``token``).

    They arrive so many seconds after the start (that is, before it), and want to press ``reacts`` after it, ``early``
    ones also half a second before. A browser's page loads itself anew ``refetches`` after the start.
    """

    kind: Kind
    account: str
    address: str
    arrives: float
    reacts: float
    refetches: float
    early: bool
    token: str = ""
    cookie: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Hand:
    """What presses for a script, from ``begins`` seconds after the start on."""

    account: str
    token: str
    address: str
    begins: float


@dataclass(frozen=True)
class Script:
    """Its hands press as soon as they begin, then in turn, as often as the plan's rate says, until the end."""

    kind: Kind
    hands: tuple[Hand, ...]


@dataclass(frozen=True)
class Plan:
    """The sale at ``path`` starts at ``start`` (Unix seconds); all is over ``lasts`` seconds later.

    For ``draw`` seconds it takes entries to a draw, if that isn't 0.
    """

    url: str
    path: str
    sale: str
    start: float
    lasts: float
    rate: int
    draw: int = 0
    people: tuple[Person, ...] = ()
    scripts: tuple[Script, ...] = ()


@dataclass
class Diary:
    """What became of one client: ``told`` counts answers by code, ``own`` what its page's script asked by itself.

    ``pressed`` is when each account first pressed since the start, ``won`` when each yes came; seconds after the start.
    ``entered`` are the accounts that were told that they are in the draw.
    ``waits`` is what a person waited for in ms: a page, or from a press to the end of what answers it. ``late`` is by
    how many ms a client that needn't wait for the shop was late with its first press.
    """

    kind: Kind
    told: Counter[str] = field(default_factory=Counter)
    own: int = 0
    pressed: dict[str, float] = field(default_factory=dict)
    won: list[float] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


@dataclass
class Diaries:
    """Those of one process, the CPU seconds it used, and by how many ms its event loop was late, again and again.

    It was ready ``ahead`` seconds before the first client had anything to do.
    """

    diaries: list[Diary]
    ahead: float
    cpu: float
    lags: list[float]

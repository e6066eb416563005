"""The programme: which stages a rehearsal has, in which order, and when it has seen enough."""

from collections.abc import Iterator
from dataclasses import dataclass

from limits import parse_many

from storefront.config import Config
from storefront.domain.sale import Terms
from storefront.local.screen import Screen
from storefront.rehearsal import verdict
from storefront.rehearsal.figures import CROWD, Stage
from storefront.rehearsal.shadow import Shadow
from storefront.rehearsal.stages import Load, Script, Theatre
from storefront.rehearsal.verdict import Asked

RAMP = (0.25, 0.5, 1.0)
BEYOND = (1.5, 2.0, 3.0, 4.0)
"""Of the rate that was asked for."""

WARMING = 2.0
"""Seconds of a stage that isn't counted: processes have learnt what they need when the first one that is begins."""

SAFELY = 0.8
"""The part of a limit that is used: its windows and the crowd's don't begin together."""

OPENS_WITHIN = 1.0
"""Seconds in which everybody presses at the opening."""


@dataclass(frozen=True)
class Programme:
    """What was asked, how the crowd behaves, and the highest rate that its shoppers' limits allow."""

    asked: Asked
    script: Script
    most: float


def most_from(config: Config, shoppers: int) -> float:
    """The requests a second that so many shoppers can make without running into their accounts' limit of buying."""
    each = min(one.amount / one.get_expiry() for one in parse_many(config.limit_buy_account))
    return shoppers * each * SAFELY


def play(shadow: Shadow, terms: Terms, programme: Programme, screen: Screen) -> Iterator[Stage]:
    """Have the stages, one after the other: up to the rate asked for, on until it isn't held, and the opening.

    Raises CannotRehearse.
    """
    asked, script = programme.asked, programme.script
    with screen.bar(f"{asked.shoppers:,} accounts", None):
        theatre = Theatre(shadow, terms, asked.shoppers, script)

    def have(load: Load, doing: str) -> Stage:
        with screen.bar(doing, load.seconds) as progress:
            return theatre.have(load, progress)

    have(Load(_requests(asked.rate / 4, WARMING), WARMING), "warming up")
    for part in (*RAMP, *BEYOND):
        rate = part * asked.rate
        if rate > programme.most:
            screen.say(f"{rate:,.0f} a second is not tried: it takes more than {asked.shoppers:,} shoppers.")
            break
        stage = have(Load(_requests(rate, script.seconds), script.seconds), f"{rate:,.0f} a second")
        yield stage
        if not verdict.is_held(stage, asked.p99) and (part >= 1 or verdict.limit(stage, asked).what == CROWD):
            break
    yield have(Load(asked.shoppers, OPENS_WITHIN, is_opening=True), "the opening")


def _requests(rate: float, seconds: float) -> int:
    return max(1, round(rate * seconds))

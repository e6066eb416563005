"""One race: a shop of its own with the limits that shops have, its crowd in two processes, and what became of it."""

import math
import signal
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import quote

from bench import cost
from bench.load import CannotMeasure
from bench.stage import LASTS, SHOP, Server, Stage, until
from storefront.config import Config
from storefront.domain.sale import Sale, Terms
from storefront.local.settings import CROWD
from storefront.services import auditing, selling
from swarm import crowd
from swarm.cast import AGE, Cast, Timing
from swarm.plan import Diaries, Diary, Kind, Plan
from swarm.scale import Scale

PRODUCT = "Fairness rehearsal"
SETTINGS = {"STOREFRONT_PASSWORD_MEMORY": "8", CROWD: Config.crowd}
"""The one thing that isn't as ever: the farms' passwords are hashed cheaply, so that their accounts are soon there."""

WEB_PROCESSES = 2
AHEAD = 1.0
"""Seconds from the opening of the sale to the first who come, at least."""

SETTLED = 30.0
"""Seconds that the order worker may take for the last order."""


@dataclass
class Outcome:
    """A race's end. ``winners``: units by account; ``accounts``: each account's kind, but for tokens no good.

    ``exact`` tells whether no unit was sold too early or twice, and exactly the buyers were told yes, or in a draw
    nobody won who hadn't entered. ``first`` and ``last`` are when the first and the last unit were taken, in seconds
    after the start by the shop's clock.
    """

    timing: Timing
    units: int
    accounts: Mapping[str, Kind]
    winners: Counter[str]
    exact: bool
    first: float
    last: float
    diaries: list[Diary]
    lags: dict[str, list[float]]
    cpu: dict[str, float] = field(default_factory=dict)
    pace: float = 0.0
    """How fast the machine was: see ``bench.cost.pace``."""

    def of(self, kind: Kind) -> list[Diary]:
        """The diaries of one kind."""
        return [diary for diary in self.diaries if diary.kind == kind]


def race(folder: Path, scale: Scale, timing: Timing, seed: int) -> Outcome:
    """Have the crowd race. Raises CannotStart and CannotMeasure."""
    with (
        Stage(folder, SETTINGS) as stage,
        stage.server(SHOP, WEB_PROCESSES) as server,
        _process() as for_people,
        _process() as for_scripts,
    ):
        cast = Cast(stage, server, scale, timing, seed)
        people, scripts, patient = cast.people(), cast.scripts(), cast.patient()
        wait([for_people.submit(crowd.ready), for_scripts.submit(crowd.ready)])
        pace = cost.pace()
        sale = _open_sale(stage, scale, timing)
        plan = _plan(server, sale, scale)
        with cost.counted(stage.pids(server)) as spent:
            crowds = {
                "people": for_people.submit(crowd.run, replace(plan, people=people)),
                "scripts": for_scripts.submit(crowd.run, replace(plan, people=patient, scripts=scripts)),
            }
            found = {name: one.result() for name, one in crowds.items()}
        if (ahead := min(one.ahead for one in found.values())) < 0:
            raise CannotMeasure(f"The crowd came {-ahead:.1f} s late: this machine is too busy. Try again.")
        return replace(_outcome(stage, sale, cast, timing, found, spent.cpu), pace=pace)


def _process() -> ProcessPoolExecutor:
    """A process for a part of the crowd. Ctrl-C ends it without a word."""
    return ProcessPoolExecutor(1, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_DFL))


def _open_sale(stage: Stage, scale: Scale, timing: Timing) -> Sale:
    starts = math.ceil(stage.inside.memory.now_ms() / 1000 + AHEAD + scale.lead)
    age = AGE if timing is Timing.GUARDED else 0
    draw = scale.draw if timing is Timing.BY_LOT else 0
    terms = Terms(PRODUCT, scale.units, "swarm", starts, starts + LASTS, price=100, min_account_age=age, draw=draw)
    return selling.open_sale(stage.inside, None, terms).sale


def _plan(server: Server, sale: Sale, scale: Scale) -> Plan:
    path = f"/miaosha/{quote(sale.terms.product)}"
    return Plan(server.url, path, sale.id, sale.terms.begins, scale.lasts, scale.rate, sale.terms.draw)


def _outcome(
    stage: Stage, sale: Sale, cast: Cast, timing: Timing, found: Mapping[str, Diaries], spent: Mapping[str, float]
) -> Outcome:
    shop = stage.inside
    until(lambda: not shop.sales.some([sale.id])[0].units.reserved, SETTLED, "not every order was placed")
    orders = [fields for _, fields in shop.orders.all_of({sale.id})[sale.id] if fields["state"] == "pending"]
    winners = Counter(fields["shopper_name"] for fields in orders)
    diaries = [diary for one in found.values() for diary in one.diaries]
    taken = sorted(int(fields["at"]) / 1000 - sale.terms.begins for fields in orders)
    first = taken[0] if taken else math.inf
    if sale.terms.draw:
        entered = {name for diary in diaries for name in diary.entered}
        right = winners.keys() <= entered and len(orders) == min(len(entered), sale.terms.num)
    else:
        right = sum(len(diary.won) for diary in diaries) == len(orders)
    right = right and len(orders) <= sale.terms.num and max(winners.values(), default=0) <= 1
    return Outcome(
        timing=timing,
        units=sale.terms.num,
        accounts=cast.accounts,
        winners=winners,
        exact=auditing.audit(shop, sale.id).adds_up and right and first >= sale.terms.draw,
        first=first,
        last=taken[-1] if taken else math.inf,
        diaries=diaries,
        lags={name: one.lags for name, one in found.items()},
        cpu={**spent, **{f"{name}'s clients": one.cpu for name, one in found.items()}},
    )

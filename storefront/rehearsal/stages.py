"""One stage: a sale of the shadow opens at a set second, the crowd asks, and everything is measured and counted."""

import json
import math
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

from storefront.domain.account import Account, Seniority
from storefront.domain.sale import Proof, Sale, Terms
from storefront.local.demo.client import loopback_address, own_addresses
from storefront.local.process import Process
from storefront.rehearsal import crowd, seeding
from storefront.rehearsal.crowd import Diary, Entry, Plan
from storefront.rehearsal.faults import CannotRehearse
from storefront.rehearsal.figures import Stage
from storefront.rehearsal.gauges import Gauges
from storefront.rehearsal.shadow import Shadow
from storefront.services import auditing, selling, tokens

AHEAD = 1.0
"""Seconds before the start in which the crowd's processes start, and everybody connects …"""

CONNECTING = 0.001
"""… and for each shopper so many more."""

PATIENCE = 10.0
"""Seconds that the crowd waits for the last answers."""

PAYS_WITHIN = 1.5
"""Seconds in which those pay who do, at least; in longer stages, half of one."""

PLACED = 60.0
"""Seconds that the order worker may take for the last order."""

LASTS = 24 * 3600
"""Seconds that a stage's sale lasts."""


@dataclass(frozen=True)
class Script:
    """What the crowd does. ``paying`` and ``looking`` are parts of one; ``parts`` how many processes the crowd has."""

    seconds: float
    looking: float
    paying: float
    parts: int


@dataclass(frozen=True)
class Load:
    """So many ``requests``, due within so many ``seconds``."""

    requests: int
    seconds: float
    is_opening: bool = False


class Theatre:
    """Has one stage after the other on a shadow, with the terms of one sale."""

    def __init__(self, shadow: Shadow, terms: Terms, shoppers: int, script: Script) -> None:
        self._shadow, self._terms, self._script = shadow, terms, script
        if not own_addresses(shadow.local.url):
            raise CannotRehearse(
                "Each shopper needs a loopback address of their own, which Linux has. Rehearse on Linux."
            )
        shop = shadow.inside
        ago = terms.min_account_age + 3600
        registered = shop.memory.now_ms() - ago * 1000
        who = [
            replace(one, seniority=Seniority(registered))
            for one in seeding.people(shop, shoppers, 0, secrets.token_hex(8))
        ]  # fmt: skip
        seeding.register(shop, who, ago)
        self._shoppers = [(self._token(one), loopback_address(number)) for number, one in enumerate(who)]
        self._stages = 0

    def _token(self, account: Account) -> str:
        config = self._shadow.inside.config
        return tokens.issue(account, config.secret, max(config.token_lifetime, LASTS))

    def have(self, load: Load, progress: Callable[[float], None]) -> Stage:
        """Have a stage; ``progress`` is told the seconds since its start. Raises CannotRehearse."""
        shop = self._shadow.inside
        needed = min(len(self._shoppers), load.requests)
        began = time.time()
        sale = self._open(began + AHEAD + needed * CONNECTING)
        start = sale.terms.begins + began - self._clock(began)
        plans = list(self._plans(load, sale, start))
        with self._crowd(plans) as parts:
            gauges = Gauges(self._shadow, [part.pid or 0 for part in parts])
            while time.time() < start:
                self._require(parts)
                time.sleep(min(0.05, max(0.0, start - time.time())))
            with gauges:
                while (since := time.time() - start) < load.seconds:
                    progress(since)
                    time.sleep(min(0.1, load.seconds - since))
            self._await(parts, start + load.seconds + self._script.seconds + PATIENCE * 2)
            diaries = [_diary(plan) for plan in plans]
        if (ahead := min(one.ahead for one in diaries)) < 0:
            raise CannotRehearse(
                f"The crowd was {-ahead:.1f} s late at the sale's opening: this machine is too busy. Try again."
            )
        self._settle(sale)
        units = shop.sales.some([sale.id])[0].units
        return Stage(
            rate=load.requests / load.seconds,
            seconds=load.seconds,
            units=sale.terms.num,
            entries=[one for diary in diaries for one in diary.entries],
            late=[late for diary in diaries for late in diary.late],
            gauged=gauges.read,
            sold=units.unpaid + units.paid,
            adds_up=auditing.audit(shop, sale.id).adds_up,
            is_opening=load.is_opening,
        )

    def _clock(self, now: float) -> float:
        """What the shop's clock, Redis's, shows when this machine's shows ``now``."""
        return now + self._shadow.inside.memory.now_ms() / 1000 - time.time()

    def _open(self, earliest: float) -> Sale:
        """A sale like the one that is rehearsed, that begins at the first full second from ``earliest`` on."""
        self._stages += 1
        begins = math.ceil(self._clock(earliest))
        terms = replace(
            self._terms, product=f"{self._terms.product} {self._stages}", begins=begins, ends=begins + LASTS,
            proof=Proof.OFF, draw=0, image="",
        )  # fmt: skip
        return selling.open_sale(self._shadow.inside, None, terms).sale

    def _plans(self, load: Load, sale: Sale, start: float) -> Iterator[Plan]:
        parts = self._script.parts
        folder = self._shadow.local.var
        for part in range(parts):
            yield Plan(
                host="127.0.0.1",
                port=self._shadow.local.port,
                path="/miaosha/" + quote(sale.terms.product, safe=""),
                start=start,
                seconds=load.seconds,
                requests=load.requests // parts + (part < load.requests % parts),
                tokens=self._shoppers[part::parts],
                looking=0.0 if load.is_opening else self._script.looking,
                paying=self._script.paying,
                pays_within=max(PAYS_WITHIN, self._script.seconds / 2),
                patience=PATIENCE + self._script.seconds / 2,
                seed=self._stages * parts + part,
                out=str(folder / f"diary-{self._stages}-{part}.json"),
            )

    @contextmanager
    def _crowd(self, plans: Sequence[Plan]) -> Iterator[list[Process]]:
        parts = [self._part(plan, number) for number, plan in enumerate(plans)]
        try:
            for part in parts:
                part.start()
            yield parts
        finally:
            for part in parts:
                part.kill()

    def _part(self, plan: Plan, number: int) -> Process:
        file = Path(plan.out).with_suffix(".plan")
        file.write_text(json.dumps(asdict(plan)))
        argv = [sys.executable, "-I", "-S", crowd.__file__, str(file)]
        return self._shadow.local.companion(f"crowd-{number}", argv)

    def _require(self, parts: Sequence[Process]) -> None:
        for part in parts:
            if not part.running:
                said = " ".join(part.last_lines()) or part.ending
                raise CannotRehearse(f"The crowd did not come: {said}")

    def _await(self, parts: Sequence[Process], until: float) -> None:
        while any(part.running for part in parts):
            if time.time() > until:
                raise CannotRehearse("The crowd did not end: this machine is too busy. Try a lower rate.")
            time.sleep(0.02)

    def _settle(self, sale: Sale) -> None:
        """Wait until the order worker has placed what was told yes."""
        shop, deadline = self._shadow.inside, time.monotonic() + PLACED
        while shop.sales.some([sale.id])[0].units.reserved and time.monotonic() < deadline:
            time.sleep(0.02)


def _diary(plan: Plan) -> Diary:
    try:
        found = json.loads(Path(plan.out).read_text())
    except OSError as fault:
        raise CannotRehearse("A part of the crowd ended without its diary: this machine has no memory left?") from fault
    return Diary(**found | {"entries": [Entry(*one) for one in found["entries"]]})

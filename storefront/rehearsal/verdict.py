"""The verdict, by arithmetic alone: which rate was held, what saturates first and why, and what the crowd needs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storefront.rehearsal.figures import BROKER, CROWD, GOOD, ORDERS, REDIS, WEB, Stage, percentile

KEEPS_UP = 0.97
"""The part of the offered rate that must be answered while it is offered."""

FULL = 0.9
"""The share of a core from which a process counts as having no more to give: it can use one alone."""

IDLE = 0.05
"""The part of all cores that is idle when a machine has no more to give."""

BUSY = 0.6
"""The share of a core that may be planned with: what comes beyond the expected is met with the rest."""

LATE = 50.0
"""Milliseconds by which 99 of 100 requests may leave late: else latencies say more of the load than of the shop."""

NOISE = 0.2
"""Cores that other programs may use before the figures say as much of them as of the shop."""

BEHIND = 1.0
"""Seconds of work by which the order worker may have fallen further behind within a stage."""

SLOW_APPEND = 100.0
"""Milliseconds: a ledger that takes as long for most records is what a purchase waits for."""


@dataclass(frozen=True)
class Asked:
    """What was asked for: the rate, 99 of 100 answers within ``p99`` ms, from so many ``shoppers``.

    ``cores`` of this machine are shared by all that is on it; of ``web`` processes and ``workers`` the shadow had so
    many. ``parts`` are the processes of the load.
    """

    rate: float
    p99: float
    shoppers: int
    cores: int
    web: int
    workers: int
    parts: int = 1


@dataclass(frozen=True)
class Limit:
    """What saturates first: a word for it, and the reason as a sentence."""

    what: str
    why: str


def is_held(stage: Stage, p99: float) -> bool:
    """Whether a stage's rate was held: answers kept up with it, came in time, and none was an error."""
    return stage.answered >= KEEPS_UP * stage.offered and stage.p99 <= p99 and not stage.errors and stage.is_exact


def held(stages: Sequence[Stage], p99: float) -> Stage | None:
    """The stage of the highest rate that was held, and all below it; None if none was."""
    best = None
    for stage in sorted(stages, key=lambda one: one.rate):
        if not is_held(stage, p99):
            break
        best = stage
    return best


def limit(stage: Stage, asked: Asked) -> Limit:
    """What a stage that wasn't held ran into. The load itself comes first: nothing else can be told then."""
    return next(_limits(stage, asked))


def _limits(stage: Stage, asked: Asked) -> Iterator[Limit]:
    gauged = stage.gauged
    busiest = {group: gauged.busiest.get(group, 0.0) for group in (CROWD, WEB, REDIS, ORDERS, BROKER)}
    behind, append = _behind(stage), percentile(gauged.appends, 0.5)
    if busiest[CROWD] >= FULL:
        yield Limit(CROWD, f"the load itself used up to {busiest[CROWD]:.0%} of a core, and can't use more")
    if busiest[WEB] >= FULL:
        yield Limit(WEB, f"a web process used up to {busiest[WEB]:.0%} of a core, and can't use more")
    if busiest[REDIS] >= FULL:
        yield Limit(REDIS, f"it used up to {busiest[REDIS]:.0%} of a core, and has one thread")
    if behind >= BEHIND:
        yield Limit(
            ORDERS,
            f"it fell {behind:.1f} s further behind, to {gauged.lags[-1]} records, and used up to {busiest[ORDERS]:.0%}"
            " of a core",
        )
    if gauged.idle <= IDLE:
        yield Limit("the machine", f"all its {asked.cores} cores were in use ({_users(stage)})")
    if append >= SLOW_APPEND:
        yield Limit("ledger", f"half of all records took it {append:.0f} ms or more to acknowledge")
    if stage.lateness > LATE:
        yield Limit(CROWD, f"one request of a hundred left {stage.lateness:.0f} ms late")
    if stage.errors:
        codes = ", ".join(f"{code} {number}" for code, number in stage.codes.most_common() if code not in GOOD)
        yield Limit("errors", f"there were answers that a crowd should not get ({codes})")
    most = max(busiest, key=lambda group: busiest[group])
    yield Limit("nothing seen", f"no core is used up; the busiest was the {most}, with {busiest[most]:.0%} of one")


def _users(stage: Stage) -> str:
    users = sorted([*stage.gauged.cpu.items(), ("other programs", stage.gauged.others)], key=lambda one: -one[1])
    return ", ".join(f"{group} {used / stage.gauged.seconds:.2f}" for group, used in users)


def _last(lags: Sequence[int]) -> int:
    return lags[-1] if lags else 0


def _behind(stage: Stage) -> float:
    """By how many seconds of its work the order worker fell further behind within a stage."""
    gauged = stage.gauged
    if len(gauged.lags) < 2 or not gauged.applied:
        return 0.0
    return (gauged.lags[-1] - gauged.lags[0]) / (gauged.applied / gauged.seconds)


def web_processes(stage: Stage, rate: float) -> int:
    """How many web processes such a rate needs, by what a request of this stage cost them."""
    return max(1, math.ceil(rate * stage.cpu_each(WEB) / BUSY))


def worker_load(stage: Stage) -> float:
    """The share of a core that an order worker would use to keep up with this stage's records as they came."""
    gauged = stage.gauged
    came = gauged.applied + max(0, _last(gauged.lags))
    return gauged.cpu.get(ORDERS, 0.0) / max(1, gauged.applied) * came / gauged.seconds


def sentences(stages: Sequence[Stage], asked: Asked) -> Iterator[str]:
    """The verdict in plain sentences."""
    steps = [one for one in stages if not one.is_opening]
    best, at_rate = held(steps, asked.p99), min(steps, key=lambda one: abs(one.rate - asked.rate))
    if best is None:
        yield f"No rate was held: already {steps[0].rate:,.0f} requests a second are too many."
    else:
        word = "held" if best.rate >= asked.rate else "not held"
        yield (
            f"{asked.rate:,.0f} requests a second: {word}. The highest rate that was held: {best.rate:,.0f} a second, "
            f"with {best.p50:,.1f} ms for half of all answers, {best.p99:,.1f} ms for 99 of 100."
        )
    if best is None or best.rate < asked.rate:
        yield f"At {at_rate.rate:,.0f} a second: {_fell_short(at_rate, asked)}."
    broken = [one for one in steps if not is_held(one, asked.p99)]
    if broken:
        found = limit(broken[0], asked)
        yield f"What saturates first: {found.what}, at {broken[0].rate:,.0f} a second, since {found.why}."
        if found.what == CROWD:
            yield "So how much more the shop holds can't be told from here: the load would have to come from elsewhere."
    else:
        yield f"Nothing saturated up to {steps[-1].rate:,.0f} a second, where the rehearsal ended."
    yield from _needs(at_rate, stages, asked)
    yield from _opening(stages, asked)
    yield _exact(stages)


def _fell_short(stage: Stage, asked: Asked) -> str:
    reasons = []
    if stage.answered < KEEPS_UP * stage.offered:
        reasons.append(f"{stage.answered:,.0f} of {stage.offered:,.0f} were answered in time")
    if stage.p99 > asked.p99:
        reasons.append(f"99 of 100 answers took up to {stage.p99:,.0f} ms, more than {asked.p99:,.0f}")
    if stage.errors:
        reasons.append(f"{stage.errors} answers were errors")
    return "; ".join(reasons) or "it was not tried, or the units did not add up"


def _needs(stage: Stage, stages: Sequence[Stage], asked: Asked) -> Iterator[str]:
    needed = web_processes(stage, asked.rate)
    at_once = web_processes(next((one for one in stages if one.is_opening), stage), asked.shoppers)
    yield (
        f"{asked.rate:,.0f} requests a second need {needed} web process{'' if needed == 1 else 'es'}, at "
        f"{stage.cpu_each(WEB) * 1e6:,.0f} µs of CPU a request and {BUSY:.0%} load; {at_once} if all "
        f"{asked.shoppers:,} are to be answered within the second in which they press. The shadow had {asked.web}."
    )
    busy = max(map(worker_load, stages))
    if busy <= BUSY:
        yield f"One order worker is enough ({busy:.0%} of a core at most); a second keeps the shop going if it dies."
    else:
        yield (
            f"An order worker would use {busy:.0%} of a core to keep up, so orders are placed a while after their yes. "
            "More workers help where several sales open at once; one sale's records are all read by one."
        )


def _opening(stages: Sequence[Stage], asked: Asked) -> Iterator[str]:
    for stage in stages:
        if stage.is_opening:
            yield (
                f"The opening, {asked.shoppers:,} presses within one second: everybody had an answer after "
                f"{stage.over:.1f} s, half within {stage.p50:,.0f} ms and 99 of 100 within {stage.p99:,.0f} ms; "
                f"{stage.sold:,} of {stage.units:,} units were sold, and {stage.errors} answers were errors."
            )


def _exact(stages: Sequence[Stage]) -> str:
    wrong = [one for one in stages if not one.is_exact]
    if wrong:
        return f"THE UNITS DO NOT ADD UP in {len(wrong)} of {len(stages)} sales: look into it before the day."
    sold = sum(one.sold for one in stages)
    return f"Every unit is accounted for: {len(stages)} sales, {sold:,} units sold, none twice, none too many."


def caveats(stages: Sequence[Stage], asked: Asked) -> Iterator[str]:
    """What one must know to read the figures right."""
    gauged = stages[-1].gauged
    share = sum(one.gauged.cpu.get(CROWD, 0.0) for one in stages) / sum(one.gauged.seconds for one in stages)
    yield (
        f"The load shares this machine's {asked.cores} cores with what it measures, and took {share:.2f} of one on "
        "average: on the day that is elsewhere."
    )
    others = max(one.gauged.others / one.gauged.seconds for one in stages)
    if others >= NOISE:
        yield f"Other programs on this machine used up to {others:.2f} of its cores: rehearse again when it is quiet."
    unseen = [name for name in (REDIS, BROKER) if name not in gauged.cpu]
    if unseen:
        yield f"Not on this machine, or another user's, so its CPU was not seen: {' and '.join(unseen)}."
    yield "The live shop goes on meanwhile: its Redis and its broker serve both, and their CPU is for both."

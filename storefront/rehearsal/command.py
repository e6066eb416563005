"""The door: `flask --app wsgi rehearse SALE --shoppers N --rate R`. It prints, draws, and gives the exit status."""

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from redis.exceptions import RedisError

from storefront.domain.errors import LedgerDown, Refused
from storefront.domain.ids import is_sale_id
from storefront.domain.sale import Proof, Sale
from storefront.domain.text import normal
from storefront.local.faults import CannotStart
from storefront.local.screen import Screen
from storefront.rehearsal import machine, plot, shadow, verdict
from storefront.rehearsal.faults import CannotRehearse
from storefront.rehearsal.figures import Stage, percentile
from storefront.rehearsal.programme import Programme, most_from, play
from storefront.rehearsal.shadow import Size
from storefront.rehearsal.stages import Script
from storefront.rehearsal.verdict import Asked
from storefront.shop import Shop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CORES_A_PART = 4
"""Of so many cores the crowd may take one for each of its processes."""


@click.command("rehearse")
@click.argument("sale")
@click.option("--shoppers", required=True, type=click.IntRange(1, 100_000), help="How many come, each an account.")
@click.option("--rate", required=True, type=click.FloatRange(min=1), help="Requests a second that are expected.")
@click.option("--p99", default=250.0, show_default=True, help="Milliseconds in which 99 of 100 must be answered.")
@click.option("--seconds", default=8.0, show_default=True, type=click.FloatRange(1, 600), help="Of each stage.")
@click.option("--web", type=click.IntRange(1, 256), help="Web processes; else as many as the shop runs here, or cores.")
@click.option("--workers", type=click.IntRange(1, 64), help="Order workers; else as many as the shop runs here, or 1.")
@click.option(
    "--looking", default=10, show_default=True, type=click.IntRange(0, 100), help="Percent who load the page."
)
@click.option("--paying", default=50, show_default=True, type=click.IntRange(0, 100), help="Percent of buyers who pay.")
@click.option("--svg", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Where the plot goes.")
@click.option("--json", "figures", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="And figures.")
@with_appcontext
def rehearse(
    sale: str, shoppers: int, rate: float, p99: float, svg: Path | None, figures: Path | None, **how: Any
) -> None:
    """Try the sale out with the id SALE, or the newest of the product SALE, on a shadow that leaves no trace.

    Exit status 0 if the rate was held, 1 if not, 2 if that could not be found out.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it, we say in a sentence of our own
    shop: Shop = current_app.extensions["shop"]
    screen = Screen()
    with _sentences(), _until_a_signal():
        found = _sale(shop, sale)
        asked = _asked(shop, shoppers, rate, p99, how)
        if rate > (most := most_from(shop.config, shoppers)):
            raise CannotRehearse(
                f"{shoppers} shoppers can't make {rate:,.0f} requests a second: STOREFRONT_LIMIT_BUY_ACCOUNT lets each "
                f"make {most / shoppers:,.1f} safely. Give more shoppers, or a rate up to {most:,.0f}."
            )
        svg = svg or Path(f"rehearsal-{found.id}.svg")
        for file in filter(None, (svg, figures)):
            if not file.absolute().parent.is_dir():
                raise CannotRehearse(f"There is no folder {file.absolute().parent} for {file.name}.")
        script = Script(how["seconds"], how["looking"] / 100, how["paying"] / 100, asked.parts)
        stages = _played(shop, found, asked, script, screen)
        _tell(stages, asked, screen)
        svg.write_text(plot.drawn(f"Rehearsal of “{found.product}”, {shoppers:,} shoppers", stages, p99))
        screen.say(f"The plot: {svg}")
        if figures:
            figures.write_text(json.dumps(_figures(found, stages, asked), indent=2, ensure_ascii=False) + "\n")
    best = verdict.held([one for one in stages if not one.is_opening], p99)
    sys.exit(0 if best and best.rate >= rate and all(one.is_exact for one in stages) else 1)


def _played(shop: Shop, sale: Sale, asked: Asked, script: Script, screen: Screen) -> list[Stage]:
    screen.say(
        f"Rehearsing “{sale.product}”: {sale.terms.num:,} units, {sale.terms.limit} for each; {asked.shoppers:,} "
        f"shoppers, {asked.rate:,.0f} requests a second; web processes: {asked.web}, order workers: {asked.workers}."
    )
    if sale.terms.proof != Proof.OFF:
        screen.say("The sale asks for a proof of work; the shadow asks for none, so all press at once.")
    if sale.terms.draw:
        screen.say(
            "The sale draws its units by lot; in the shadow who presses first buys first, and all press at once."
        )
    shadow.clear(shop.config, screen.say)
    programme = Programme(asked, script, most_from(shop.config, asked.shoppers))
    size, stages = Size(asked.web, asked.workers), []
    with shadow.cast(shop.config, size, asked.shoppers, screen) as one:
        for stage in play(one, sale.terms, programme, screen):
            stages.append(stage)
            screen.say(_line(stage, asked))
    return stages


def _sale(shop: Shop, wanted: str) -> Sale:
    found = shop.sales.get(wanted) if is_sale_id(wanted) else None
    found = found or shop.sales.of_product(normal(wanted))
    if found is None:
        raise CannotRehearse(f"There is no sale of “{wanted}”, and none with that id.")
    return found


def _asked(shop: Shop, shoppers: int, rate: float, p99: float, how: dict[str, Any]) -> Asked:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    web, workers = machine.running(shop.config.redis_url)
    return Asked(
        rate=rate,
        p99=p99,
        shoppers=shoppers,
        cores=cores,
        web=how["web"] or web or cores,
        workers=how["workers"] or workers or 1,
        parts=max(1, cores // CORES_A_PART),
    )


def _line(stage: Stage, asked: Asked) -> str:
    """A stage in one line."""
    gauged = stage.gauged
    name = "the opening" if stage.is_opening else f"{stage.rate:,.0f} a second"
    word = "" if stage.is_opening else ("   held" if verdict.is_held(stage, asked.p99) else "   NOT HELD")
    told = ", ".join(f"{code} {number:,}" for code, number in stage.codes.most_common())
    used = ", ".join(f"{group} {seconds / gauged.seconds:.2f}" for group, seconds in gauged.cpu.items())
    paid = f"; payments {percentile(stage.payments, 0.99):,.0f} ms" if stage.payments else ""
    return (
        f"{name}: {stage.answered:,.0f} of {stage.offered:,.0f} answered a second, p50 {stage.p50:,.1f} ms, "
        f"p99 {stage.p99:,.1f} ms{paid}{word}\n"
        f"    {told}\n"
        f"    cores: {used}; lag up to {max(gauged.lags, default=0)} records, "
        f"append {percentile(gauged.appends, 0.5):,.1f} ms"
    )


def _tell(stages: list[Stage], asked: Asked, screen: Screen) -> None:
    screen.say("")
    screen.say("The verdict", "bold")
    for sentence in verdict.sentences(stages, asked):
        screen.say(f"  {sentence}")
    screen.say("What to bear in mind", "bold")
    for sentence in verdict.caveats(stages, asked):
        screen.say(f"  {sentence}")


def _figures(sale: Sale, stages: list[Stage], asked: Asked) -> dict[str, Any]:
    """For programs: everything but the single requests."""
    return {
        "sale": sale.id,
        "product": sale.product,
        "asked": vars(asked),
        "verdict": [*verdict.sentences(stages, asked)],
        "caveats": [*verdict.caveats(stages, asked)],
        "stages": [
            {
                "opening": stage.is_opening,
                "rate": stage.rate,
                "seconds": stage.seconds,
                "offered": stage.offered,
                "answered": stage.answered,
                "p50_ms": stage.p50,
                "p99_ms": stage.p99,
                "payments_p99_ms": percentile(stage.payments, 0.99),
                "answers": stage.codes,
                "errors": stage.errors,
                "held": verdict.is_held(stage, asked.p99),
                "exact": stage.is_exact,
                "units": stage.units,
                "sold": stage.sold,
                "cores": {group: used / stage.gauged.seconds for group, used in stage.gauged.cpu.items()},
                "idle": stage.gauged.idle,
                "lag_records": max(stage.gauged.lags, default=0),
                "append_ms": percentile(stage.gauged.appends, 0.5),
                "load_late_ms": stage.lateness,
            }
            for stage in stages
        ],
    }


class _Cannot(click.ClickException):
    exit_code = 2


@contextmanager
def _sentences() -> Iterator[None]:
    """What prevents a rehearsal is a sentence on stderr."""
    try:
        yield
    except (CannotRehearse, CannotStart) as fault:
        raise _Cannot(str(fault)) from fault
    except LedgerDown as fault:
        raise _Cannot("Kafka does not answer (STOREFRONT_KAFKA).") from fault
    except RedisError as fault:
        raise _Cannot(f"Redis does not answer (STOREFRONT_REDIS_URL): {fault}") from fault
    except Refused as refusal:
        raise _Cannot(f"The shadow refused the rehearsal itself: {refusal.sentence % refusal.facts}") from refusal


@contextmanager
def _until_a_signal() -> Iterator[None]:
    """The first signal ends the block, and what it began is cleared away; further ones change nothing."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def init_app(app: Flask) -> None:
    """Give ``app`` this command."""
    app.cli.add_command(rehearse)

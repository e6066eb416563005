"""What is measured: each part as a function from a scene to rows of figures."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from bench import cost, load, seeding
from bench.load import Ask, CannotMeasure, Shot
from bench.scale import Scale
from bench.stage import FLASK, SHOP, WSGI, Server, Stage, until
from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import auditing

Row = dict[str, Any]
"""One line of results: its circumstances and its figures, by name."""

YARDSTICKS = {"bare Flask": FLASK, "bare WSGI": WSGI}
OURS = "the shop"
NO, YES = frozenset({409}), frozenset({200})
PATIENCE = 300
"""Seconds that a crowd may take until all have their answer."""

PLACED = 60.0
"""Seconds from the last answer that the order worker may take to place the last order."""


@dataclass(frozen=True)
class Scene:
    """A shop with shoppers: files with what each sends to buy, the buyers alone, and what each sends to log in."""

    stage: Stage
    scale: Scale
    presses: Path
    buyers: Path
    logins: Path
    somebody: Account


@contextmanager
def opened(folder: Path, scale: Scale) -> Iterator[Scene]:
    """A shop with so many shoppers as the scale has."""
    with Stage(folder) as stage:
        who = list(seeding.people(stage.inside, 0, scale.shoppers))
        seeding.register(stage, who)
        yield Scene(
            stage,
            scale,
            seeding.presses(stage, who, folder / "presses"),
            seeding.presses(stage, who[: scale.buyers], folder / "buyers"),
            seeding.logins(who, folder / "logins"),
            who[0],
        )


def buying(sale: Sale, presses: Path, expects: frozenset[int]) -> Ask:
    """Press a sale's button."""
    return Ask(f"/miaosha/{quote(sale.terms.product)}", presses, expects)


def sold_out_sale(scene: Scene) -> Sale:
    """A sale whose one unit is ordered."""
    sale = scene.stage.open_sale(1)
    seeding.order(scene.stage, sale, [scene.somebody], 1)
    return sale


# The parts


def sold_out(scene: Scene) -> list[Row]:
    """The flood at a sale that is sold out: every answer is a no."""
    ask = buying(sold_out_sale(scene), scene.presses, NO)
    with ExitStack() as stack:
        servers = _servers(scene, stack)
        return [row for connections in scene.scale.connections for row in compared(scene, servers, ask, connections)]


def page(scene: Scene) -> list[Row]:
    """The page of a sale that is live, for a visitor, and its status as JSON."""
    sale = scene.stage.open_sale(100)
    asks = {"sale page": Ask(f"/miaosha/{quote(sale.terms.product)}"), "status": Ask(f"/sales/{sale.id}/status")}
    with ExitStack() as stack:
        servers = _servers(scene, stack)
        return [
            {"what": what, **row}
            for what, ask in asks.items()
            for row in compared(scene, servers, ask, scene.scale.usual)
        ]


def login(scene: Scene) -> list[Row]:
    """Logging in, which is a password's hash above all."""
    with ExitStack() as stack:
        return compared(scene, _servers(scene, stack), Ask("/login", scene.logins), scene.scale.usual)


def crowd(scene: Scene) -> list[Row]:
    """Everybody presses once for far too few units, until the last order is placed."""
    with scene.stage.server(processes=2) as server:
        warm(scene, server)
        return [rush(scene, server, connections) for connections in scene.scale.connections]


def accepted(scene: Scene) -> list[Row]:
    """There are units for everybody: every press is a purchase."""
    scale = scene.scale
    with scene.stage.server(processes=2) as server:
        warm(scene, server)
        return [
            rush(scene, server, connections, scene.buyers, (scale.buyers, scale.buyers))
            for connections in scale.connections
        ]


# How they are measured


def _servers(scene: Scene, stack: ExitStack) -> dict[str, Server]:
    apps = {**YARDSTICKS, OURS: SHOP}
    return {name: stack.enter_context(scene.stage.server(app)) for name, app in apps.items()}


def compared(scene: Scene, servers: Mapping[str, Server], ask: Ask, connections: int) -> list[Row]:
    """The same load on several servers in turn, round by round; a row each, with medians, also of the ratios."""
    for name, server in servers.items():
        load.checked(server.url, Ask(ask.path, ask.bodies, YES) if name in YARDSTICKS else ask, connections)
    rounds = [
        {name: _measured(scene, name, server, ask, connections) for name, server in servers.items()}
        for _ in range(scene.scale.rounds)
    ]
    return [{"of": name, "connections": connections, **_medians(rounds, name)} for name in servers]


def _measured(scene: Scene, name: str, server: Server, ask: Ask, connections: int) -> Row:
    pids = {"web": server.pid} if name in YARDSTICKS else scene.stage.pids(server)
    with cost.counted(pids) as spent:
        shot = load.steady(server.url, ask, connections, scene.scale.seconds)
    return figures(shot, spent.each(shot.requests))


def figures(shot: Shot, each: Mapping[str, float]) -> Row:
    """A shot's figures, and CPU microseconds for each request, by process and in all."""
    shown = {name: value for name, value in asdict(shot).items() if name != "statuses"}
    return {
        **shown,
        "rate": shot.rate,
        **{f"cpu {name}": value for name, value in each.items()},
        "cpu": sum(each.values()),
    }


def _medians(rounds: Sequence[Mapping[str, Row]], name: str) -> Row:
    row = medians([one[name] for one in rounds])
    for yardstick in YARDSTICKS:
        if yardstick in rounds[0]:
            row[f"rate / {yardstick}"] = median(one[name]["rate"] / one[yardstick]["rate"] for one in rounds)
            row[f"cpu / {yardstick}"] = median(one[name]["cpu"] / max(one[yardstick]["cpu"], 0.1) for one in rounds)
    return row


def medians(rows: Sequence[Row]) -> Row:
    """Each figure's median over the rounds."""
    return {name: median(row[name] for row in rows) for name in rows[0]}


def warm(scene: Scene, server: Server) -> None:
    """Have a server answer for a second, so that what it makes on first use is made."""
    load.checked(server.url, buying(sold_out_sale(scene), scene.presses, NO), scene.scale.usual)


def rush(
    scene: Scene,
    server: Server,
    connections: int,
    presses: Path | None = None,
    numbers: tuple[int, int] | None = None,
) -> Row:
    """Everybody presses once at a new sale, in each round at another; until the last order is placed.

    ``numbers`` are those of shoppers and units. Raises CannotMeasure if a unit too many or too few was sold.
    """
    shoppers, units = numbers or (scene.scale.shoppers, scene.scale.units)
    rounds = [
        _rush(scene, server, connections, presses or scene.presses, shoppers, units) for _ in range(scene.scale.rounds)
    ]
    return {"connections": connections, "shoppers": shoppers, "units": units, **medians(rounds)}


def _rush(scene: Scene, server: Server, connections: int, presses: Path, shoppers: int, units: int) -> Row:
    shop = scene.stage.inside
    sale = scene.stage.open_sale(units)
    ask = buying(sale, presses, YES | NO)

    def all_placed() -> bool:
        now = shop.sales.some([sale.id])[0].units
        return now.unpaid == units and not now.reserved

    with cost.counted(scene.stage.pids(server)) as spent:
        shot, began = load.once(server.url, ask, connections, PATIENCE)
        until(all_placed, PLACED, f"not all of {units} orders were placed")
        over = time.monotonic() - began
    load.require_expected(ask, shot)
    told = shot.statuses.get("200", 0)
    report = auditing.audit(shop, sale.id)
    orders = sum(found.orders for found in report.findings)
    if not report.adds_up or (told, orders) != (units, units) or sum(shot.statuses.values()) != shoppers:
        raise CannotMeasure(
            f"The counts are not exact: {shoppers} shoppers, {units} units, {told} told yes, {orders} orders; "
            f"differences: {[found.differences for found in report.findings] or 'none'}."
        )
    return {**figures(shot, spent.each(shoppers)), "over": over, "placed": units / over}

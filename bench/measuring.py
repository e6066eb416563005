"""How it is measured: the same load on several servers in turn, and a rush until its last order is placed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench import cost, load
from bench.load import Ask, CannotMeasure, Shot
from bench.scene import NO, YES, Scene, button, sold_out_sale
from bench.stage import FLASK, WSGI, Server, until
from storefront.services import auditing

Row = dict[str, Any]
"""One line of results: its circumstances and its figures, by name."""

YARDSTICKS = {"bare Flask": FLASK, "bare WSGI": WSGI}
PATIENCE = 300
"""Seconds that a rush may take until all have their answer."""

PLACED = 60.0
"""Seconds from the last answer that the order worker may take to place the last order."""


def compared(scene: Scene, servers: Mapping[str, Server], ask: Ask, connections: int) -> list[Row]:
    """The same load on several servers in turn, round by round; a row each, with medians, also of the ratios.

    Those named in YARDSTICKS are bare: their cost is the web server's alone.
    """
    connections, seconds = ask.pace(connections, scene.scale.seconds)
    for name, server in servers.items():
        load.checked(server.url, replace(ask, expects=YES) if name in YARDSTICKS else ask, connections)
    rounds = [
        {name: _measured(scene, name, server, ask, connections, seconds) for name, server in servers.items()}
        for _ in range(scene.scale.rounds)
    ]
    return [{"of": name, "connections": connections, **_medians(rounds, name)} for name in servers]


def _measured(scene: Scene, name: str, server: Server, ask: Ask, connections: int, seconds: int) -> Row:
    pids = {"web": server.pid} if name in YARDSTICKS else scene.stage.pids(server)
    with cost.counted(pids) as spent:
        shot = load.steady(server.url, ask, connections, seconds)
    return _figures(shot, spent.each(shot.requests))


def _figures(shot: Shot, each: Mapping[str, float]) -> Row:
    """A shot's figures, and CPU microseconds for each request, by process and in all."""
    shown = {name: value for name, value in asdict(shot).items() if name != "statuses"}
    cpu = {f"cpu {name}": value for name, value in each.items()}
    return {**shown, "rate": shot.rate, **cpu, "cpu": sum(each.values())}


def _medians(rounds: Sequence[Mapping[str, Row]], name: str) -> Row:
    row = _median([one[name] for one in rounds])
    for yardstick in YARDSTICKS.keys() & rounds[0].keys():
        row[f"rate / {yardstick}"] = median(one[name]["rate"] / one[yardstick]["rate"] for one in rounds)
        row[f"cpu / {yardstick}"] = median(one[name]["cpu"] / max(1.0, one[yardstick]["cpu"]) for one in rounds)
    return row


def _median(rows: Sequence[Row]) -> Row:
    return {name: median(row[name] for row in rows) for name in rows[0]}


def warm(scene: Scene, server: Server) -> None:
    """Have a server answer for a second, so that what it makes on first use is made."""
    load.checked(server.url, button(sold_out_sale(scene), scene.presses), scene.scale.usual)


def rush(
    scene: Scene, server: Server, connections: int, *, presses: Path, shoppers: int, units: int, rounds: int = 0
) -> Row:
    """So many shoppers press once each at a new sale, in every round at another, until the last order is placed.

    Without a number of ``rounds`` there are as many as the scale has. Raises CannotMeasure if a unit too many or too
    few was sold, or an answer was neither yes nor no.
    """
    times = range(rounds or scene.scale.rounds)
    rows = [_rush(scene, server, connections, presses, shoppers, units) for _ in times]
    return {"connections": connections, "shoppers": shoppers, "units": units, **_median(rows)}


def _rush(scene: Scene, server: Server, connections: int, presses: Path, shoppers: int, units: int) -> Row:
    shop = scene.stage.inside
    sale = scene.stage.open_sale(units)
    ask = button(sale, presses, YES | NO)

    def all_placed() -> bool:
        now = shop.sales.some([sale.id])[0].units
        return now.unpaid == units and not now.reserved

    with cost.counted(scene.stage.pids(server)) as spent:
        shot, began = load.once(server.url, ask, connections, PATIENCE)
        until(all_placed, PLACED, f"not all of {units} orders were placed")
        over = time.monotonic() - began
    told = shot.statuses.get("200", 0)
    report = auditing.audit(shop, sale.id)
    orders = sum(found.orders for found in report.findings)
    refused = shot.statuses.get("409", 0)
    if not report.adds_up or (told, orders, refused) != (units, units, shoppers - units):
        raise CannotMeasure(
            f"The counts are not exact: {shoppers} shoppers, {units} units, answers {shot.statuses}, {orders} orders; "
            f"differences: {[one for found in report.findings for one in found.differences] or 'none'}."
        )
    return {**_figures(shot, spent.each(shoppers)), "over": over, "placed": units / over}

"""How it is measured: the same load on several servers in turn, and a rush until its last order is placed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from statistics import median
from typing import Any

from bench import cost, load, seeding
from bench.load import Ask, CannotMeasure, Shot
from bench.scene import NO, YES, Scene, button, sold_out_sale
from bench.stage import FLASK, WSGI, Server, until
from storefront.domain.account import Account
from storefront.services import auditing

Row = dict[str, Any]
"""One line of results: its circumstances and its figures, by name."""

LATENCIES = ("p50", "p90", "p99", "p999", "most")
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
    asks = {name: replace(ask, expects=YES) if name in YARDSTICKS else ask for name in servers}
    for name, server in servers.items():
        load.checked(server.url, asks[name], connections)
    rounds = [
        {name: _measured(scene, name, server, asks[name], connections, seconds) for name, server in servers.items()}
        for _ in range(scene.scale.rounds)
    ]
    return [{"of": name, "connections": connections, **_medians(rounds, name)} for name in servers]


def first(scene: Scene, server: Server, ask: Ask, seconds: int) -> Row:
    """What the shop's first seconds under a load cost, while it learns what it needs."""
    return {"of": "the shop", **_measured(scene, "the shop", server, ask, scene.scale.usual, seconds)}


def _measured(scene: Scene, name: str, server: Server, ask: Ask, connections: int, seconds: int) -> Row:
    pids = {"web": server.pid} if name in YARDSTICKS else scene.stage.pids(server)
    with cost.counted(pids) as spent:
        shot = load.steady(server.url, ask, connections, seconds)
    wrong = shot.refused if ask.expects == YES else shot.requests - shot.refused
    return {**_figures(shot, spent.each(shot.requests)), "wrong": wrong + shot.broken}


def _figures(shot: Shot, each: Mapping[str, float]) -> Row:
    """A shot's figures, and CPU microseconds for each request, by process and in all."""
    shown = {name: value for name, value in asdict(shot).items() if name in LATENCIES}
    cpu = {f"cpu {name}": value for name, value in each.items()}
    return {**shown, "rate": shot.rate, **cpu, "cpu": sum(each.values())}


def _medians(rounds: Sequence[Mapping[str, Row]], name: str) -> Row:
    row = _middle([one[name] for one in rounds])
    for yardstick in YARDSTICKS.keys() & rounds[0].keys():
        row[f"rate / {yardstick}"] = median(one[name]["rate"] / one[yardstick]["rate"] for one in rounds)
        row[f"cpu / {yardstick}"] = median(one[name]["cpu"] / max(1.0, one[yardstick]["cpu"]) for one in rounds)
    return row


def _middle(rows: Sequence[Row]) -> Row:
    """Each figure's median; of what went wrong the sum, since none of it may be passed over."""
    return {name: (sum if name == "wrong" else median)(row[name] for row in rows) for name in rows[0]}


def warm(scene: Scene, server: Server) -> None:
    """Have a server answer for a second, so that what it makes on first use is made."""
    load.checked(server.url, button(sold_out_sale(scene), scene.presses), scene.scale.usual)


def rush(
    scene: Scene, server: Server, connections: int, *, shoppers: Sequence[Account], units: int, rounds: int = 0
) -> Row:
    """Shoppers press once each at a new sale, in every round at another, until the last order is placed.

    Without a number of ``rounds`` there are as many as the scale has. Raises CannotMeasure if a unit too many or too
    few was sold, or an answer was neither yes nor no.
    """
    rows = [_rush(scene, server, connections, shoppers, units) for _ in range(rounds or scene.scale.rounds)]
    return {"connections": connections, "shoppers": len(shoppers), "units": units, **_middle(rows)}


def _rush(scene: Scene, server: Server, connections: int, shoppers: Sequence[Account], units: int) -> Row:
    shop = scene.stage.inside
    sale = scene.stage.open_sale(units)
    presses = seeding.presses(scene.stage, shoppers, scene.stage.folder / "rush")  # by tokens that nobody has seen yet
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
    if not report.adds_up or (told, orders, refused) != (units, units, len(shoppers) - units):
        raise CannotMeasure(
            f"The counts are not exact: {len(shoppers)} shoppers, {units} units, answers {shot.statuses}, "
            f"{orders} orders, differences {[one for found in report.findings for one in found.differences] or 'none'}."
        )
    return {**_figures(shot, spent.each(len(shoppers))), "over": over, "placed": units / over}

"""What is measured: each part as a function from a scene to rows of figures."""

import time
from contextlib import ExitStack, suppress

from bench import buckets, cost, load
from bench.measuring import YARDSTICKS, Row, compared, rush, warm
from bench.scene import Scene, button, login, page_of, sold_out_sale, status_of
from bench.stage import FLASK, SHOP, Server
from storefront.domain.errors import AllHeld, SoldOut
from storefront.domain.ids import new_order_id

OURS = "the shop"
CORES = 2
"""The machine's cores that the targets are meant for: so many web processes, and everything else beside them."""

IN_DOUBT_AFTER = 600_000
"""Milliseconds for which the sweep leaves alone what is reserved to see what that costs."""


def sold_out(scene: Scene) -> list[Row]:
    """The flood at a sale that is sold out: every answer is a no. From a process for each core, and from one alone."""
    ask = button(sold_out_sale(scene), scene.presses)
    rows: list[Row] = []
    for processes, crowds in ((CORES, scene.scale.connections), (1, (scene.scale.usual,))):
        with ExitStack() as stack:
            servers = _servers(scene, stack, processes)
            for connections in crowds:
                rows += ({"processes": processes, **row} for row in compared(scene, servers, ask, connections))
    return rows


def crowd(scene: Scene) -> list[Row]:
    """Everybody presses once for far too few units."""
    with scene.stage.server(processes=CORES) as server:
        warm(scene, server)
        return [_crowd(scene, server, connections) for connections in scene.scale.rushing]


def _crowd(scene: Scene, server: Server, connections: int) -> Row:
    return rush(scene, server, connections, shoppers=scene.shoppers, units=scene.scale.units)


def accepted(scene: Scene) -> list[Row]:
    """There are units for everybody: every press is a purchase."""
    buyers = scene.shoppers[: scene.scale.buyers]
    with scene.stage.server(processes=CORES) as server:
        warm(scene, server)
        return [
            rush(scene, server, connections, shoppers=buyers, units=len(buyers)) for connections in scene.scale.rushing
        ]


def page(scene: Scene) -> list[Row]:
    """The page of a sale that is live, and its status."""
    sale = scene.stage.open_sale(100)
    with ExitStack() as stack:
        servers = _servers(scene, stack)
        return [
            {"what": what, **row}
            for what, ask in {"sale page": page_of(sale), "status": status_of(sale)}.items()
            for row in compared(scene, servers, ask, scene.scale.usual)
        ]


def logging_in(scene: Scene) -> list[Row]:
    """Logging in, which is a password's hash above all."""
    with ExitStack() as stack:
        return compared(scene, _servers(scene, stack), login(scene.logins), scene.scale.usual)


def _servers(scene: Scene, stack: ExitStack, processes: int = 1) -> dict[str, Server]:
    apps = {**YARDSTICKS, OURS: SHOP}
    return {name: stack.enter_context(scene.stage.server(app, processes)) for name, app in apps.items()}


def memory(scene: Scene) -> list[Row]:
    """Memory of a web process at rest and after a flood, and what the shop costs while nobody asks."""
    ask = button(sold_out_sale(scene), scene.presses)
    rows: list[Row] = []
    for name, app in {"bare Flask": FLASK, OURS: SHOP}.items():
        for number in scene.scale.processes if app == SHOP else (1,):
            with scene.stage.server(app, number) as server:
                row = {"of": name, "processes": number, **_memory(server, "at rest")}
                if app == SHOP:
                    with cost.counted(scene.stage.pids(server)) as spent:
                        time.sleep(scene.scale.seconds)
                    row |= {f"cpu {one}": value * 1e3 / scene.scale.seconds for one, value in spent.cpu.items()}
                load.steady(server.url, ask, scene.scale.usual, 3 * scene.scale.seconds)
                rows.append({**row, **_memory(server, "after")})
    return rows


def _memory(server: Server, when: str) -> Row:
    """Mean of the server's processes in MiB."""
    each = [cost.memory_of(pid) for pid in cost.web_processes(server.pid)]
    return {
        f"uss {when}": sum(one.uss for one in each) / len(each),
        f"pss {when}": sum(one.pss for one in each) / len(each),
    }


def processes(scene: Scene) -> list[Row]:
    """Everything with more web processes, against one of bare Flask."""
    asks = {
        "sold-out flood": button(sold_out_sale(scene), scene.presses),
        "sale page": page_of(live := scene.stage.open_sale(100)),
        "status": status_of(live),
        "login": login(scene.logins),
    }
    with ExitStack() as stack:
        servers = {"bare Flask": stack.enter_context(scene.stage.server(FLASK))}
        numbers = {f"{OURS}, {number}": number for number in scene.scale.processes}
        ours = {name: stack.enter_context(scene.stage.server(processes=number)) for name, number in numbers.items()}
        rows = [
            {"what": what, "processes": numbers.get(row["of"], 1), **row}
            for what, ask in asks.items()
            for row in compared(scene, servers | ours, ask, scene.scale.usual)
        ]
        rows += [
            {"what": "rush", "processes": numbers[name], "of": name, **_crowd(scene, server, scene.scale.usual)}
            for name, server in ours.items()
        ]
    return rows


def hotter_than_one_redis(scene: Scene) -> list[Row]:
    """The simulation of buckets, with what a reservation costs this Redis."""
    yes, no = _reserving(scene, scene.scale.shoppers)
    costs = {"yes µs": yes * 1e6, "no µs": no * 1e6}
    return [
        {"sale": name, **outcome.row, **costs}
        for name, sale in buckets.sales(scene.scale.bucket_units, yes, no).items()
        for outcome in buckets.compare(sale, scene.scale.buckets)
    ]


def _reserving(scene: Scene, units: int) -> tuple[float, float]:
    """CPU seconds of Redis for a reservation that takes a unit, and for one that finds none, asked one by one."""
    shop, sale = scene.stage.inside, scene.stage.open_sale(units)
    redis = {"redis": scene.stage.local.processes["redis"].pid or 0}

    def each(first: int) -> float:
        with cost.counted(redis) as spent:
            for number in range(first, first + units):
                with suppress(SoldOut, AllHeld):
                    shop.orders.reserve(
                        sale.id, new_order_id(sale.id), str(number), "", doubt_ms=IN_DOUBT_AFTER, pay_ms=IN_DOUBT_AFTER
                    )
        return spent.cpu["redis"] / units

    return each(0), each(units)

"""How cost grows with the number of accounts, and with that of a sale's orders."""

import math
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import cost, seeding
from bench.load import Ask
from bench.measuring import Row, compared, first, rush
from bench.scale import Scale
from bench.scene import Scene, button, login, page_of, status_of
from bench.stage import FLASK, SHOP, Server, Stage
from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.stores import snapshots

SAMPLE = 20_000
"""Of all accounts about so many press the button and log in, at most."""

ONCE = 1000
"""So many of them buy."""


def growth(folder: Path, scale: Scale, sizes: tuple[int, ...]) -> list[Row]:
    """A shop of its own grows from size to size: so many accounts, and a sale that is sold out with so many orders."""
    rows: list[Row] = []
    with Stage(folder) as stage, ExitStack() as stack:
        servers = {
            name: stack.enter_context(stage.server(app)) for name, app in (("bare Flask", FLASK), ("the shop", SHOP))
        }
        before = 0
        for size in sizes:
            accounts, scene = _accounts(stage, scale, before, size)
            orders, sale = _orders(stage, size, first=10 * sizes[-1])
            rows.append({"what": "seeding", "size": size, **accounts, **orders})
            rows += [{"size": size, **row} for row in _cost(scene, servers, sale)]
            rows[-1]["uss"] = _uss(servers["the shop"])
            before = size
    return rows


def _accounts(stage: Stage, scale: Scale, before: int, size: int) -> tuple[Row, Scene]:
    """Register what is missing to ``size`` accounts, and have some of all who were registered here ready to press."""
    draw, drawn = random.Random(size), list[Account]()

    def newcomers() -> Iterator[Account]:
        for account in seeding.people(stage.inside, size - before, before):
            if draw.random() * size < SAMPLE:
                drawn.append(account)
            yield account

    memory = _redis_memory(stage)
    seeded = seeding.register(stage, newcomers())
    grown = _redis_memory(stage) - memory
    presses = seeding.presses(stage, drawn, stage.folder / f"presses {size}")
    logins = seeding.logins(drawn, stage.folder / f"logins {size}")
    row = {"accounts/s": seeded.rate, "accounts s": seeded.applied, "bytes an account": grown / seeded.records}
    return row, Scene(stage, scale, drawn, presses, logins)


def _orders(stage: Stage, size: int, first: int) -> tuple[Row, Sale]:
    """A sale that is sold out with so many orders. Their shoppers, numbered from ``first`` on, have left the shop."""
    memory = _redis_memory(stage)
    sale = stage.open_sale(size)
    seeded = seeding.order(stage, sale, seeding.people(stage.inside, size, first))
    grown = _redis_memory(stage) - memory
    return {"orders/s": seeded.rate, "orders s": seeded.applied, "bytes an order": grown / size}, sale


def _cost(scene: Scene, servers: dict[str, Server], sale: Sale) -> Iterator[Row]:
    asks: dict[str, Ask] = {
        "sold-out flood": button(sale, scene.presses),
        "sale page": page_of(sale),
        "status": status_of(sale),
        "login": login(scene.logins),
    }
    # A web process reads bit by bit who holds units of a very large sale, and asks Redis for others once meanwhile.
    until_known = math.ceil(sale.terms.num / snapshots.STEP * snapshots.FRESH) + scene.scale.seconds
    yield {"what": "at first", **first(scene, servers["the shop"], asks["sold-out flood"], until_known)}
    for what, ask in asks.items():
        for row in compared(scene, servers, ask, scene.scale.usual):
            yield {"what": what, **row}
    buyers = scene.shoppers[:ONCE]
    sold = rush(scene, servers["the shop"], scene.scale.usual, shoppers=buyers, units=len(buyers), rounds=1)
    yield {"what": "purchases", "of": "the shop", **sold}


def _redis_memory(stage: Stage) -> int:
    return int(stage.inside.memory.redis.info("memory")["used_memory"])


def _uss(server: Server) -> float:
    return cost.memory_of(cost.web_processes(server.pid)[0]).uss

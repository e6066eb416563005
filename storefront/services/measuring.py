"""Figures of the whole shop, for those who watch it: read when they are asked for, and the same from every process."""

from dataclasses import dataclass

from storefront.domain.sale import Sale
from storefront.shop import Shop
from storefront.stores.positions import Position
from storefront.stores.traffic import Route

MOST_SALES = 100
"""How many sales are told one by one, the newest in front."""

LEDGER_PATIENCE = 0.7
"""Seconds to wait for the ledger to say where it ends."""


@dataclass(frozen=True)
class Figures:
    """What stands in Redis now. ``ends`` is where the ledger ends, None if it didn't say so in time.

    ``refusals`` of purchases by sale and reason; ``traffic`` by method and route; ``alone`` are the web processes that
    count limits by themselves; ``webhooks_late`` is for how many seconds webhooks have waited to be sent.
    """

    sales: list[Sale]
    sales_in_all: int
    positions: dict[tuple[str, int], Position]
    ends: dict[tuple[str, int], int] | None
    anomalies: dict[str, int]
    agenda: int
    workers: int
    bans: int
    refusals: dict[str, dict[str, int]]
    traffic: dict[tuple[str, str], Route]
    alone: int
    webhooks_late: float

    @property
    def is_open(self) -> bool:
        """Whether the shop sells: the epoch in force is signed everywhere."""
        return all(held.signed == held.epoch for held in self.positions.values())


def measure(shop: Shop) -> Figures:
    """The figures now, of sales that haven't ended or still have something to settle."""
    partitions = shop.ledger.partitions
    now = shop.memory.now_ms()
    ids = shop.sales.watched(now // 1000)
    return Figures(
        sales=shop.sales.some(ids[:MOST_SALES]),
        sales_in_all=len(ids),
        positions=dict(zip(partitions, shop.positions.all_at(partitions), strict=True)),
        ends=shop.ends.look(LEDGER_PATIENCE),
        anomalies=shop.memory.anomalies(),
        agenda=shop.orders.waiting(ids),
        workers=shop.positions.workers(now),
        bans=shop.snapshots.bans_in_force(),
        refusals=shop.refusals.of_each(ids[:MOST_SALES]),
        traffic=shop.traffic.counts(),
        alone=shop.traffic.alone(),
        webhooks_late=shop.webhooks.late(),
    )

"""Who waits for a unit of a sale, in Redis: the ledger's effects, places, and offers to those in front."""

from typing import cast

from storefront.domain.records import Joined, Left, Requested
from storefront.stores import keys
from storefront.stores.memory import Memory
from storefront.stores.scripts import Call


def effect(record: Joined | Left, epoch: str, place: str) -> Call:
    """The script call that applies ``record``, read by a worker in ``epoch``; ``place`` as in ``scripts.place``."""
    name = record.shopper_name if isinstance(record, Joined) else ""
    return (
        "apply_waiting",
        [keys.sale(record.sale), keys.buyers(record.sale), keys.waitlist(record.sale), keys.waiters(record.sale)],
        [epoch, place, type(record).__name__.lower(), record.shopper, name, keys.orders_of_tag(record.sale)],
    )


class Waitlist:
    """Reads waitlists, and takes units for those who wait."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def place(self, sale: str, shopper: str) -> int | None:
        """Where a shopper stands, 1 being the front; None for one who doesn't wait."""
        rank = cast("int | None", self._memory.redis.zrank(keys.waitlist(sale), shopper))
        return None if rank is None else rank + 1

    def all(self, sale: str) -> list[tuple[str, str]]:
        """Everyone who waits, in order: pairs of shopper and name."""
        names = self._memory.hash(keys.waiters(sale))
        shoppers = cast("list[str]", self._memory.redis.zrange(keys.waitlist(sale), 0, -1))
        return [(shopper, names.get(shopper, "")) for shopper in shoppers]

    def offer(self, orders: dict[str, str], *, doubt_ms: int, pay_ms: int) -> list[Requested]:
        """Take a unit of each sale for whoever is in front there, as the order of a new id: sale → id in ``orders``.

        Returns the requests that must be appended, as after ``Orders.reserve``; a sale with nothing to offer has none.
        """
        told = self._memory.scripts.run_many([_offer(sale, order, doubt_ms, pay_ms) for sale, order in orders.items()])
        made: list[Requested] = []
        for (sale, order), (word, *facts) in zip(orders.items(), told, strict=True):
            if word == "offered":
                shopper, name, at, epoch, pay_by = facts
                made.append(
                    Requested(
                        at=int(at), sale=sale, order=order, shopper=shopper, shopper_name=name,
                        epoch=epoch, pay_by=int(pay_by),
                    )
                )  # fmt: skip
        return made


def _offer(sale: str, order: str, doubt_ms: int, pay_ms: int) -> Call:
    return (
        "offer",
        [
            keys.sale(sale), keys.buyers(sale), keys.order(order), keys.agenda(sale),
            keys.waitlist(sale), keys.waiters(sale),
        ],
        [order, keys.orders_of_tag(sale), doubt_ms, pay_ms],
    )  # fmt: skip

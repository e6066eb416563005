"""Who waits for a unit of a sale, in Redis: the ledger's effects, places, and offers to those in front."""

from typing import Any, NamedTuple, cast

from storefront.domain.ids import new_order_id
from storefront.domain.records import Joined, Left, Requested
from storefront.stores import keys
from storefront.stores.memory import Memory
from storefront.stores.scripts import Call

BEHIND_DRAWN = 1 << 53
"""Who entered a draw stands at this much less than their number (``apply_waiting.lua``), so in front of all others."""


class Waiter(NamedTuple):
    """Who waits: id and name, and the number with which they entered a draw, 0 for none."""

    shopper: str
    name: str
    number: int


def effect(record: Joined | Left, epoch: str, place: str) -> Call:
    """The script call that applies ``record``, read by a worker in ``epoch``; ``place`` as in ``scripts.place``."""
    name, number = (record.shopper_name, record.number) if isinstance(record, Joined) else ("", 0)
    return (
        "apply_waiting",
        [keys.sale(record.sale), keys.buyers(record.sale), keys.waitlist(record.sale), keys.waiters(record.sale)],
        [epoch, place, type(record).__name__.lower(), record.shopper, name, keys.orders_of_tag(record.sale), number],
    )


class Standing(NamedTuple):
    """A shopper's ``place`` on a waitlist, 1 in front, None for one who doesn't wait; and the orders they hold.

    Unless ``stands``, a mending of the ledger may still forget it: nobody is told then that they wait.
    """

    stands: bool
    place: int | None
    orders: tuple[str, ...]


class Waitlist:
    """Reads waitlists, and takes units for those who wait."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def place(self, sale: str, shopper: str) -> int | None:
        """Where a shopper stands, 1 being the front; None for one who doesn't wait."""
        rank = cast("int | None", self._memory.redis.zrank(keys.waitlist(sale), shopper))
        return None if rank is None else rank + 1

    def standings(self, waiters: list[tuple[str, str]]) -> list[Standing]:
        """Where shoppers stand, given as pairs of sale and shopper, in one round trip."""
        told = self._memory.scripts.run_many(
            [
                ("waits", [keys.sale(sale), keys.waitlist(sale), keys.buyers(sale)], [shopper])
                for sale, shopper in waiters
            ]
        )
        return [Standing(word == "open", int(place) or None, tuple(held)) for word, place, *held in told]

    def all(self, sale: str) -> list[Waiter]:
        """Everyone who waits, in order."""
        names = self._memory.hash(keys.waiters(sale))
        found = self._memory.redis.zrange(keys.waitlist(sale), 0, -1, withscores=True)
        return [
            Waiter(shopper, names.get(shopper, ""), int(score) + BEHIND_DRAWN if score < 0 else 0)
            for shopper, score in cast("list[tuple[str, float]]", found)
        ]

    def offer(
        self, sales: list[str], after: dict[str, str], most: int, *, doubt_ms: int, pay_ms: int, drawn_pay_ms: int
    ) -> list[Requested]:
        """Take units of each sale, ``most`` at most, for those in front there, ``pay_ms`` to pay or ``drawn_pay_ms``.

        Returns the requests that must be appended, as after ``Orders.reserve``; a sale with nothing to offer has none.
        ``after`` says behind which score of a sale's waitlist to begin (in front, if it says nothing), and is brought
        up to date: so a row of calls looks at each shopper once.
        """
        orders = {sale: [new_order_id(sale) for _ in range(most)] for sale in sales}
        times = [doubt_ms, pay_ms, drawn_pay_ms]
        told = self._memory.scripts.run_many(
            [_offer(sale, ids, [*times, after.get(sale, "-inf")]) for sale, ids in orders.items()]
        )
        made: list[Requested] = []
        for (sale, ids), answer in zip(orders.items(), told, strict=True):
            if not answer:
                continue
            at, epoch, after[sale], *each = answer
            for order, shopper, name, pay_by in zip(ids, each[::3], each[1::3], each[2::3], strict=False):
                made.append(
                    Requested(
                        at=int(at), sale=sale, order=order, shopper=shopper, shopper_name=name,
                        epoch=epoch, pay_by=int(pay_by),
                    )
                )  # fmt: skip
        return made


def _offer(sale: str, orders: list[str], facts: list[Any]) -> Call:
    return (
        "offer",
        [
            keys.sale(sale), keys.buyers(sale), keys.agenda(sale), keys.waitlist(sale), keys.waiters(sale),
            *map(keys.order, orders),
        ],
        [keys.orders_of_tag(sale), *facts, *orders],
    )  # fmt: skip

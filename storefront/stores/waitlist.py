"""Who waits for a unit of a sale, in Redis: the ledger's effects, places, and offers to those in front."""

from typing import Any, NamedTuple

from storefront.domain.draw import Entry, record_of
from storefront.domain.errors import Drawing, Recovering
from storefront.domain.ids import new_order_id
from storefront.domain.records import Joined, Left, Requested
from storefront.stores import keys
from storefront.stores.memory import Memory
from storefront.stores.orders import LOOK_AGAIN_MS
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
        [
            keys.sale(record.sale), keys.buyers(record.sale), keys.waitlist(record.sale), keys.waiters(record.sale),
            keys.entering(record.sale),
        ],
        [epoch, place, type(record).__name__.lower(), record.shopper, name, keys.orders_of_tag(record.sale), number],
    )  # fmt: skip


class Standing(NamedTuple):
    """A shopper's ``place`` on a waitlist, 1 in front, None for one who doesn't wait; and the orders they hold.

    ``entered`` for one who entered a draw, though they may have no place yet. Unless ``stands``, a mending of the
    ledger may still forget it: nobody is told then that they wait.
    """

    stands: bool
    place: int | None
    entered: bool
    orders: tuple[str, ...]


class Waitlist:
    """Reads waitlists, and takes units for those who wait."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def standing(self, sale: str, shopper: str, name: str) -> Standing:
        """Where a shopper of this name stands."""
        word, place, entered, *held = self._memory.scripts.run(
            "waits",
            [keys.sale(sale), keys.waitlist(sale), keys.buyers(sale), keys.entering(sale)],
            [shopper, keys.who_enters(shopper, name)],
        )
        return Standing(word == "open", place or None, bool(entered), tuple(held))

    def enter(self, sale: str, shopper: str, name: str, doubt_ms: int) -> Entry:
        """Note that a shopper enters a draw. Its record must be appended; if none comes, the sweep does so.

        Raises Recovering, or Drawing where nobody enters any more.
        """
        word, *facts = self._memory.scripts.run(
            "enter", [keys.sale(sale), keys.waitlist(sale), keys.entering(sale)], [shopper, name, doubt_ms]
        )
        if word != "noted":
            raise Recovering if word == "recovering" else Drawing
        at, seed, closes, stands = facts
        return Entry(record_of(sale, shopper, name, int(at), seed), int(closes), bool(stands))

    def all_entered(self, entries: list[Entry]) -> list[bool | Exception]:
        """Of each entry that stands in the ledger whether the shopper may be told so, or its own fault.

        One round trip. Raises Recovering.
        """
        told = self._memory.promises(
            [
                (
                    "entered",
                    [keys.waitlist(one.sale), keys.entering(one.sale), keys.buyers(one.sale)],
                    [one.shopper, keys.who_enters(one.shopper, one.shopper_name)],
                )
                for one in (entry.record for entry in entries)
            ]
        )
        return [word if isinstance(word, Exception) else word != "gone" for word in told]

    def forget_entry(self, sale: str, shopper: str, name: str) -> None:
        """Have the sweep send nothing more of a shopper who leaves."""
        self._memory.redis.zrem(keys.entering(sale), keys.who_enters(shopper, name))

    def doubtful(self, sales: list[str], most: int) -> list[Joined]:
        """The records of those who entered a draw some time ago and aren't on the waitlist, ``most`` of each sale."""
        told = self._memory.scripts.run_many(
            [("doubtful_entries", [keys.entering(sale), keys.sale(sale)], [most, LOOK_AGAIN_MS]) for sale in sales]
        )
        now = self._memory.now_ms() if any(len(found) > 1 for found in told) else 0
        return [
            record_of(sale, *keys.read_who_enters(one), now, seed)
            for sale, (seed, *found) in zip(sales, told, strict=True)
            for one in found
        ]

    def all(self, sale: str) -> list[Waiter]:
        """Everyone who waits, in order."""
        together = self._memory.redis.pipeline(transaction=True)  # apart, one who joins in between would have no name
        together.hgetall(keys.waiters(sale))
        together.zrange(keys.waitlist(sale), 0, -1, withscores=True)
        names, found = together.execute()
        return [
            Waiter(shopper, names.get(shopper, ""), int(score) + BEHIND_DRAWN if score < 0 else 0)
            for shopper, score in found
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
            keys.entering(sale), *map(keys.order, orders),
        ],
        [keys.orders_of_tag(sale), *facts, *orders],
    )  # fmt: skip

"""Everything that Redis holds of sales and orders, read in bounded pieces. For the audit, not for requests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar, cast

from storefront.stores import keys
from storefront.stores.memory import Memory

PIECE = 1000
"""How many keys are asked for in one round trip."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as it stands in Redis; all empty if it doesn't. ``held``: whether its shopper is said to hold it."""

    state: str
    sale: str
    shopper: str
    charge: str
    refund: str
    returns: str
    held: bool


def pieces(whole: Iterable[T], size: int = PIECE) -> Iterator[list[T]]:
    """``whole`` in lists of at most ``size``."""
    rest = iter(whole)
    while piece := list(islice(rest, size)):
        yield piece


class Census:
    """Reads all there is."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def names(self) -> Iterator[list[tuple[str, str]]]:
        """The keys of all sales and orders, each once at least, in pieces: pairs of "sale" or "order", and id."""
        cursor = 0
        while True:
            cursor, found = cast("tuple[int, list[str]]", self._memory.redis.scan(cursor, "{*}:*", PIECE))
            parts = [name.split(":", 2) for name in found]
            yield [(part[1], part[2]) for part in parts if part[1] in ("sale", "order")]
            if cursor == 0:
                return

    def orders(self, asked: list[tuple[str, str, str]]) -> list[Seen]:
        """Orders as they stand: asked for by sale, order and shopper (empty if that isn't known)."""
        found: list[Seen] = []
        for piece in pieces(asked):
            pipeline = self._memory.redis.pipeline(transaction=False)
            for sale, order, shopper in piece:
                pipeline.hmget(keys.order(order), ["state", "sale", "shopper", "charge", "refund", "returns"])
                pipeline.hget(keys.buyers(sale), shopper)
            answers: Iterator[Any] = iter(pipeline.execute())
            for (_, order, _), fields, held in zip(piece, answers, answers, strict=True):
                state, of_sale, of_shopper, charge, refund, returns = (one or "" for one in fields)
                found.append(Seen(state, of_sale, of_shopper, charge, refund, returns, order in (held or "").split()))
        return found

    def buyers(self, sale: str) -> Iterator[list[tuple[str, str]]]:
        """Who is said to hold which orders of a sale, in pieces: pairs of shopper and order."""
        cursor = 0
        while True:
            cursor, found = cast(
                "tuple[int, dict[str, str]]", self._memory.redis.hscan(keys.buyers(sale), cursor, count=PIECE)
            )
            yield [(shopper, order) for shopper, orders in found.items() for order in orders.split()]
            if cursor == 0:
                return

    def sales(self, ids: list[str]) -> dict[str, dict[str, str]]:
        """Every field of these sales, and at the same moment their ``waitlist``: the shoppers, separated by spaces.

        And how many ``payments`` are listed, and the ids of its ``changes``.

        No entry for a sale that isn't there.
        """
        found: dict[str, dict[str, str]] = {}
        for piece in pieces(ids, 100):
            pipeline = self._memory.redis.pipeline(transaction=True)
            for sale in piece:
                pipeline.hgetall(keys.sale(sale))
                pipeline.zrange(keys.waitlist(sale), 0, -1)
                pipeline.zcard(keys.sale_payments(sale))
                pipeline.hkeys(keys.changes(sale))
            answers: Iterator[Any] = iter(pipeline.execute())
            for sale, fields, waiting, payments, changes in zip(piece, *[answers] * 4, strict=True):
                if fields:
                    told = {"waitlist": " ".join(waiting), "payments": str(payments), "changes": " ".join(changes)}
                    found[sale] = fields | told
        return found

    def listed(self, sale: str, partition: int) -> bool:
        """Whether the shop's lists name a sale."""
        redis = self._memory.redis
        pipeline = redis.pipeline(transaction=False)
        pipeline.zscore(keys.SALES_BY_BEGIN, sale)
        pipeline.zscore(keys.SALES_BY_END, sale)
        pipeline.sismember(keys.sales_of_partition(partition), sale)
        begins, ends, member = pipeline.execute()
        return begins is not None and ends is not None and bool(member)

    def reservations(self, sale: str) -> tuple[int, int]:
        """How many reservations a sale counts, and how many there are, at one moment."""
        asked = self._memory.scripts.run("census", [keys.sale(sale), keys.agenda(sale)], [keys.orders_of_tag(sale)])
        counted, found = cast("list[int]", asked)
        return counted, found

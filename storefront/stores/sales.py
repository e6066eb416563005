"""Sales in Redis: looked up by product, listed, and opened by the ledger."""

from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple, cast

from storefront.domain.account import Account
from storefront.domain.picture import is_elsewhere
from storefront.domain.records import CalledOff, Extended, Opened, Reopened, line_of
from storefront.domain.sale import Look, Proof, Refunds, Sale, Terms, Units
from storefront.domain.text import folded
from storefront.stores import keys
from storefront.stores.accounts import account_from
from storefront.stores.memory import Memory, pairs
from storefront.stores.scripts import Call

MOST_TERMS = 500
"""Sales whose terms each process remembers."""


def _sale(sale_id: str, found: dict[str, str]) -> Sale:
    return Sale(
        id=sale_id,
        terms=Terms(
            product=found["product"],
            num=int(found["num"]),
            producter=found["producter"],
            begins=int(found["begins"]),
            ends=int(found["ends"]),
            price=int(found["price"]) if found["price"] else None,
            currency=found["currency"],
            limit=int(found["limit"]),
            description=found["description"],
            image=found["image"],
            proof=found.get("proof", Proof.OFF),
            min_account_age=int(found.get("min_account_age", 0)),
            draw=int(found.get("draw", 0)),
        ),
        units=Units(
            left=int(found["stock"]),
            reserved=int(found["reserved"]),
            unpaid=int(found["pending"]),
            paid=int(found["paid"]),
            expired=int(found["expired"]),
        ),
        merchant=found["merchant"],
        merchant_name=found["merchant_name"],
        refunds=Refunds(due=int(found.get("refund_due", 0)), done=int(found.get("refunded", 0))),
        waiting=0 if found.get("called_off") == "1" else int(found.get("waiting", 0)),
        paused=found.get("paused") == "1",
        called_off=found.get("called_off") == "1",
        seed=found.get("seed", ""),
        handed_out=found.get("handed_out") == "1",
    )


def opened(record: Opened, epoch: str, signed: str, place: str) -> Call:
    """The script call that applies ``record``."""
    terms = asdict(record)
    fields: list[str | int] = []
    for name in (
        "product", "producter", "begins", "price", "currency", "limit", "description", "image",
        "proof", "min_account_age", "draw", "seed", "merchant", "merchant_name",
    ):  # fmt: skip
        fields += [name, "" if terms[name] is None else terms[name]]
    mended = record if isinstance(record, Reopened) else None
    return (
        "apply_opened",
        [keys.sale(record.sale), keys.product(record.product), keys.changes(record.sale), keys.refused(record.sale)],
        [
            epoch, place, signed, record.sale, record.at, record.ends, record.num,
            int(mended is not None and mended.paused), int(mended is not None and mended.called_off),
            mended.epoch if mended else "", line_of(record), *fields,
        ],
    )  # fmt: skip


class Visited(NamedTuple):
    """A sale, and what a shopper has to do with it.

    ``held`` are the ids of their orders that hold units of it, the newest last; ``newest`` of their last ones of
    whichever sale, the newest in front. ``place`` is theirs on its waitlist, 1 in front; ``entered`` its draw.
    ``account`` is theirs.
    """

    look: Look
    account: Account | None
    held: list[str]
    newest: list[str]
    place: int | None
    entered: bool


class Sales:
    """Reads sales."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._names: dict[str, str] = {}
        self._newest: dict[str, str] = {}
        self._terms: dict[str, Terms] = {}

    def id_of(self, product: str) -> str | None:
        """The id of the newest sale of a product."""
        found = self._memory.text(keys.product(product))
        if found:
            self._newest[product] = found
        return found

    def last_id_of(self, product: str) -> str | None:
        """What ``id_of`` found last; no round trip. A product gets another sale only when this one has ended."""
        return self._newest.get(product)

    def get(self, sale_id: str) -> Sale | None:
        """One sale."""
        found = self._memory.hash(keys.sale(sale_id))
        return _sale(sale_id, found) if found else None

    def terms_of(self, sale_id: str) -> Terms | None:
        """What was fixed when a sale was opened, ``num`` and ``ends`` as they were at some time since.

        The rest never changes, so each process asks Redis for it once.
        """
        known = self._terms.get(sale_id)
        if known is None and (sale := self.get(sale_id)):
            if len(self._terms) >= MOST_TERMS:
                self._terms.clear()
            known = self._terms[sale_id] = sale.terms
        return known

    def of_product(self, product: str) -> Sale | None:
        """The newest sale of a product."""
        sale_id = self.id_of(product)
        return self.get(sale_id) if sale_id else None

    def some(self, ids: list[str]) -> list[Sale]:
        """Several sales, in the order of ``ids``."""
        found = self._memory.hashes([keys.sale(sale_id) for sale_id in ids])
        return [_sale(sale_id, fields) for sale_id, fields in zip(ids, found, strict=True) if fields]

    def look(self, ids: list[str]) -> list[Look]:
        """Several sales as they are now, in the order of ``ids``, in one round trip."""
        found = self._memory.scripts.run_many([("look", [keys.sale(sale_id)], []) for sale_id in ids])
        return [
            Look(_sale(sale_id, dict(pairs(fields))), int(now) / 1000, word == "selling")
            for sale_id, (now, word, *fields) in zip(ids, found, strict=True)
            if fields
        ]

    def visited(self, product: str, shopper: str, name: str, most: int) -> Visited | None:
        """The newest sale of a product as it is now, and what a shopper of this name has to do with it.

        One round trip, where the product had that sale already when somebody last looked.
        """
        sale = self._newest.get(product)
        while True:
            current, newest, *rest = self._memory.scripts.with_sources(
                partial(self._visit, product, sale, shopper, name, most), {"look"}
            )
            if current is None:
                return None
            if current != sale:  # it has another one by now
                sale = self._newest[product] = current
            else:
                account, (now, word, *fields), held, rank, score, enters = rest
                if not fields:
                    return None
                look = Look(_sale(current, dict(pairs(fields))), int(now) / 1000, word == "selling")
                place = None if rank is None else rank + 1
                entered = enters is not None or (score or 0) < 0
                return Visited(look, account_from(name, account), (held or "").split(), newest, place, entered)

    def _visit(self, product: str, sale: str | None, shopper: str, name: str, most: int) -> list[Any]:
        pipeline = self._memory.redis.pipeline(transaction=False)
        pipeline.get(keys.product(product))
        pipeline.zrevrange(keys.shopper_orders(shopper), 0, most - 1)
        if sale is not None:
            pipeline.hgetall(keys.account(name))
            pipeline.evalsha(self._memory.scripts.sha("look"), 1, keys.sale(sale))
            pipeline.hget(keys.buyers(sale), shopper)
            pipeline.zrank(keys.waitlist(sale), shopper)
            pipeline.zscore(keys.waitlist(sale), shopper)
            pipeline.zscore(keys.entering(sale), keys.who_enters(shopper, name))
        return pipeline.execute()

    def count(self) -> int:
        """How many sales there are, ended ones too."""
        return int(self._memory.redis.zcard(keys.SALES_BY_END))

    def named(self, words: list[str], most: int) -> list[str]:
        """Ids of the sales whose product's name holds all of ``words`` (folded), the last to end in front.

        Looks through the ``most`` sales that end last, so its cost has a bound; every running sale is among them,
        unless more than ``most`` are running. A name never changes, so Redis is asked for each once.
        """
        ids = cast("list[str]", self._memory.redis.zrevrange(keys.SALES_BY_END, 0, most - 1))
        names = self._names
        if unknown := [sale_id for sale_id in ids if sale_id not in names]:
            told = cast("list[str | None]", self._memory.redis.hmget(keys.SALES_NAMES, unknown))
            known = {sale_id: names[sale_id] for sale_id in ids if sale_id in names}  # forgets those out of reach
            names = known | {sale_id: name for sale_id, name in zip(unknown, told, strict=True) if name}
            self._names = names
        return [sale_id for sale_id in ids if all(word in names.get(sale_id, "") for word in words)]

    def running(self, now: int) -> list[tuple[str, int]]:
        """The sales that haven't ended: pairs of id and when they begin (Unix seconds)."""
        redis = self._memory.redis
        ids = cast("list[str]", redis.zrangebyscore(keys.SALES_BY_END, f"({now}", "+inf"))
        begins = redis.zmscore(keys.SALES_BY_BEGIN, ids) if ids else []
        return [(sale_id, int(begin or 0)) for sale_id, begin in zip(ids, begins, strict=True)]

    def watched(self, now: int) -> list[str]:
        """The sales that haven't ended, or that the sweep must visit: the last to begin in front."""
        ids = sorted({sale_id for sale_id, _ in self.running(now)} | set(self.unsettled()))
        begins = self._memory.redis.zmscore(keys.SALES_BY_BEGIN, ids) if ids else []
        return [
            sale_id
            for _, sale_id in sorted(
                ((begin or 0, sale_id) for sale_id, begin in zip(ids, begins, strict=True)), reverse=True
            )
        ]

    def ended(self, now: int, start: int, most: int) -> list[str]:
        """Ids of ended sales, the latest in front, from the ``start``-th on."""
        redis = self._memory.redis
        return cast("list[str]", redis.zrevrangebyscore(keys.SALES_BY_END, now, "-inf", start, most))

    def of_merchants(self, merchants: list[str], start: int, most: int) -> list[str]:
        """Ids of the sales of these merchants together, the last to begin in front, from the ``start``-th on."""
        found: list[tuple[float, str]] = []
        for merchant in merchants:
            newest = self._memory.redis.zrevrange(keys.merchant_sales(merchant), 0, start + most - 1, withscores=True)
            found += [(begins, sale_id) for sale_id, begins in cast("list[tuple[str, float]]", newest)]
        return [sale_id for _, sale_id in sorted(found, reverse=True)[start : start + most]]

    def newest(self, start: int, most: int) -> list[str]:
        """Ids of everybody's sales, the last to begin in front, from the ``start``-th on."""
        return cast("list[str]", self._memory.redis.zrevrange(keys.SALES_BY_BEGIN, start, start + most - 1))

    def index(self, sale: Opened, partition: int) -> None:
        """Put a sale that was opened into the lists. May run twice."""
        pipeline = self._memory.redis.pipeline(transaction=False)
        pipeline.zadd(keys.SALES_BY_BEGIN, {sale.sale: sale.begins})
        is_over = isinstance(sale, Reopened) and sale.called_off
        pipeline.zadd(keys.SALES_BY_END, {sale.sale: min(sale.ends, sale.at // 1000) if is_over else sale.ends})
        pipeline.hset(keys.SALES_NAMES, sale.sale, folded(sale.product))
        pipeline.sadd(keys.sales_of_partition(partition), sale.sale)
        pipeline.zadd(keys.merchant_sales(sale.merchant), {sale.sale: sale.begins})
        if is_elsewhere(sale.image):
            pipeline.zadd(keys.PICTURES_DUE, {sale.sale: sale.at}, nx=True)
        pipeline.execute()

    def index_end(self, change: Extended | CalledOff) -> None:
        """Put a sale where it belongs that ends later, or was called off. May run twice."""
        if sale := self.get(change.sale):
            ends = sale.terms.ends
            self._memory.redis.zadd(
                keys.SALES_BY_END, {sale.id: min(ends, change.at // 1000) if sale.called_off else ends}
            )

    def of_partition(self, partition: int) -> list[str]:
        """Ids of the sales whose records stand in a partition."""
        return sorted(self._memory.members(keys.sales_of_partition(partition)))

    def unsettled(self) -> list[str]:
        """Ids of the sales that the sweep must visit."""
        return sorted(self._memory.members(keys.SALES_OPEN))

    def unsettle(self, sale_ids: set[str]) -> None:
        """Have the sweep visit these sales. May run twice."""
        if sale_ids:
            self._memory.redis.sadd(keys.SALES_OPEN, *sale_ids)

    def settle_idle(self, sale_ids: list[str]) -> None:
        """Spare the sweep those of these sales that are over and have nothing left to do.

        The second look catches a record that was applied between the first and the removal.
        """
        if idle := self._idle(sale_ids):
            self._memory.redis.srem(keys.SALES_OPEN, *idle)
            self.unsettle(set(idle).difference(self._idle(idle)))

    def _idle(self, sale_ids: list[str]) -> list[str]:
        told = self._memory.scripts.run_many(
            [("idle", [keys.sale(sale_id), keys.agenda(sale_id), keys.entering(sale_id)], []) for sale_id in sale_ids]
        )
        return [sale_id for sale_id, idle in zip(sale_ids, told, strict=True) if idle]

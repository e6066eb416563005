"""Orders and units in Redis: reserve and confirm for the buyer, the agenda for the sweep, the ledger's effects."""

from dataclasses import dataclass
from typing import cast

from storefront.domain.account import LONG_AGO, Login, Seniority
from storefront.domain.draw import Entering, Entry, record_of
from storefront.domain.errors import (
    AccountTooNew,
    AllHeld,
    Drawing,
    Ended,
    LimitReached,
    NoSuchAccount,
    NoSuchSale,
    NotStarted,
    Recovering,
    Refused,
    SaleCancelled,
    SalePaused,
    SoldOut,
)
from storefront.domain.order import Order, OrderState, read_returns
from storefront.domain.records import (
    Cancelled,
    Expired,
    OrderRecord,
    Paid,
    Refunded,
    Released,
    Requested,
    Restored,
    Revoked,
)
from storefront.domain.sale import PUT_BACK
from storefront.stores import keys
from storefront.stores.accounts import is_admitted
from storefront.stores.census import PIECE, pieces
from storefront.stores.memory import Memory
from storefront.stores.scripts import Call

LOOK_AGAIN_MS = 15_000
"""After this long the sweep looks again at an order for which it has written a record."""

LAST_CHECK_MS = 60_000
"""This long after an unpaid order ended, the provider is asked one last time whether money came."""

_REFUSALS: dict[str, type[Refused]] = {
    "no_sale": NoSuchSale,
    "recovering": Recovering,
    "not_started": NotStarted,
    "ended": Ended,
    "all_held": AllHeld,
    "over": Drawing,
    "sold_out": SoldOut,
    "paused": SalePaused,
    "sale_cancelled": SaleCancelled,
}


@dataclass(frozen=True)
class Reservation:
    """A unit taken for one shopper, not yet an order. Times in Unix ms; ``repeated`` if this id was known before."""

    sale: str
    order: str
    at: int
    epoch: str
    pay_by: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class Due:
    """What the sweep must do about one order: ``task`` as in ``due.lua``, with the epoch of a reservation."""

    sale: str
    order: str
    task: str
    epoch: str


def order_from(order_id: str, found: dict[str, str]) -> Order | None:
    """The order in these fields, or None for none or a tombstone (an id that may never become an order)."""
    if not found.get("at"):
        return None
    return Order(
        id=order_id,
        sale=found["sale"],
        product=found["product"],
        shopper=found["shopper"],
        shopper_name=found["shopper_name"],
        state=OrderState(found["state"]),
        at=int(found["at"]),
        pay_by=int(found["pay_by"]),
        amount=int(found["amount"] or 0),
        currency=found["currency"],
        charge=found.get("charge", ""),
        refund=found.get("refund", ""),
        returns=found.get("returns", ""),
        paid_at=int(found.get("paid_at", 0)),
    )


def effect(record: OrderRecord, epoch: str, signed: str, place: str) -> Call:
    """The script call that applies ``record``, read by a worker in ``epoch`` behind the signature ``signed``.

    ``place`` is where it stands (see ``scripts.place``).
    """
    sale, buyers = keys.sale(record.sale), keys.buyers(record.sale)
    order, agenda = keys.order(record.order), keys.agenda(record.sale)
    guard = [epoch, place]
    match record:
        case Requested():
            return (
                "apply_requested",
                [
                    sale, buyers, order, agenda, keys.waitlist(record.sale), keys.waiters(record.sale),
                    keys.sale_orders(record.sale),
                ],
                [
                    *guard, signed, record.order, record.shopper, record.shopper_name,
                    record.epoch, record.at, record.pay_by,
                ],
            )  # fmt: skip
        case Released() | Expired() | Cancelled():
            why = type(record).__name__.lower()
            reserved_in = record.epoch if isinstance(record, Released) else ""
            return (
                "apply_freed",
                [sale, buyers, order, agenda],
                [*guard, record.order, why, LAST_CHECK_MS, signed, reserved_in],
            )
        case Revoked():
            payments = keys.sale_payments(record.sale)
            return "apply_revoked", [sale, buyers, order, agenda, payments], [*guard, record.order, LAST_CHECK_MS]
        case Paid():
            payments = keys.sale_payments(record.sale)
            return "apply_paid", [sale, order, agenda, payments], [*guard, record.order, record.charge, record.at]
        case Restored():
            facts = [record.state, record.shopper, record.shopper_name, record.at, record.pay_by]
            return (
                "apply_restored",
                [
                    sale, buyers, order, agenda, keys.sale_orders(record.sale), keys.sale_payments(record.sale),
                    keys.waitlist(record.sale), keys.waiters(record.sale),
                ],
                [
                    *guard, signed, record.epoch, record.order, *facts,
                    record.charge, record.all_returns, LAST_CHECK_MS, record.paid_at,
                ],
            )  # fmt: skip
        case Refunded():
            return "apply_refunded", [sale, order, agenda], [*guard, record.order, record.charge]
        case _:
            raise ValueError(f"no effect is known for {record}")


class Orders:
    """Reads orders, and takes units."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def reserve(
        self,
        sale: str,
        order: str,
        shopper: str,
        shopper_name: str,
        *,
        doubt_ms: int,
        pay_ms: int,
        since: Seniority = LONG_AGO,
        login: Login | None = None,
    ) -> Reservation:
        """Take one unit. Raises the refusal that applies; ``LimitReached`` names the orders held.

        Raises Entering where the sale draws.

        ``since`` tells how old the shopper's account is.

        Of a shopper who is known by a ``login`` alone it is seen in the same round trip whether there is an account,
        and whether that admits it. Raises NoSuchAccount if not; the unit then comes back as one never asked for.
        """
        script_keys = [
            keys.sale(sale), keys.buyers(sale), keys.order(order), keys.agenda(sale), keys.waitlist(sale),
            keys.entering(sale),
        ]  # fmt: skip
        args = [order, shopper, shopper_name, doubt_ms, pay_ms, since.registered, since.probation, PUT_BACK * 1000]
        if login is None:
            word, *facts = self._memory.scripts.run("reserve", script_keys, args)
        else:
            found, (word, *facts) = self._memory.read_and_run(
                keys.account(shopper_name), ["id", "state", "era", "ended"], ("reserve", script_keys, args)
            )
            if not is_admitted(found, shopper, login):
                self._memory.redis.zrem(keys.entering(sale), keys.who_enters(shopper, shopper_name))
                raise NoSuchAccount(name=shopper_name)
        if word in ("reserved", "repeat"):
            at, epoch, pay_by = facts
            return Reservation(sale, order, int(at or 0), epoch, int(pay_by or 0), word == "repeat")
        if word == "account_too_new":
            raise AccountTooNew(*map(int, facts[:3]), put_back=facts[3] == "put_back")
        if word == "noted":
            at, seed, closes, stands = facts
            record = record_of(sale, shopper, shopper_name, int(at), seed)
            raise Entering(Entry(record, int(closes), bool(stands)))
        if word == "limit_reached":
            held = facts[3:]
            raise LimitReached(order=held[-1], orders=held)
        raise _REFUSALS[word]

    def confirmed(self, order: str, epoch: str) -> bool:
        """Whether the shopper may be told yes, once the request stands in the ledger. Raises Recovering."""
        return self._memory.promise("confirm", [keys.order(order)], [epoch]) != "gone"

    def all_confirmed(self, requests: list[Requested]) -> list[bool | Exception]:
        """``confirmed`` of several that stand in the ledger, or the fault that is its own, in one round trip.

        They also go into their shoppers' lists. The worker does so too; the shopper may look before it comes to that.
        """
        told = self._memory.promises(
            [("confirm", [keys.order(request.order)], [request.epoch]) for request in requests],
            [("ZADD", keys.shopper_orders(request.shopper), request.at, request.order) for request in requests],
        )
        return [word if isinstance(word, Exception) else word != "gone" for word in told]

    def get(self, order_id: str) -> Order | None:
        """One order."""
        return order_from(order_id, self._memory.hash(keys.order(order_id)))

    def held(self, sale: str, shopper: str) -> list[str]:
        """Ids of the orders with which a shopper holds units of a sale, the newest last."""
        return (self._memory.field(keys.buyers(sale), shopper) or "").split()

    def of_buyer(self, sale: str, shopper: str) -> list[Order]:
        """The orders with which a shopper holds units of a sale, the newest last."""
        return self.some(self.held(sale, shopper))

    def of_shopper(self, shopper: str, most: int, after: str = "") -> list[str] | None:
        """Ids of a shopper's orders, the newest in front, from the one behind ``after`` on; None if that isn't theirs.

        An id may stand there that never became an order.
        """
        key = keys.shopper_orders(shopper)
        before = cast("int | None", self._memory.redis.zrevrank(key, after)) if after else -1
        if before is None:
            return None
        return cast("list[str]", self._memory.redis.zrevrange(key, before + 1, before + most))

    def of_sale(self, sale: str, most: int, after: str = "") -> list[str] | None:
        """Ids of the orders placed in a sale, the newest in front, from the one behind ``after`` on.

        None if that isn't the sale's. They are found by when they were made, not by rank, so that none is told twice or
        passed over while others come in.
        """
        key, redis = keys.sale_orders(sale), self._memory.redis
        if not after:
            return cast("list[str]", redis.zrevrange(key, 0, most - 1))
        made = redis.zscore(key, after)
        if made is None:
            return None
        at = int(made)
        twins = [one for one in cast("list[str]", redis.zrevrangebyscore(key, at, at)) if one < after]
        older = cast("list[str]", redis.zrevrangebyscore(key, f"({at}", "-inf", 0, most)) if len(twins) < most else []
        return [*twins, *older][:most]

    def last_of_sale(self, sale: str) -> int:
        """When the last order of a sale was made or paid, in Unix ms; 0 for never."""
        lists = (keys.sale_orders(sale), keys.sale_payments(sale))
        newest = [self._memory.redis.zrevrange(key, 0, 0, withscores=True) for key in lists]
        return max((int(at) for found in newest for _, at in cast("list[tuple[str, float]]", found)), default=0)

    def counted(self, sale: str, marks: list[int]) -> tuple[list[int], list[int]]:
        """How many orders of a sale were made, and how many paid for good, before each of these moments (Unix ms)."""
        pipeline = self._memory.redis.pipeline(transaction=False)
        for key in (keys.sale_orders(sale), keys.sale_payments(sale)):
            for mark in marks:
                pipeline.zcount(key, "-inf", f"({mark}")
        told = cast("list[int]", pipeline.execute())
        return told[: len(marks)], told[len(marks) :]

    def some(self, ids: list[str]) -> list[Order]:
        """Several orders, in the order of ``ids``, without those that never became one."""
        found = self._memory.hashes([keys.order(order_id) for order_id in ids])
        orders = [order_from(order_id, fields) for order_id, fields in zip(ids, found, strict=True)]
        return [order for order in orders if order]

    def all_of(self, sale_ids: set[str]) -> dict[str, list[tuple[str, dict[str, str]]]]:
        """Every order of these sales, tombstones too, as it stands in Redis: sale → pairs of order id and fields.

        Looks through all keys: for repairs, not for requests.
        """
        found: dict[str, list[tuple[str, dict[str, str]]]] = {sale: [] for sale in sale_ids}
        for names in pieces(map(str, self._memory.redis.scan_iter(match="{*}:order:*", count=PIECE))):
            for name, fields in zip(names, self._memory.hashes(names), strict=True):
                if fields.get("sale") in found:
                    found[fields["sale"]].append((name.rpartition(":")[2], fields))
        return found

    def index(self, requests: list[Requested | Restored]) -> None:
        """Put orders into their shoppers' lists. May run twice."""
        pipeline = self._memory.redis.pipeline(transaction=False)
        for request in requests:
            pipeline.zadd(keys.shopper_orders(request.shopper), {request.order: request.at})
        pipeline.execute()

    def due(self, sales: list[str], most: int) -> list[Due]:
        """What the sweep must do for these sales, ``most`` things for each (see ``due.lua``)."""
        told = self._memory.scripts.run_many(
            [
                ("due", [keys.agenda(sale), keys.sale(sale)], [keys.orders_of_tag(sale), most, LOOK_AGAIN_MS])
                for sale in sales
            ]
        )
        return [
            Due(sale, *one)
            for sale, flat in zip(sales, told, strict=True)
            for one in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        ]

    def waiting(self, sales: list[str]) -> int:
        """How many orders of these sales the sweep still has to look at, sooner or later."""
        pipeline = self._memory.redis.pipeline(transaction=False)
        for sale in sales:
            pipeline.zcard(keys.agenda(sale))
        return sum(pipeline.execute()) if sales else 0

    def owed(self, orders: list[str]) -> dict[str, list[str]]:
        """Order → its charges that are due back."""
        pipeline = self._memory.redis.pipeline(transaction=False)
        for order in orders:
            pipeline.hget(keys.order(order), "returns")
        return {
            order: [charge for charge, state in read_returns(returns or "").items() if state == "due"]
            for order, returns in zip(orders, pipeline.execute(), strict=True)
        }

    def requests_of(self, orders: list[str]) -> list[Requested]:
        """The requests with which those of ``orders`` were made that are reservations and still stand."""
        found = self._memory.hashes([keys.order(order) for order in orders])
        return [
            Requested(
                at=int(fields["at"]),
                sale=fields["sale"],
                order=order,
                shopper=fields["shopper"],
                shopper_name=fields["shopper_name"],
                epoch=fields["epoch"],
                pay_by=int(fields["pay_by"]),
            )
            for order, fields in zip(orders, found, strict=True)
            if fields.get("state") == OrderState.RESERVED
        ]

    def settle(self, done: list[Due]) -> None:
        """The sweep is done with these."""
        self._memory.scripts.run_many(
            [("settle", [keys.order(one.order), keys.agenda(one.sale)], [one.order]) for one in done]
        )

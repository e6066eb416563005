"""Can this process sell?

Asked often, by load balancers and people, so it is cheap; and answered within a second also
when Redis or Kafka say nothing.
"""

import time
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from storefront.domain.errors import LedgerDown
from storefront.shop import Shop
from storefront.stores.positions import Position

PATIENCE = 0.8
"""Seconds to wait for the answers of Redis and of the ledger, together."""

ACKNOWLEDGED = 5.0
"""Seconds for which a record that the ledger took speaks for it: where much is sold, its answers may be late."""

MOST_LAG = 10_000
"""Records that may wait for the order workers, about a second's work, before that is worth a word."""

SILENT = "no answer in time"


@dataclass(frozen=True)
class Readiness:
    """``checks`` by what is checked: ``ok``, ``why`` not, and figures. ``sells`` if a purchase can succeed."""

    sells: bool
    checks: dict[str, dict[str, Any]]

    @property
    def word(self) -> str:
        """One of "ready", "degraded" (it sells, but something else is wrong) and "recovering"."""
        if not self.sells:
            return "recovering"
        return "ready" if all(check["ok"] for check in self.checks.values()) else "degraded"


@dataclass(frozen=True)
class InRedis:
    """What Redis tells: how far each partition is applied, the order workers alive, the replicas that follow."""

    positions: dict[tuple[str, int], Position]
    workers: int
    replicas: int


def look(shop: Shop) -> Readiness:
    """What can be told now."""
    deadline = time.monotonic() + PATIENCE
    asked_redis, asked_ledger = shop.aside.ask(lambda: _in_redis(shop)), shop.ends.ask()
    found, ends, checks = None, None, dict[str, dict[str, Any]]()
    try:
        found = asked_redis.result(max(0, deadline - time.monotonic()))
        checks["redis"] = _check("")
    except (RedisError, TimeoutError) as fault:
        checks["redis"] = _check(f"Redis does not answer: {_kind(fault)}")
    try:
        ends = asked_ledger.result(max(0, deadline - time.monotonic()))
        checks["ledger"] = _check("")
    except (LedgerDown, TimeoutError) as fault:
        took = shop.ledger.acknowledged_within(ACKNOWLEDGED)
        checks["ledger"] = _check("" if took else f"Kafka does not answer: {_kind(fault)}")
    if found is None:
        return Readiness(sells=False, checks=checks)
    behind = [f"{topic}/{number}" for (topic, number), at in found.positions.items() if at.signed != at.epoch]
    checks["epoch"] = _check(f"not applied up to Redis's present history: {', '.join(behind)}" if behind else "")
    if asked := shop.config.replicas:
        missing = f"{found.replicas} of {asked} replicas follow (STOREFRONT_REPLICAS)"
        checks["replicas"] = _check(missing if found.replicas < asked else "", replicas=found.replicas)
    sells = all(check["ok"] for check in checks.values())
    checks["workers"] = _of_workers(found, ends)
    return Readiness(sells, checks)


def _in_redis(shop: Shop) -> InRedis:
    partitions = shop.ledger.partitions
    return InRedis(
        positions=dict(zip(partitions, shop.positions.all_at(partitions), strict=True)),
        workers=shop.positions.workers(shop.memory.now_ms()),
        replicas=shop.memory.replicas() if shop.config.replicas else 0,
    )


def _of_workers(found: InRedis, ends: dict[tuple[str, int], int] | None) -> dict[str, Any]:
    """Purchases are told yes without order workers, too; everything else waits for them."""
    if ends is None:
        return _check("" if found.workers else "no order worker runs", workers=found.workers)
    lag = sum(max(0, end - found.positions[name].offset) for name, end in ends.items())
    why = f"{lag} records wait for the order workers" if lag > MOST_LAG else ""
    return _check(why if found.workers else "no order worker runs", workers=found.workers, lag=lag)


def _kind(fault: Exception) -> str:
    """What kind of fault it is; its words name addresses that are nobody else's business."""
    return SILENT if isinstance(fault, TimeoutError) else type(fault.__cause__ or fault).__name__


def _check(why: str, **figures: int) -> dict[str, Any]:
    """A check that is fine, unless there is a reason ``why`` not."""
    return {"ok": not why, **({"why": why} if why else {}), **figures}

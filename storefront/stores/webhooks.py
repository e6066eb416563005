"""Webhooks to merchants, in Redis: where each is told of events, what they are still to be told, and what became of it.

A Redis that is emptied forgets all of it: the ledger has none. An event is noted once, however often its record is
applied, and tried until it was taken, or for the last time. Each merchant is told by one process at a time.
"""

import json
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, cast

from storefront.domain.event import Event
from storefront.stores import keys
from storefront.stores.memory import Memory

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
TRIES_MS = (5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY)
"""Milliseconds from each attempt to the next, at least."""

SPREAD = 0.1
"""The part of that by which an attempt may come later, so that not all that failed at once is sent again at once."""

KEPT_MS = 7 * DAY
"""For how long events are remembered, and attempts told."""

MOST_WAITING = 100_000
"""Events that may wait for one merchant; what happens beyond is told to nobody."""

MOST_ATTEMPTS = 200
"""Attempts of one merchant that are told, the last."""

TURN_MS = 60_000
"""Milliseconds after which whoever took a merchant's turn counts as dead: several times what a turn can take."""

_TURNS = (keys.WEBHOOK_TURNS, keys.WEBHOOK_TURNS_TAKEN)

REMEMBERED = 10_000
"""Sales whose merchant a process remembers."""

FRESH = 1.0
"""Seconds for which a process believes what it knows of who is told anything."""


@dataclass(frozen=True)
class Endpoint:
    """Where a merchant is told of events, or no more if it ``is_off``; ``number`` tells its secret from others."""

    address: str
    number: str
    is_off: bool = False


@dataclass(frozen=True)
class Taken:
    """An event that is to be told now, by its ``attempt``-th attempt; ``next_at`` in Unix ms, 0 behind the last."""

    event: Event
    attempt: int
    next_at: int


@dataclass(frozen=True)
class Turn:
    """A merchant's turn, which nobody else has ``until`` then (Unix ms)."""

    merchant: str
    until: int


@dataclass(frozen=True)
class Attempt:
    """What became of telling a merchant of an event.

    ``status`` is the receiver's answer, 0 for none: then ``fault`` is the code of why. Times in Unix ms; ``next_at`` is
    0 if there is no next attempt.
    """

    event: str
    at: int
    number: int
    status: int
    fault: str
    next_at: int

    @property
    def is_good(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300


class Webhooks:
    """Where merchants are told of events, what, and what became of it."""

    def __init__(self, memory: Memory, tries_ms: tuple[int, ...] = TRIES_MS) -> None:
        self._memory = memory
        self._tries = tries_ms
        self._merchants: dict[str, str] = {}
        self._listen: dict[str, tuple[bool, float]] = {}

    # Where

    def endpoint(self, merchant: str) -> Endpoint | None:
        """Where a merchant is told of events, or None."""
        found = self._memory.field(keys.WEBHOOK_ADDRESSES, merchant)
        return Endpoint(**json.loads(found)) if found else None

    def put(self, merchant: str, endpoint: Endpoint | None) -> None:
        """Tell a merchant of events there from now on."""
        redis = self._memory.redis
        if endpoint is None:
            redis.hdel(keys.WEBHOOK_ADDRESSES, merchant)
        else:
            redis.hset(keys.WEBHOOK_ADDRESSES, merchant, json.dumps(asdict(endpoint)))
        if endpoint is None or endpoint.is_off:
            self.forget_waiting(merchant)

    def forget_waiting(self, merchant: str) -> None:
        """Tell a merchant nothing of what waits."""
        pipeline = self._memory.redis.pipeline(transaction=True)
        pipeline.delete(keys.webhooks_due(merchant), keys.webhooks_tried(merchant))
        pipeline.zrem(keys.WEBHOOK_TURNS, merchant)
        pipeline.execute()

    def listeners(self, sales: Iterable[str]) -> dict[str, str]:
        """Of these sales those whose merchant is told of events, with that merchant. Known for a second."""
        merchants = self._merchants_of({*sales})
        if len(self._listen) > REMEMBERED:
            self._listen.clear()
        now = time.monotonic()
        old = sorted({one for one in merchants.values() if self._listen.get(one, (False, 0.0))[1] <= now})
        if old:
            found = cast("list[str | None]", self._memory.redis.hmget(keys.WEBHOOK_ADDRESSES, old))
            for merchant, endpoint in zip(old, found, strict=True):
                self._listen[merchant] = endpoint is not None and not json.loads(endpoint)["is_off"], now + FRESH
        return {sale: merchant for sale, merchant in merchants.items() if self._listen[merchant][0]}

    def _merchants_of(self, sales: set[str]) -> dict[str, str]:
        """Those of these sales that have a merchant. That never changes, so each process asks Redis for it once."""
        if len(self._merchants) > REMEMBERED:
            self._merchants.clear()
        if unknown := sorted(sales - self._merchants.keys()):
            pipeline = self._memory.redis.pipeline(transaction=False)
            for sale in unknown:
                pipeline.hget(keys.sale(sale), "merchant")
            found = zip(unknown, pipeline.execute(), strict=True)
            self._merchants |= {sale: merchant for sale, merchant in found if merchant is not None}
        return {sale: merchant for sale in sales if (merchant := self._merchants.get(sale))}

    # What

    def note(self, events: list[tuple[str, Event]]) -> list[str]:
        """Note that merchants are to be told of events: of each ``note_event.lua``'s word. One round trip."""
        return self._memory.scripts.run_many(
            (
                "note_event",
                [*_TURNS, keys.webhooks_due(merchant), keys.webhooks_noted(merchant)],
                [merchant, event.id, event.at, KEPT_MS, MOST_WAITING],
            )
            for merchant, event in events
        )

    def again(self, merchant: str, event_id: str) -> bool:
        """Tell a merchant of an event once more, as if never tried; False if it isn't known."""
        script_keys = [keys.webhooks_due(merchant), keys.webhooks_tried(merchant), keys.webhooks_noted(merchant)]
        word = self._memory.scripts.run("tell_again", [*_TURNS, *script_keys], [merchant, event_id])
        return bool(word == "due")

    def waiting(self, merchant: str) -> int:
        """How many events a merchant is still to be told of."""
        return int(self._memory.redis.zcard(keys.webhooks_due(merchant)))

    def late(self) -> float:
        """For how many seconds the merchant has waited for a turn who has waited longest; 0 where nobody waits."""
        front = cast("list[tuple[str, float]]", self._memory.redis.zrange(keys.WEBHOOK_TURNS, 0, 0, withscores=True))
        return max(0.0, (self._memory.now_ms() - front[0][1]) / 1000) if front else 0.0

    def take_turn(self) -> Turn | None:
        """Whose turn it is, until ``end_turn``."""
        found: list[Any] = self._memory.scripts.run("take_turn", [*_TURNS], [TURN_MS])
        return Turn(found[0], int(found[1])) if found else None

    def end_turn(self, turn: Turn) -> None:
        """The merchant was told what was due."""
        script_keys = [*_TURNS, keys.webhooks_due(turn.merchant)]
        self._memory.scripts.run("end_turn", script_keys, [turn.merchant, turn.until])

    def take(self, merchant: str) -> Taken | None:
        """What a merchant is to be told of now, or None. It is put off to its next attempt at once."""
        script_keys = [keys.webhooks_due(merchant), keys.webhooks_tried(merchant), keys.webhooks_noted(merchant)]
        waits = [round(wait * random.uniform(1, 1 + SPREAD)) for wait in self._tries]  # noqa: S311 # nosec B311 - no secret
        found: list[Any] = self._memory.scripts.run("take_event", script_keys, waits)
        if not found:
            return None
        event, at, attempt, next_at = found
        return Taken(Event(event, int(float(at))), int(attempt), int(next_at))

    def done(self, merchant: str, event_id: str) -> None:
        """Tell a merchant of this event no more."""
        pipeline = self._memory.redis.pipeline(transaction=True)
        pipeline.zrem(keys.webhooks_due(merchant), event_id)
        pipeline.hdel(keys.webhooks_tried(merchant), event_id)
        pipeline.execute()

    # What became of it

    def tell(self, merchant: str, attempt: Attempt) -> None:
        """Keep what became of an attempt."""
        key = keys.webhooks_log(merchant)
        pipeline = self._memory.redis.pipeline(transaction=True)
        pipeline.lpush(key, json.dumps(asdict(attempt)))
        pipeline.ltrim(key, 0, MOST_ATTEMPTS - 1)
        pipeline.pexpire(key, KEPT_MS)
        pipeline.execute()

    def attempts(self, merchant: str) -> list[Attempt]:
        """The last attempts to tell a merchant something, the newest in front."""
        lines = cast("list[str]", self._memory.redis.lrange(keys.webhooks_log(merchant), 0, -1))
        found = [Attempt(**json.loads(line)) for line in lines]
        since = self._memory.now_ms() - KEPT_MS
        return [attempt for attempt in found if attempt.at > since]

"""Answers to requests under an idempotency key, kept in Redis for a day so that a repeat is told the same.

Not in the ledger: whoever loses this Redis loses the wording. What a key bought stays: an order's id is made of it.
"""

import secrets
from dataclasses import dataclass
from hashlib import blake2b

from storefront.domain.errors import InFlight, KeyReused
from storefront.stores import keys
from storefront.stores.memory import Memory

KEPT_MS = 24 * 60 * 60 * 1000

IN_FLIGHT_MS = 30_000
"""For so long an attempt of which nothing is heard counts as being carried out: well past all that one waits for."""

MOST = 50
"""Answers that are kept of one shopper, the newest, so that nobody can fill the memory."""


@dataclass(frozen=True)
class Attempt:
    """A request that is being carried out under a key; ``mark`` tells it from a later one."""

    shopper: str
    field: str
    mark: str


@dataclass(frozen=True)
class Answer:
    """What the first request was told."""

    status: int
    body: str


def field_of(key: str) -> str:
    """What stands for a key, however long it is."""
    return blake2b(key.encode(), digest_size=16).hexdigest()


class Answers:
    """Keeps answers."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def begin(self, shopper: str, key: str, fingerprint: str) -> Attempt | Answer:
        """Begin what is asked under this key, or say what it was answered before. Raises KeyReused and InFlight."""
        attempt = Attempt(shopper, field_of(key), secrets.token_hex(8))
        word, *answer = self._memory.scripts.run(
            "begin_answer",
            [keys.answers(shopper)],
            [attempt.field, fingerprint, attempt.mark, IN_FLIGHT_MS, KEPT_MS, MOST],
        )
        if word == "reused":
            raise KeyReused
        if word == "in_flight":
            raise InFlight
        return Answer(int(answer[0]), answer[1]) if word == "answered" else attempt

    def end(self, attempt: Attempt, answer: Answer | None) -> None:
        """It was carried out with this answer, or with None came to nothing that would be told again."""
        status, body = (answer.status, answer.body) if answer else (0, "")
        self._memory.scripts.run(
            "end_answer", [keys.answers(attempt.shopper)], [attempt.field, attempt.mark, status, body, KEPT_MS]
        )

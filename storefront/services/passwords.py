"""Password hashes by argon2id, with the costs of RFC 9106's second recommended option (64 MiB unless configured)."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

_TURNS = threading.BoundedSemaphore(2)
"""A hash takes tens of MiB and tens of ms of CPU: a flood of log-ins must queue rather than take all memory."""


@cache
def _hasher(memory: int) -> PasswordHasher:
    return PasswordHasher(
        time_cost=RFC_9106_LOW_MEMORY.time_cost, memory_cost=memory * 1024, parallelism=RFC_9106_LOW_MEMORY.parallelism
    )


@cache
def _nobodys_hash(memory: int) -> str:
    return _hasher(memory).hash("nobody has this password")


def hashed(password: str, memory: int) -> str:
    """The hash to store. ``memory`` in MiB."""
    with _TURNS:
        return _hasher(memory).hash(password)


def matches(password: str, stored: str | None, memory: int) -> bool:
    """Whether ``password`` is the one stored. Without a stored hash it is False, at the same cost."""
    with _TURNS:
        try:
            return _hasher(memory).verify(stored or _nobodys_hash(memory), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

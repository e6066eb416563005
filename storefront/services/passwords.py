"""Password hashes by argon2id, with the costs of RFC 9106's second recommended option (64 MiB unless configured)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from storefront.domain.errors import Overloaded

AT_ONCE = 2
"""Hashes that a process computes at a time: each takes tens of MiB and tens of ms of CPU."""

MOST_WAITING = 8
"""Who may wait for that. The other threads are there for those who buy, and must not stand in this line."""

_TURNS = threading.BoundedSemaphore(AT_ONCE)
_LINE = threading.BoundedSemaphore(AT_ONCE + MOST_WAITING)


@contextmanager
def turn() -> Iterator[None]:
    """For whoever hashes inside the block. Raises Overloaded where too many wait already."""
    if not _LINE.acquire(blocking=False):
        raise Overloaded
    try:
        with _TURNS:
            yield
    finally:
        _LINE.release()


@cache
def _hasher(memory: int) -> PasswordHasher:
    return PasswordHasher(
        time_cost=RFC_9106_LOW_MEMORY.time_cost, memory_cost=memory * 1024, parallelism=RFC_9106_LOW_MEMORY.parallelism
    )


@cache
def _nobodys_hash(memory: int) -> str:
    return _hasher(memory).hash("nobody has this password")


def hashed(password: str, memory: int) -> str:
    """The hash to store. ``memory`` in MiB. Raises Overloaded."""
    with turn():
        return _hasher(memory).hash(password)


def matches(password: str, stored: str | None, memory: int) -> bool:
    """Whether ``password`` is the one stored; without a stored hash False, at the same cost. Raises Overloaded."""
    with turn():
        try:
            return _hasher(memory).verify(stored or _nobodys_hash(memory), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

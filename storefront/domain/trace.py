"""Which request something is done for: an id that stands in every log line about it.

A web process takes it up with the request. The records that the request leads to carry it beside what they say, so
that the order worker's lines tell it too. Empty where nobody asked.
"""

import secrets
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the request that this thread works for."""
    return _current.get()


def follow(request_id: str) -> None:
    """From now on this thread works for that request; with "" for nobody's."""
    _current.set(request_id)


def new_id() -> str:
    """An id that no other request has."""
    return secrets.token_hex(8)

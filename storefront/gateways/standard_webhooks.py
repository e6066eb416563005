"""Signed webhooks by the specification of that name (standardwebhooks.com): HMAC-SHA-256 of id, time and raw body."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

TOLERANCE = 300
"""Seconds by which the clocks of both sides, and a webhook's time on its way, may differ."""


def signed(secret: bytes, message: str, now: int, body: bytes) -> dict[str, str]:
    """The headers with which a body is sent at ``now`` (Unix seconds) as the message of this id."""
    return {ID: message, TIMESTAMP: str(now), SIGNATURE: f"v1,{_signature(secret, message, str(now), body)}"}


def as_text(secret: bytes) -> str:
    """A secret as receivers' libraries take it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def signed_with_each(secrets: list[bytes], message: str, now: int, body: bytes) -> dict[str, str]:
    """As ``signed``, for receivers who may hold any of several secrets while one takes another's place."""
    each = [signed(secret, message, now, body) for secret in secrets]
    return {**each[0], SIGNATURE: " ".join(one[SIGNATURE] for one in each)}


def verified(secret: bytes, headers: Mapping[str, str], body: bytes, now: int) -> str:
    """The message's id. Raises ValueError with what is wrong with it."""
    message, sent, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not message or not given or not (sent.isascii() and sent.isdigit()):
        raise ValueError("its id, time or signature is missing")
    wanted = f"v1,{_signature(secret, message, sent, body)}".encode()
    # several, behind each other, while a secret is being replaced
    if not any(hmac.compare_digest(one.encode(), wanted) for one in given.split(" ")):
        raise ValueError("its signature is wrong")
    if abs(now - int(sent)) > TOLERANCE:
        raise ValueError(f"it was signed {now - int(sent)} s ago")
    return message


def _signature(secret: bytes, message: str, sent: str, body: bytes) -> str:
    whole = f"{message}.{sent}.".encode() + body
    return base64.b64encode(hmac.new(secret, whole, hashlib.sha256).digest()).decode()

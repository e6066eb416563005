"""An HTTP client as one shopper has it: one source address, one request at a time, and every outcome is an answer."""

import http.client
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 30.0  # seconds an answer may take
ATTEMPTS = 5  # for what must succeed before or after the rush
LONGEST_PAUSE = 60  # seconds: the longest window of the shop's limits
COME_BACK = frozenset({0, 429, 500, 503})  # no answer, too fast, not stored, recovering


class Unplayable(Exception):
    """The demo can't go on. The message is for a person: what is wrong, and what to do."""


@dataclass(frozen=True)
class Answer:
    """What came back. ``status`` 0 is no answer at all. ``sent`` and ``came`` in seconds of the monotonic clock."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    sent: float = 0.0
    came: float = 0.0
    retry_after: int | None = None

    @property
    def good(self) -> bool:
        """Whether the shop said yes."""
        return self.status == 200

    @property
    def doubtful(self) -> bool:
        """Whether the request may have taken effect although nobody said so."""
        return self.status == 0 or self.status >= 500

    @property
    def code(self) -> str:
        """The stable word of a refusal; empty where there is none."""
        return str(self.body.get("code", ""))

    @property
    def sentence(self) -> str:
        """What the shop says to a person."""
        return str(self.body.get("success") or self.body.get("error") or "")


class Client:
    """Speaks with the shop at ``url`` from the address ``source``, or from any where that is None."""

    def __init__(self, url: str, source: str | None = None) -> None:
        parts = urlsplit(url)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/")
        self._source = (source, 0) if source else None
        self._ahead: http.client.HTTPConnection | None = None

    def connect(self) -> None:
        """Connect ahead of the next request, so that it leaves without delay. A failure shows when it is sent."""
        connection = self._connection()
        try:
            connection.connect()
        except OSError:
            connection.close()
        else:
            self._ahead = connection

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = "") -> Answer:
        """One request, JSON both ways; the token goes where the interface document has it."""
        headers = {"Accept": "application/json"}
        payload = None
        if method == "POST":
            payload = json.dumps({**(body or {}), "token": token} if token else body or {}).encode()
            headers["Content-Type"] = "application/json"
        elif token:
            headers["Authorization"] = f"Bearer {token}"
        connection, self._ahead = self._ahead or self._connection(), None
        sent = time.monotonic()
        try:
            connection.request(method, self._prefix + path, payload, headers)
            response = connection.getresponse()
            found = _json_object(response.read())
        except (OSError, http.client.HTTPException) as fault:
            return Answer(0, {"error": f"no answer: {fault or type(fault).__name__}"}, sent, time.monotonic())
        finally:
            connection.close()
        seconds = response.getheader("Retry-After", "")
        return Answer(response.status, found, sent, time.monotonic(), int(seconds) if seconds.isdigit() else None)

    def _connection(self) -> http.client.HTTPConnection:
        return self._kind(self._host, self._port, timeout=TIMEOUT, source_address=self._source)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask; while the shop says to come back later, do so as it says, a few times."""
    for _ in range(ATTEMPTS - 1):
        answer = ask()
        if answer.status not in COME_BACK:
            return answer
        time.sleep(min(answer.retry_after or 1, LONGEST_PAUSE))
    return ask()


def own_addresses(url: str) -> bool:
    """Whether each shopper can have a loopback address of their own: the shop is on this machine, which is Linux."""
    try:
        if not ipaddress.ip_address(socket.gethostbyname(urlsplit(url).hostname or "")).is_loopback:
            return False
        with socket.socket() as probe:
            probe.bind((loopback_address(0), 0))
    except OSError:
        return False
    return True


def loopback_address(number: int) -> str:
    """The ``number``-th shopper's address. There are ten million."""
    return f"127.{77 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"

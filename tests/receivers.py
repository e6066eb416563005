"""Programs on loopback that the shop sends to, or fetches from: a merchant's own, and one that takes its time."""

import base64
import json
import select
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from storefront.gateways import standard_webhooks
from tests.described import Description


class Receiver:
    """A merchant's own program: it verifies what it is told, and answers with the statuses it is given, then 204.

    ``faults`` tell how that differs from the shop's description.
    """

    def __init__(self, description: Description) -> None:
        self.faults: list[str] = []
        self.secrets: list[bytes] = []
        self.statuses: list[int] = []
        self.told: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                told = json.loads(body)
                receiver.faults += description.faults_of_webhook(headers, told)
                told |= {"id": receiver.verified(headers, body), "headers": headers, "body": body}
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                receiver.told.append(told | {"answered": status})
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/orders?of=shop"

    def verified(self, headers: dict[str, str], body: bytes) -> str:
        return standard_webhooks.verified(self.secrets[-1], headers, body, int(time.time()))

    def takes(self, secret: str) -> None:
        """From now on webhooks are signed with this."""
        assert secret.startswith("whsec_")
        self.secrets.append(base64.b64decode(secret.removeprefix("whsec_")))

    def types(self, order: str) -> list[str]:
        """What it was told of an order, in order of time."""
        found = [told for told in self.told if told["data"]["order"] == order]
        return [told["type"] for told in sorted(found, key=lambda told: told["timestamp"])]


class Dripper:
    """A server that begins to answer, and goes on by a byte at a time for ``LONG`` seconds, or until one hangs up.

    ``requests`` are what it was sent, each with when that came (monotonic seconds).
    """

    LONG, EVERY = 600, 0.2
    ANSWER = b"HTTP/1.1 200 OK\r\nX-Long: "
    HANDSHAKE = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
    """A record of TLS, as long as one may be, and the beginning of what it says."""

    def __init__(self, begins: bytes = ANSWER) -> None:
        self.requests: list[tuple[float, bytes]] = []
        self._begins = begins
        self._stop = threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._door.close()

    def _listen(self) -> None:
        while not self._stop.is_set():
            if select.select([self._door], [], [], 0.05)[0]:
                self._threads.append(threading.Thread(target=self._drip, args=[self._door.accept()[0]]))
                self._threads[-1].start()

    def _drip(self, connection: socket.socket) -> None:
        until = time.monotonic() + self.LONG
        with connection, suppress(OSError):
            self.requests.append((time.monotonic(), connection.recv(65536)))
            connection.sendall(self._begins)
            while time.monotonic() < until and not self._stop.wait(self.EVERY):
                connection.sendall(b"x")

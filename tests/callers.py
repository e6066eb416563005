"""Callers who notice when a request that they sent gets no answer: over raw sockets, which hide and repeat nothing."""

import http.client
import select
import socket
import threading
from collections import Counter
from typing import Self

from storefront.local.embedded import LOOPBACK

PATIENCE = 30.0


class Callers:
    """Threads that ask again and again until told to stop. As a context manager they do so inside the block.

    ``seen`` counts what became of it: statuses; "refused" for connections that weren't taken; "closed" for kept ones
    whose end could be seen before anything was sent; and "lost" for requests that were sent and had no answer.
    """

    def __init__(self, port: int, number: int, request: bytes, *, keep: bool) -> None:
        self._port, self._request, self._keep = port, request, keep
        self._stop = threading.Event()
        self.seen: Counter[str | int] = Counter()
        self._threads = [threading.Thread(target=self._run) for _ in range(number)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self) -> None:
        connection: socket.socket | None = None
        while not self._stop.is_set():
            if connection and select.select([connection], [], [], 0)[0]:
                self.seen["closed"] += 1
                connection.close()
                connection = None
            try:
                connection = connection or socket.create_connection((LOOPBACK, self._port), timeout=PATIENCE)
            except OSError:
                self.seen["refused"] += 1
                self._stop.wait(0.02)
                continue
            try:
                connection.sendall(self._request)
                answer = http.client.HTTPResponse(connection)
                answer.begin()
                answer.read()
            except (OSError, http.client.HTTPException):
                self.seen["lost"] += 1
                is_over = True
            else:
                self.seen[answer.status] += 1
                is_over = answer.will_close or not self._keep
            if is_over:
                connection.close()
                connection = None
        if connection:
            connection.close()

"""HTTP/1.1 as far as the crowd needs it, in a fifth of the CPU of a client that knows all of it.

The crowd shares its machine with the shop, so what it takes itself makes people wait who'd have machines of their own.
"""

import asyncio
from typing import NamedTuple
from urllib.parse import urlsplit

PATIENCE = 30.0
"""Seconds until a request has its answer, at most."""

AT_ONCE = 64
"""Requests that one client has under way at most; a script that the shop can't keep up with sends no more."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NoAnswer(Exception):
    """The shop can't be reached, hung up, took too long, or spoke no HTTP."""


class Reply(NamedTuple):
    """An answer. Fields are named in lower case; one that came more than once has a line for each."""

    status: int
    fields: dict[str, str]
    body: bytes


class Wire:
    """Connections from one address to one server, which are kept open and used again."""

    def __init__(self, url: str, address: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._address = address
        self._idle: list[Connection] = []
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def ask(self, method: str, path: str, fields: dict[str, str], body: bytes = b"") -> Reply:
        """Send a request, and read its answer. Raises NoAnswer."""
        told = {"Host": f"{self._host}:{self._port}", **fields, **({"Content-Length": f"{len(body)}"} if body else {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        request = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
        try:
            async with asyncio.timeout(PATIENCE), self._turn:
                return await self._asked(request)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as fault:
            raise NoAnswer from fault

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _asked(self, request: bytes) -> Reply:
        reader, writer = connection = await self._connection()
        try:
            writer.write(request)
            reply = _read((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            body = await reader.readexactly(int(reply.fields["content-length"]))
        except BaseException:  # what is left of the answer would be taken for the next one's
            writer.close()
            raise
        if reply.fields.get("connection") == "close":
            writer.close()
        else:
            self._idle.append(connection)
        return reply._replace(body=body)

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = connection = self._idle.pop()
            if not reader.at_eof():
                return connection
            writer.close()
        return await asyncio.open_connection(self._host, self._port, local_addr=(self._address, 0))


def _read(head: str) -> Reply:
    """The head of an answer. Raises ValueError, also for a body without a length: the shop sends none."""
    first, *lines = head.rstrip("\r\n").split("\r\n")
    fields: dict[str, str] = {"content-length": "0"}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        fields[name] = f"{fields[name]}\n{value}" if name == "set-cookie" and name in fields else value
    _, status, *_ = first.split(" ", 2)
    if "transfer-encoding" in fields:
        raise ValueError(head)
    return Reply(int(status), fields, b"")

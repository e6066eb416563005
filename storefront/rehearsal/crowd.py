"""A part of the crowd: a process that asks at set moments, whether the shop keeps up or not, and keeps a diary.

A latency counts from the moment when its request was due, so a shop that stalls can't hide that by not being asked
meanwhile (what Gil Tene calls coordinated omission).

Run as a script by path with a plan's file (``Plan`` as JSON), like the guard: standard library only, so that it is
ready at once, and has the machine to itself as little as may be. A shopper is one connection from an address of their
own, which stays open, with one request at a time on it.
"""

import asyncio
import json
import random
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

PAGE, PRESS, PAY = "page", "press", "pay"
NO_ANSWER = "no_answer"
AT_ONCE = 200
"""Connections that are made at a time before the start: a server's queue of them is finite."""

SOONEST = 0.3
"""Seconds from a yes to its payment, at least."""


@dataclass(frozen=True)
class Plan:
    """What to do. ``start`` is in Unix seconds; requests are due within ``seconds`` from then on, so many in all.

    ``tokens`` are the shoppers', each with the address to come from, or an empty one for any. They take turns.
    ``looking`` of the requests are for the sale's page, the others press its button; ``paying`` of those who have a
    unit pay, within ``pays_within`` seconds. Whoever has no answer ``patience`` seconds after the last request was due
    gets none any more. ``out`` is the file for the diary.
    """

    host: str
    port: int
    path: str
    start: float
    seconds: float
    requests: int
    tokens: list[tuple[str, str]]
    looking: float
    paying: float
    pays_within: float
    patience: float
    seed: int
    out: str


class Entry(NamedTuple):
    """One request: seconds after the start when it was due, what it was, ms until its answer, and what that said."""

    due: float
    what: str
    ms: float
    code: str


@dataclass
class Diary:
    """``entries`` by their answers; by how many ms the crowd itself was late, each time; CPU seconds that it used.

    It was ready ``ahead`` seconds before the start.
    """

    entries: list[Entry] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    cpu: float = 0.0
    ahead: float = 0.0


class Shopper(asyncio.Protocol):
    """One shopper's connection, and what they still have to ask."""

    def __init__(self, crowd: "Crowd", token: str, address: str) -> None:
        self._crowd = crowd
        self._source = (address, 0) if address else None
        self._press = _post(crowd.plan, crowd.plan.path, token)
        self._token = token
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._asked: tuple[float, str, bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._read = b""

    def press(self, due: float) -> None:
        """Press the button."""
        self._ask(due, PRESS, self._press)

    def look(self, due: float) -> None:
        """Load the sale's page."""
        self._ask(due, PAGE, self._crowd.look)

    def _pay(self, due: float, order: str) -> None:
        self._ask(due, PAY, _post(self._crowd.plan, f"/orders/{order}/pay", self._token))

    def _ask(self, due: float, what: str, request: bytes) -> None:
        self._crowd.open += 1
        self._waiting.append((due, what, request))
        self._go_on()

    def _go_on(self) -> None:
        if self._asked is not None or not self._waiting:
            return
        if self._transport is None:
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.ensure_future(self.connect())
            return
        self._asked = self._waiting.popleft()
        self._read = b""
        self._transport.write(self._asked[2])

    async def connect(self) -> None:
        """Connect, ahead of the first request or again. Where that fails, the request that waits has no answer."""
        plan = self._crowd.plan
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self, plan.host, plan.port, local_addr=self._source
            )
        except OSError:
            if self._waiting:
                self._asked = self._waiting.popleft()
                self._answered(NO_ANSWER)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = transport  # type: ignore[assignment]
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        code = self._understood(int(head[9:12]), body)
        if b"connection: close" in head.lower() and self._transport:
            self._transport.close()
            self._transport = None
        self._answered(code)

    def connection_lost(self, _exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = None
        if self._asked is not None:
            self._answered(NO_ANSWER)

    def leave(self) -> None:
        """Expect no answer any more, and close the connection."""
        for due, what, _ in [*([self._asked] if self._asked else []), *self._waiting]:
            self._crowd.note(due, what, NO_ANSWER)
        self._asked = None
        self._waiting.clear()
        if self._transport:
            self._transport.close()

    def _understood(self, status: int, body: bytes) -> str:
        what = self._asked[1] if self._asked else ""
        if status == 200:
            if what == PRESS and self._crowd.chance.random() < self._crowd.plan.paying:
                self._crowd.later(self._pay, str(json.loads(body)["order"]))
            return {PAGE: "page", PRESS: "yes", PAY: "paid"}.get(what, "")
        try:
            return str(json.loads(body)["code"])
        except (ValueError, KeyError, TypeError):
            return f"http_{status}"

    def _answered(self, code: str) -> None:
        if self._asked is not None:
            due, what, _ = self._asked
            self._asked = None
            self._crowd.note(due, what, code)
        self._go_on()


class Crowd:
    """All shoppers of this process. ``open`` is how many requests have no answer yet, payments to come among them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.look = (
            f"GET {plan.path} HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nAccept: text/html\r\n"
            "Accept-Language: en\r\n\r\n"
        ).encode()
        self.open = 0
        self._told = asyncio.Event()
        self._diary = Diary()
        self._shoppers = [Shopper(self, token, address) for token, address in plan.tokens]

    async def run(self) -> Diary:
        """Ask until all is said."""
        plan = self.plan
        await self._connect()
        print("ready", flush=True)
        self._diary.ahead = plan.start - time.time()
        used = resource.getrusage(resource.RUSAGE_SELF)
        dues = sorted(self.chance.uniform(0, plan.seconds) for _ in range(plan.requests))
        for number, due in enumerate(dues):
            await self._until(due)
            shopper = self._shoppers[number % len(self._shoppers)]
            ask = shopper.look if self.chance.random() < plan.looking else shopper.press
            ask(due)
        await self._until(plan.seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(plan.start + plan.seconds + plan.patience - time.time()):
                await self._quiet()
        now = resource.getrusage(resource.RUSAGE_SELF)
        self._diary.cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        for shopper in self._shoppers:
            shopper.leave()
        return self._diary

    def note(self, due: float, what: str, code: str) -> None:
        """Write an answer down."""
        self.open -= 1
        self._told.set()
        ms = (time.time() - self.plan.start - due) * 1000
        self._diary.entries.append(Entry(round(due, 4), what, round(ms, 2), code))

    def later(self, pay: Callable[[float, str], None], order: str) -> None:
        """Have somebody pay in a while."""
        self.open += 1
        after = self.chance.uniform(SOONEST, self.plan.pays_within)
        due = time.time() - self.plan.start + after

        def now() -> None:
            self.open -= 1
            pay(due, order)

        asyncio.get_running_loop().call_later(after, now)

    async def _connect(self) -> None:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(shopper: Shopper) -> None:
            async with turns:
                await shopper.connect()

        await asyncio.gather(*map(one, self._shoppers[: self.plan.requests]))

    async def _quiet(self) -> None:
        """Wait until every request has its answer."""
        while self.open:
            self._told.clear()
            await self._told.wait()

    async def _until(self, due: float) -> None:
        """Wait until so many seconds after the start. Lets answers in also where that is past."""
        wait = due - (time.time() - self.plan.start)
        await asyncio.sleep(max(0.0, wait))
        self._diary.late.append(round((time.time() - self.plan.start - due) * 1000, 2))


def _post(plan: Plan, path: str, token: str) -> bytes:
    body = json.dumps({"token": token})
    return (
        f"POST {path} HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nAccept: application/json\r\nAccept-Language: en\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _length(head: bytes) -> int:
    """How long the body is. The shop says so of every answer."""
    _, _, behind = head.lower().partition(b"content-length:")
    return int(behind.partition(b"\r\n")[0] or 0)


def main(file: str) -> None:
    """Carry out a plan."""
    found = json.loads(Path(file).read_text())
    plan = Plan(**found)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each shopper
    diary = asyncio.run(Crowd(plan).run())
    Path(plan.out).write_text(json.dumps(vars(diary)))


if __name__ == "__main__":
    main(sys.argv[1])

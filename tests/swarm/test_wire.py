"""The crowd's HTTP: answers are read whole, connections are used again, and what is no answer is told as none."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storefront.local.embedded import LOOPBACK, free_port
from swarm.wire import NoAnswer, Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody"
SOURCE = "127.0.0.77"


class Server:
    """Answers each request with the next of ``answers``, and hangs up behind one that is cut short or says so."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.asked: list[bytes] = []
        self.callers: list[tuple[str, int]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers.append(writer.get_extra_info("peername"))
        while self._answers:
            try:
                self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                break
            writer.write(answer := self._answers.pop(0))
            if not answer.endswith(b"body") or b"Connection: close" in answer:
                break
        writer.close()


def run_apart(act: Coroutine[Any, Any, Any]) -> Any:
    """Run it in a thread of its own: Playwright's loop, if a test began it in this process, goes on running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, act).result()


def ask(server: Server, act: Callable[[Wire], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with await asyncio.start_server(server.serve, LOOPBACK, 0) as listening:
            wire = Wire(f"http://{LOOPBACK}:{listening.sockets[0].getsockname()[1]}", SOURCE)
            try:
                return await act(wire)
            finally:
                wire.close()

    return run_apart(run())


async def twice(wire: Wire) -> Any:
    return [await wire.ask("GET", "/one", {"Accept": "x"}), await wire.ask("GET", "/two", {})]


def test_answers_are_read_whole_over_one_connection_from_its_own_address() -> None:
    server = Server(OK, OK)
    first, second = ask(server, twice)
    assert first == second
    assert (first.status, first.body) == (200, b"body")
    assert first.fields["set-cookie"].splitlines() == ["a=1", "b=2; Path=/"]
    assert [caller for caller, _ in server.callers] == [SOURCE]
    assert server.asked[0].startswith(b"GET /one HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAccept: x\r\n" in server.asked[0]


def test_a_connection_that_is_an_answers_last_is_not_used_again() -> None:
    server = Server(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), OK)
    assert [reply.status for reply in ask(server, twice)] == [200, 200]
    assert len(server.callers) == 2


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", OK[:-2], b"nonsense\r\n\r\n", CHUNKED])
def test_what_is_no_whole_answer_is_none_and_the_next_comes_over_another_connection(cut: bytes) -> None:
    async def act(wire: Wire) -> Any:
        with pytest.raises(NoAnswer):
            await wire.ask("GET", "/", {})
        return await wire.ask("GET", "/", {})

    assert ask(Server(cut, OK), act).status == 200


def test_a_server_that_is_not_there_gives_no_answer() -> None:
    with pytest.raises(NoAnswer):
        run_apart(Wire(f"http://{LOOPBACK}:{free_port()}", SOURCE).ask("GET", "/", {}))

"""The crowd asks when it is due to, whether the shop keeps up or not."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from storefront.rehearsal import crowd
from storefront.rehearsal.crowd import NO_ANSWER, Plan

YES = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"order": "x"}'
NO = b'HTTP/1.1 409 Conflict\r\ncontent-length: 20\r\n\r\n{"code": "sold_out"}'

Shop = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def ask(shop: Shop, **changed: object) -> crowd.Diary:
    """What the crowd writes down at a server."""
    serving: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(shop(reader, writer)))

    async def have() -> crowd.Diary:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            usual = Plan(
                host="127.0.0.1", port=port, path="/miaosha/x", start=time.time() + 0.2, seconds=0.2, requests=6,
                tokens=[("token", "127.77.0.1"), ("other", "127.77.0.2")], looking=0.0, paying=0.0, pays_within=0.4,
                patience=30.0, seed=1, out="",
            )  # fmt: skip
            plan = Plan(**(vars(usual) | changed))
            diary = await crowd.Crowd(plan).run()
            await asyncio.gather(*serving)
            return diary

    # In a thread of its own: this one may have Playwright's loop running.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, have()).result()


async def requests(reader: asyncio.StreamReader) -> list[bytes]:
    """The next request's head and body; empty at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return []
    _, _, behind = head.partition(b"Content-Length: ")
    return [head, await reader.readexactly(int(behind.partition(b"\r\n")[0] or 0))]


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say no to whatever comes, until nothing does."""
    while await requests(reader):
        writer.write(NO)
    writer.close()


def test_a_stall_counts_for_everybody_who_was_due_meanwhile() -> None:
    held = 0.6

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(held)  # counted from the connection, which is there before the start
        await answers(reader, writer)

    began = time.time()
    diary = ask(stalls, start=began + 0.3)
    assert len(diary.entries) == 6
    assert {one.code for one in diary.entries} == {"sold_out"}
    for one in diary.entries:
        assert one.due + one.ms / 1000 >= held - 0.3 - 0.01


def test_shoppers_press_with_their_own_token_from_their_own_address_and_buyers_pay() -> None:
    seen: list[tuple[str, str, str]] = []

    async def sells(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await requests(reader):
            path = request[0].split(b" ")[1].decode()
            seen.append((path, json.loads(request[1])["token"], writer.get_extra_info("peername")[0]))
            writer.write(YES if path.startswith("/miaosha/") else YES.replace(b"order", b"state"))
        writer.close()

    diary = ask(sells, paying=1.0)
    assert sorted(one.code for one in diary.entries) == ["paid"] * 6 + ["yes"] * 6
    assert set(seen) == {
        (path, *who)
        for path in ("/miaosha/x", "/orders/x/pay")
        for who in (("token", "127.77.0.1"), ("other", "127.77.0.2"))
    }


def test_a_connection_that_breaks_is_no_answer_and_the_next_request_makes_another() -> None:
    broken: list[int] = []

    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await requests(reader)
        if not broken:
            broken.append(1)
            writer.transport.abort()
            return
        writer.write(NO)
        await answers(reader, writer)

    diary = ask(breaks)
    assert sorted(one.code for one in diary.entries) == [NO_ANSWER] + ["sold_out"] * 5


def test_whoever_never_gets_an_answer_is_written_down_too() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    diary = ask(never, patience=0.0)
    assert [one.code for one in diary.entries] == [NO_ANSWER] * 6

"""The crowd: how people and scripts behave. It runs in processes of its own: its CPU is told from the shop's."""

import asyncio
import math
import random
import time
from collections import deque
from contextlib import AsyncExitStack, suppress
from itertools import cycle

from swarm.client import Client, until
from swarm.plan import BOUGHT, ENTERED, SEES, Diaries, Diary, Hand, Person, Plan, Script

EARLY = 0.5
"""Seconds before the start at which the impatient press for the first time."""

PAUSE = (2.0, 4.0)
"""Seconds between two presses of a person."""

CLOCKS, WATCHES = 3, (2.4, 3.6)
"""How often the page's script asks for the time, and the seconds between two looks of its at the sale's status."""

PATIENT, AGAIN = (1.5, 4.5), (0.5, 1.5)
"""Seconds from the end of a draw after which those who are in it look what became of it, as the page's script and the
docs have it; and seconds until they look again where the units aren't handed out yet."""

TICK = 0.01


def ready() -> None:
    """Do nothing: a process that has done so has started."""


def run(plan: Plan) -> Diaries:
    """Let the plan's people and scripts have their race, in this process."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Diaries:
    moments = [one.arrives for one in plan.people]
    moments += [hand.begins for one in plan.scripts for hand in one.hands]
    ahead = plan.start + min(moments, default=0.0) - time.time()
    lags: list[float] = []
    began, listening = time.process_time(), asyncio.create_task(_listen(lags))
    acts = [_person(plan, one) for one in plan.people] + [_script(plan, one) for one in plan.scripts]
    diaries = await asyncio.gather(*acts)
    await _stopped(listening)
    return Diaries(diaries, ahead, time.process_time() - began, lags)


async def _listen(lags: list[float]) -> None:
    """Write down how late this event loop is: by so much any latency measured here may be too long."""
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append((time.perf_counter() - asked - TICK) * 1000)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# People


async def _person(plan: Plan, who: Person) -> Diary:
    diary = Diary(who.kind)
    async with Client(plan, diary, who.address, who.cookie) as client:
        await until(plan.start + who.arrives)
        await (_with_pages if who.cookie else _with_app)(plan, who, client)
    if not who.cookie:
        diary.late = [(diary.pressed[who.account] - who.reacts) * 1000]
    return diary


async def _with_app(plan: Plan, who: Person, client: Client) -> None:
    chance = random.Random(who.seed)
    await client.own(plan.path)
    for moment in [-EARLY, who.reacts] if who.early else [who.reacts]:
        await until(plan.start + moment)
        answer = await client.press(who.account, who.token)
        client.waited(answer)
    while answer.status not in (200, 202) and time.time() < plan.start + plan.lasts:
        await asyncio.sleep(chance.uniform(*PAUSE))
        answer = await client.press(who.account, who.token)
        client.waited(answer)
    if answer.status == 202:
        moment = plan.start + plan.draw + chance.uniform(*PATIENT)
        while moment < plan.start + plan.lasts:
            await until(moment)
            if await client.sees_draw(who.token):
                break
            moment = time.time() + chance.uniform(*AGAIN)


async def _with_pages(plan: Plan, who: Person, client: Client) -> None:
    chance = random.Random(who.seed)
    page = await client.look()
    script = asyncio.create_task(_page_script(plan, client, chance.random()))
    if who.early:
        await until(plan.start - EARLY)
        page = await client.look(to_press=True)
    if who.refetches + SEES < who.reacts:  # else they press what was there before the start
        await until(plan.start + who.refetches)
        page = await client.look()
    await until(plan.start + who.reacts)
    while time.time() < plan.start + plan.lasts:
        if not page.button:
            page = await client.look(to_press=True)
        if page.button:
            page = await client.push(who.account, page.button)
            if page.code in (BOUGHT, ENTERED):
                break
        await asyncio.sleep(chance.uniform(*PAUSE))
    if page.code == ENTERED:
        moment = plan.start + plan.draw + chance.uniform(*PATIENT)
        while moment < plan.start + plan.lasts:
            await until(moment)
            page = await client.look()
            if page.code not in (ENTERED, "drawing"):
                break
            moment = time.time() + chance.uniform(*AGAIN)
        client.learned(page)
    await _stopped(script)


async def _page_script(plan: Plan, client: Client, seed: float) -> None:
    chance = random.Random(seed)
    for _ in range(CLOCKS):
        await client.own("/time")
    await until(plan.start)
    while True:
        await asyncio.sleep(chance.uniform(*WATCHES))
        await client.own(f"/sales/{plan.sale}/status")


# Scripts


async def _script(plan: Plan, one: Script) -> Diary:
    diary = Diary(one.kind)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as presses:
        clients = {
            address: await stack.enter_async_context(Client(plan, diary, address))
            for address in {hand.address for hand in one.hands}
        }

        def press(hand: Hand) -> None:
            presses.create_task(clients[hand.address].press(hand.account, hand.token))

        waiting = deque(sorted(one.hands, key=lambda hand: hand.begins))
        pressing: list[Hand] = []
        turns = cycle(pressing)
        next_turn = -math.inf
        while (now := time.time() - plan.start) < plan.lasts:
            while waiting and waiting[0].begins <= now:
                pressing.append(waiting.popleft())
                press(pressing[-1])
                diary.late.append((now - pressing[-1].begins) * 1000)
                turns, next_turn = cycle(pressing), max(next_turn, now + 1 / plan.rate)
            if pressing and next_turn <= now:
                press(next(turns))
                next_turn = max(next_turn + 1 / plan.rate, now)
            moments = [waiting[0].begins] if waiting else []
            moments += [next_turn] if pressing else []
            await until(plan.start + min(moments, default=plan.lasts))
    return diary

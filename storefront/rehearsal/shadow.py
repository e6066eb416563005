"""The shadow: a shop on the live shop's Redis servers and brokers, with web processes and workers of its own.

Its databases were empty, its topics are new, its processes listen on loopback; all of that goes when it ends, however
it ends. A rehearsal that is killed leaves its marks, by which the next one finds what is left.
"""

import os
import re
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from kafka.errors import KafkaError
from redis.exceptions import RedisError

from storefront.config import Config
from storefront.gateways import topics
from storefront.gateways.ledger import ACCOUNTS, ORDERS
from storefront.local import settings
from storefront.local.screen import Screen
from storefront.local.settings import without_password
from storefront.local.shop import LocalShop
from storefront.rehearsal import databases
from storefront.rehearsal.databases import Mark
from storefront.rehearsal.faults import CannotRehearse
from storefront.shop import Shop, access_of

Say = Callable[[str], None]

NAME = "rehearsal-"
FOLDER = "flash-sale-rehearsal-"
TRIAL = "trial"
SECRET, REDIS_URL, LIMITER_URL = settings.SECRET, settings.REDIS_URL, "STOREFRONT_LIMITER_URL"
RQ_URL, TOPIC_PREFIX = "STOREFRONT_RQ_URL", "STOREFRONT_TOPIC_PREFIX"

PATIENT = 30.0
"""Seconds that what is seeded may wait for the ledger: the order worker takes much of the machine meanwhile."""

GONE = "The shadow is gone: no record, no key, no topic and no process of it is left."

SIGNED = 60.0
"""Seconds that the order worker may take to open the shadow."""


@dataclass(frozen=True)
class Size:
    """How many web processes and order workers the shadow has."""

    web: int
    workers: int


@dataclass(frozen=True)
class Shadow:
    """A shadow that runs: its processes, and its stores and ledger as this process sees them."""

    local: LocalShop
    inside: Shop


def clear(config: Config, say: Say) -> None:
    """Remove what a rehearsal of this shop left that was killed, and say so. Raises CannotRehearse.

    Only one rehearsal of a shop runs at a time, so every topic with a rehearsal's name is left from another.
    """
    try:
        left = databases.left_behind(config, say)
        doomed = _left_topics(config)
        for address in left:
            databases.wipe(address)
        topics.delete(_servers(config), doomed, access_of(config))
    except RedisError as fault:
        raise CannotRehearse(f"Redis does not answer (STOREFRONT_REDIS_URL): {fault}") from fault
    except KafkaError as fault:
        raise CannotRehearse(_topics_left(config, _left_topics(config), fault)) from fault
    for mark in left.values():
        if mark.host == socket.gethostname() and Path(mark.folder).name.startswith(FOLDER):
            shutil.rmtree(mark.folder, ignore_errors=True)
    if left or doomed:
        where = ", ".join([*map(without_password, sorted(left)), *(f"the topic {name}" for name in sorted(doomed))])
        say(f"An earlier rehearsal was killed; what it left is removed now: {where}.")


def _servers(config: Config) -> list[str]:
    return config.kafka.split(",")


def _left_topics(config: Config) -> set[str]:
    shape = re.compile(f"{re.escape(config.topic_prefix + NAME)}[0-9a-f]{{6}}-({ORDERS}|{ACCOUNTS}|{TRIAL})")
    try:
        return {name for name in topics.names(_servers(config), access_of(config)) if shape.fullmatch(name)}
    except KafkaError as fault:
        raise CannotRehearse(f"Kafka does not answer at {config.kafka} (STOREFRONT_KAFKA).") from fault


def _topics_left(config: Config, names: set[str], fault: KafkaError) -> str:
    return (
        f"Kafka at {config.kafka} does not make and delete topics ({type(fault).__name__}), and a rehearsal "
        f"leaves nothing only where it may. Left there: {', '.join(sorted(names))}. "
        "Allow it (delete.topic.enable=true, and the rights to CREATE and DELETE), or delete them yourself."
    )


@contextmanager
def cast(config: Config, size: Size, shoppers: int, screen: Screen) -> Iterator[Shadow]:
    """A shadow of the shop with these settings, for as long as the block runs.

    Raises CannotRehearse if it can't take place. In the end it is said that nothing is left of it, or what is.
    """
    left: list[str] = []
    begun = False
    try:
        with _begun(config, size, shoppers, screen, left.append) as one:
            begun = True
            yield one
    finally:
        for sentence in left or [GONE] * begun:
            screen.say(sentence)


@contextmanager
def _begun(config: Config, size: Size, shoppers: int, screen: Screen, left: Say) -> Iterator[Shadow]:
    run = secrets.token_hex(3)
    with ExitStack() as held:
        folder = Path(tempfile.mkdtemp(prefix=FOLDER))
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        mark = Mark(run, socket.gethostname(), str(folder))
        prefix = f"{config.topic_prefix}{NAME}{run}-"
        held.enter_context(_topics(config, prefix, left))
        shadowed = held.enter_context(_databases(config, mark, shoppers, left))
        shadowed = replace(
            shadowed, topic_prefix=prefix, secret=secrets.token_hex(32), pictures=str(folder), payments="sandbox"
        )
        local = LocalShop(
            folder / "shop", web_processes=size.web, env=_environment(shadowed),
            workers=size.workers, only=("orders", "expiry", "web"),
        )  # fmt: skip
        with screen.bar("starting the shadow", None):
            held.enter_context(local)
            inside = Shop(replace(shadowed, send_timeout=PATIENT, sales_open_to="anyone"))
            held.callback(inside.close)
            deadline = time.monotonic() + SIGNED
            while not inside.is_open():
                if time.monotonic() > deadline:
                    raise CannotRehearse("The shadow's order worker did not open it: this machine is too busy.")
                time.sleep(0.05)
        yield Shadow(local, inside)


def _environment(shadowed: Config) -> dict[str, str]:
    """The live shop's settings, but for what leads to its data."""
    own = {
        SECRET: shadowed.secret,
        REDIS_URL: shadowed.redis_url,
        LIMITER_URL: shadowed.limiter_url,
        RQ_URL: shadowed.rq_url,
        TOPIC_PREFIX: shadowed.topic_prefix,
        settings.PICTURES: shadowed.pictures,
        settings.PIN: "1" if shadowed.pin else "0",
        settings.SALES_OPEN_TO: shadowed.sales_open_to,
        "STOREFRONT_PROXIES": "0",  # nobody stands in front of it
        "STOREFRONT_PAYMENTS": "sandbox",  # no real money, and no strain on who moves it
    }
    given = settings.of_shop(os.environ)
    return {name: value for name, value in given.items() if name.removesuffix("_FILE") not in own} | own


@contextmanager
def _databases(config: Config, mark: Mark, shoppers: int, say: Say) -> Iterator[Config]:
    """Empty databases of the shop's Redis servers, as settings; emptied again in the end."""
    claimed: list[str] = []
    over = threading.Event()
    try:
        try:
            databases.room(config.redis_url, shoppers * BYTES)
            for url in (config.redis_url, config.limiter_url, config.rq_url):
                address = databases.claim(config, url, mark) if databases.is_redis(url) else url
                claimed.append(address)  # one by one: those that were claimed are emptied if another can't be
        except RedisError as fault:
            raise CannotRehearse(f"Redis does not answer (STOREFRONT_REDIS_URL): {fault}") from fault
        marked = [url for url in claimed if databases.is_redis(url)]
        beat = threading.Thread(target=_beat, args=[marked, mark, over], name="rehearsal-alive", daemon=True)
        beat.start()
        redis_url, limiter_url, rq_url = claimed
        try:
            yield replace(config, redis_url=redis_url, limiter_url=limiter_url, rq_url=rq_url)
        finally:
            over.set()
            beat.join()
    finally:
        for url in filter(databases.is_redis, claimed):
            try:
                databases.wipe(url)
            except RedisError as fault:
                say(f"Left in Redis: {without_password(url)} ({fault}). The next rehearsal removes it.")


BYTES = 4096
"""Of Redis for each shopper, at most: account, order, their places in lists, counts of their limits."""


def _beat(addresses: list[str], mark: Mark, over: threading.Event) -> None:
    while not over.wait(databases.ALIVE_FOR / 3):
        with suppress(RedisError):  # while Redis is away, nobody else can rehearse either
            databases.stay_alive(addresses, mark)


@contextmanager
def _topics(config: Config, prefix: str, say: Say) -> Iterator[None]:
    """Whatever topics there are with this prefix go in the end. Raises CannotRehearse where they wouldn't."""
    servers, trial, access = _servers(config), prefix + TRIAL, access_of(config)
    try:
        topics.ensure(servers, {trial: 1}, 1, access)
        topics.delete(servers, {trial}, access)
    except KafkaError as fault:
        raise CannotRehearse(_topics_left(config, _left_topics(config), fault)) from fault
    try:
        yield
    finally:
        try:
            left = {name for name in topics.names(servers, access) if name.startswith(prefix)}
            topics.delete(servers, left, access)
        except KafkaError as fault:
            say(f"Left in Kafka: the topics {prefix}* ({type(fault).__name__}). The next rehearsal removes them.")

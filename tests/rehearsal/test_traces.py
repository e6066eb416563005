"""A rehearsal sells on the live shop's own servers, and leaves them exactly as they were, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from redis import Redis

from storefront.config import Config, other_database
from storefront.domain.sale import Sale, Terms
from storefront.gateways import topics
from storefront.local.shop import LocalShop
from storefront.rehearsal import databases, machine, shadow
from storefront.rehearsal.command import rehearse
from storefront.rehearsal.databases import ALIVE, MARK, Mark
from storefront.rehearsal.faults import CannotRehearse
from storefront.services import auditing, selling
from storefront.shop import Shop
from storefront.stores.connection import connect
from tests.conftest import SETTINGS, broker_settings, config_of, eventually

pytestmark = pytest.mark.xdist_group("rehearsal")  # one live shop for all of them

BREATHING = ("lease:", "workers", "position:", "rq:", "LIMITS:", "traffic")
"""Keys whose values an idle shop's processes renew, or let run out."""

SMALL = ("--shoppers", "6", "--rate", "20", "--seconds", "1", "--web", "1", "--p99", "60000", "--paying", "100")
"""Three stages and the opening: six shoppers can't make more than 24 requests a second."""


class Live:
    """A running shop with one sale, of which nothing is sold."""

    def __init__(self, running: LocalShop, shop: Shop, sale: Sale) -> None:
        self.running, self.shop, self.sale = running, shop, sale

    def command(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "rehearse", self.sale.product, *words],
            env=self.running.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def everything(self) -> dict[str, object]:
        """What is in its Redis, key by key, and in its Kafka, topic by topic."""
        config, found = self.shop.config, dict[str, object]()
        for number in range(16):
            with connect(other_database(config.redis_url, number), decode_responses=False) as redis:
                for key in redis.scan_iter():
                    if not key.decode().startswith(BREATHING):
                        found[f"{number} {key.decode()}"] = redis.dump(key)
                    elif number > 2:
                        found[f"{number} {key.decode()}"] = "left behind"
        found["topics"] = sorted(topics.names(config.kafka.split(",")))
        found["ledger"] = self.shop.ends.look(10)
        return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    own = {"STOREFRONT_LIMIT_BUY_ACCOUNT": "5/second", "STOREFRONT_TOPIC_PREFIX": f"live-{os.getpid()}-"}
    settings = SETTINGS | broker_settings() | own
    with LocalShop(tmp_path_factory.mktemp("live"), env=settings) as running:
        shop = Shop(config_of(running))
        eventually(shop.is_open)
        now = shop.memory.now_ms() // 1000
        terms = Terms(
            "彩排 / rehearsed", 4, "x", now + 3600, now + 7200, price=100, min_account_age=60, proof="on", draw=60
        )
        yield Live(running, shop, selling.open_sale(shop, None, terms).sale)
        shop.close()


@pytest.mark.timeout(300)
def test_a_rehearsal_sells_the_sale_on_a_shadow_and_leaves_the_live_shop_as_it_was(live: Live, tmp_path: Path) -> None:
    before = live.everything()
    svg, figures = tmp_path / "plot.svg", tmp_path / "figures.json"
    done = live.command(*SMALL, "--svg", str(svg), "--json", str(figures))
    output, errors = done.communicate(timeout=250)
    assert done.returncode in (0, 1), errors
    assert live.everything() == before
    assert auditing.audit(live.shop).adds_up

    told = json.loads(figures.read_text())
    assert [(stage["rate"], stage["opening"]) for stage in told["stages"]] == [
        (5, False), (10, False), (20, False), (6, True),
    ]  # fmt: skip
    assert all(stage["exact"] and stage["sold"] <= 4 for stage in told["stages"])
    assert told["asked"]["web"] == 1
    assert "The verdict" in output
    assert "Every unit is accounted for: 4 sales" in output
    assert "The shadow is gone" in output
    assert "proof of work; the shadow asks for none" in output
    assert "in the shadow who presses first buys first" in output
    assert ET.parse(svg).getroot() is not None


@pytest.mark.timeout(300)
def test_a_rehearsal_that_is_told_to_stop_leaves_nothing(live: Live, tmp_path: Path) -> None:
    before = live.everything()
    started = live.command(*SMALL, "--svg", str(tmp_path / "plot.svg"))
    eventually(lambda: _in_the_middle(live), 120)
    started.send_signal(signal.SIGTERM)
    output, errors = started.communicate(timeout=120)
    assert (started.returncode, errors) == (130, "Stopped.\n")
    assert "The shadow is gone: no record, no key, no topic and no process of it is left." in output
    assert live.everything() == before


@pytest.mark.timeout(300)
def test_what_a_killed_rehearsal_leaves_the_next_one_removes(live: Live, tmp_path: Path) -> None:
    before = live.everything()
    started = live.command(*SMALL, "--svg", str(tmp_path / "plot.svg"))
    eventually(lambda: _in_the_middle(live), 120)
    started.kill()
    started.communicate()
    marked = _marked(live)
    assert len(marked) == 3
    folder = Path(marked[0].folder)
    eventually(lambda: not _processes_in(folder))
    for address in _addresses(live):  # as if so much time had passed
        with connect(address) as redis:
            redis.delete(ALIVE)

    said: list[str] = []
    shadow.clear(live.shop.config, said.append)
    assert "An earlier rehearsal was killed; what it left is removed now: " in said[-1]
    assert live.everything() == before
    assert not folder.exists()
    shadow.clear(live.shop.config, said.append)
    assert len(said) == 1


def _addresses(live: Live) -> list[str]:
    return [other_database(live.shop.config.redis_url, number) for number in range(3, 16)]


def _marked(live: Live) -> list[Mark]:
    found = []
    for address in _addresses(live):
        with connect(address, decode_responses=True) as redis:
            if text := redis.get(MARK):
                found.append(Mark(**json.loads(str(text))))
    return found


def _in_the_middle(live: Live) -> bool:
    """Whether the shadow has sold something."""
    for address in _addresses(live):
        with connect(address) as redis:
            if any(redis.scan_iter("*:order:*")):
                return True
    return False


def _processes_in(folder: Path) -> list[Path]:
    """Processes with files of this folder open: those of the shadow that was made there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()).startswith(str(folder)) for link in (process / "fd").iterdir()):
                found.append(process)
        except OSError:
            continue
    return found


@pytest.fixture
def crowded(live: Live) -> Iterator[list[Redis]]:
    """Every database of the live shop's Redis that it doesn't use holds somebody's key."""
    held = [connect(address) for address in _addresses(live)]
    for redis in held:
        redis.set("somebody's", "key")
    yield held
    for redis in held:
        redis.delete("somebody's")
        redis.close()


def test_a_database_with_a_key_in_it_is_never_touched(live: Live, crowded: list[Redis]) -> None:
    mark, config = Mark("abcdef", "here", "/tmp/x"), live.shop.config
    with pytest.raises(CannotRehearse, match="has no empty database among 1 to 15"):
        databases.claim(config, config.redis_url, mark)
    for address in [*_addresses(live), config.redis_url]:
        assert databases.wipe(address) == 0
    assert all(redis.keys() == [b"somebody's"] for redis in crowded)
    assert live.shop.sales.get(live.sale.id)


def test_two_claims_get_two_databases_and_wiping_one_leaves_the_other(live: Live) -> None:
    config = live.shop.config
    one, other = (databases.claim(config, config.redis_url, Mark(run, "here", "/tmp/x")) for run in ("a" * 6, "b" * 6))
    assert one != other
    with connect(one) as redis:
        redis.set("x", 1)
    assert databases.wipe(one) == 1
    with connect(other) as redis:
        assert redis.get(MARK)
    databases.wipe(other)


def test_while_a_rehearsal_runs_there_is_no_other(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "ALIVE_FOR", 1)
    config = live.shop.config
    address = databases.claim(config, config.redis_url, Mark("abcdef", "here", "/tmp/x"))
    with connect(address) as redis:
        redis.persist(ALIVE)
    said: list[str] = []
    with pytest.raises(CannotRehearse, match="Another rehearsal of this shop is under way"):
        shadow.clear(config, said.append)
    assert len(said) == 1
    databases.wipe(address)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing of that name", "--shoppers", "10", "--rate", "5"], "There is no sale of “nothing of that name”"),
        (["SALE", "--shoppers", "10", "--rate", "41"], "STOREFRONT_LIMIT_BUY_ACCOUNT lets each make 4.0 safely"),
        (["SALE", "--shoppers", "10", "--rate", "5", "--svg", "no/such/folder/x.svg"], "There is no folder"),
        (["SALE", "--rate", "5"], "Missing option '--shoppers'"),
        (["SALE", "--shoppers", "0", "--rate", "5"], "is not in the range"),
    ],
)
def test_what_cannot_be_rehearsed_is_said_in_a_sentence_before_anything_starts(
    app_with: Callable[..., Flask], a_sale: Callable[..., Sale], words: list[str], says: str
) -> None:
    app = app_with(limit_buy_account="5/second")
    arguments = [a_sale().id if word == "SALE" else word for word in words]
    result = app.test_cli_runner().invoke(rehearse, arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


def test_who_runs_and_who_listens_on_this_machine_is_seen(real_shop: LocalShop, config: Config) -> None:
    assert machine.running(real_shop.env["STOREFRONT_REDIS_URL"]) == (2, 1)
    assert machine.running("redis://127.0.0.1:1/0") == (0, 0)
    assert machine.listener("127.0.0.1", real_shop.port) in machine.tree(real_shop.processes["web"].pid or 0)
    assert machine.listener("192.0.2.1", real_shop.port) is None
    before, until = machine.cpu_of(os.getpid()), time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert machine.cpu_of(os.getpid()) > before

"""The embedded Redis and broker: they keep their data, and come back where they were."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from redis import Redis

from storefront.local import embedded
from storefront.local.faults import CannotStart
from storefront.local.services import ROOT
from storefront.local.shop import LocalShop

STORES = ("redis", "broker")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[LocalShop]:
    """A Redis and a broker, without the rest of the shop."""
    with LocalShop(tmp_path, only=STORES) as shop:
        yield shop


def records(kafka: str) -> list[bytes]:
    """What the topic `t` holds."""
    partition = TopicPartition("t", 0)
    consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        consumer.assign([partition])
        expected = consumer.end_offsets([partition])[partition]
        found: list[bytes] = []
        while len(found) < expected:
            for batch in consumer.poll(timeout_ms=1000).values():
                found.extend(record.value for record in batch)
        return found
    finally:
        consumer.close()


def test_what_was_written_is_there_after_a_stop_and_a_start(tmp_path: Path) -> None:
    with LocalShop(tmp_path, only=STORES) as shop, Redis.from_url(shop.redis_url) as redis:
        redis.set("stock", 7)
        producer = KafkaProducer(bootstrap_servers=shop.kafka, acks="all")
        producer.send("t", b"order").get(10)
        producer.close()
    with LocalShop(tmp_path, only=STORES) as shop, Redis.from_url(shop.redis_url) as redis:
        assert redis.get("stock") == b"7"
        assert records(shop.kafka) == [b"order"]


def test_a_killed_redis_comes_back_on_its_port_with_its_data_and_a_new_epoch(stores: LocalShop) -> None:
    with Redis.from_url(stores.redis_url) as redis:
        redis.set("stock", 7)
        epoch = redis.info("replication")["master_replid"]
        stores.processes["redis"].kill()
        stores.processes["redis"].start()
        stores.processes["redis"].wait_ready()
        assert redis.get("stock") == b"7"
        assert redis.info("replication")["master_replid"] != epoch


def test_a_killed_broker_comes_back_on_its_port(stores: LocalShop) -> None:
    stores.processes["broker"].kill()
    assert not embedded.broker_answers(stores.kafka)
    stores.processes["broker"].start()
    stores.processes["broker"].wait_ready()


def test_redis_never_evicts_and_has_room_for_the_limiter_and_the_timers(stores: LocalShop) -> None:
    with Redis.from_url(stores.redis_url) as redis:
        assert redis.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert redis.config_get("databases")["databases"] == "16"


def test_a_stopped_shop_may_start_again(tmp_path: Path) -> None:
    shop = LocalShop(tmp_path, only=STORES)
    for _ in range(2):
        shop.start()
        assert embedded.redis_answers(shop.redis_url)
        assert embedded.broker_answers(shop.kafka)
        shop.stop()


def test_no_port_is_handed_out_twice() -> None:
    ports = [embedded.free_port() for _ in range(50)]
    assert len(set(ports)) == 50


def test_no_port_is_handed_out_to_two_processes_while_both_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PORTS", range(31_000, 31_004))
    program = """
from storefront.local import embedded
embedded.PORTS = range(31_000, 31_004)
print(embedded.free_port(), embedded.free_port(), flush=True)
input()
"""
    pipe = subprocess.PIPE
    other = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    with other:
        assert other.stdout
        theirs = {int(port) for port in other.stdout.readline().split()}
        mine = {embedded.free_port() for _ in range(2)}
        assert len(theirs | mine) == 4
        with pytest.raises(CannotStart):
            embedded.free_port()
        other.communicate("\n")
    assert embedded.free_port() in theirs  # they have ended
    with embedded._given_to_all() as given:
        for port in embedded.PORTS:
            given.pop(port, None)


def test_without_a_list_of_ports_each_process_remembers_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "nowhere"))
    monkeypatch.setattr(embedded, "PORTS", range(31_004, 31_006))
    assert {embedded.free_port() for _ in range(2)} == {31_004, 31_005}
    with pytest.raises(CannotStart):
        embedded.free_port()


def test_no_inner_port_is_one_that_the_system_gives_to_outgoing_connections() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(embedded.PORTS) < lowest


def test_without_a_redis_program_the_fault_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(CannotStart, match="STOREFRONT_REDIS_URL"):
        embedded.redis_argv(tmp_path, 1)
    with pytest.raises(CannotStart, match="STOREFRONT_KAFKA"):
        embedded.broker_argv(tmp_path, 1)

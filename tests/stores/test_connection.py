"""Redis by its URL: one server, or the primary that Sentinels name."""

from collections.abc import Iterator

import pytest
from limits.storage import Storage, storage_from_string
from redis.exceptions import RedisError

from storefront.config import other_database
from storefront.domain.errors import Recovering
from storefront.stores.connection import connect, split_database
from storefront.stores.memory import Memory
from storefront.web.limits import storage_of
from tests.chaos.sentinels import ReplicatedRedis
from tests.conftest import eventually


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicatedRedis]:
    with ReplicatedRedis(tmp_path_factory.mktemp("group")) as group:
        eventually(lambda: group.replicas_in_step() == 2)
        yield group


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://127.0.0.1:1",
        "redis+sentinel:///shop",
        "redis+sentinel://a:x/shop",
        "redis+sentinel://a/shop/b",
    ],
)
def test_a_url_that_names_no_service_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"must look like|is not HOST:PORT"):
        connect(url)


def test_the_database_is_told_from_the_service() -> None:
    assert split_database("redis+sentinel://a:1,b:2/shop/3") == ("redis+sentinel://a:1,b:2/shop", 3)
    assert split_database("redis+sentinel://a:1/shop") == ("redis+sentinel://a:1/shop", 0)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/7"),
        ("rediss://user:p%40ss@host", "rediss://user:p%40ss@host/7"),
        ("redis://host/0?socket_timeout=10&db=3", "redis://host/7?socket_timeout=10"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=7"),
        ("redis+sentinel://:pw@a:1,b:2/shop/3", "redis+sentinel://:pw@a:1,b:2/shop/7"),
        ("redis+sentinel://a:1/shop", "redis+sentinel://a:1/shop/7"),
    ],
)
def test_another_database_of_the_same_redis(url: str, other: str) -> None:
    assert other_database(url, 7) == other
    assert connect(other).connection_pool.connection_kwargs["db"] == 7


def test_a_promise_waits_for_replicas_and_a_promotion_begins_a_new_epoch(group: ReplicatedRedis) -> None:
    memory = Memory(group.url, replicas=2)
    too_many = Memory(group.url, replicas=3)
    try:
        assert memory.promise("confirm", ["{a}:order:a"], ["0"]) == "gone"
        with pytest.raises(Recovering):
            too_many.promise("confirm", ["{a}:order:a"], ["0"])

        epoch = memory.scripts.run("begin", ["{a}:position", "epoch:birth"], ["x"])[0]
        before = group.primary()
        group.processes[before].kill()

        def epoch_now() -> str | None:
            try:
                return str(memory.scripts.run("begin", ["{a}:position", "epoch:birth"], ["x"])[0])
            except RedisError:
                return None

        assert eventually(epoch_now) != epoch
        assert group.primary() != before
        with pytest.raises(Recovering):  # one of two replicas is the primary now
            memory.promise("confirm", ["{a}:order:a"], ["0"])
    finally:
        memory.redis.close()
        too_many.redis.close()


def test_limits_are_counted_at_the_primary_that_sentinels_name(group: ReplicatedRedis) -> None:
    url = group.url.rpartition("/")[0] + "/1"
    eventually(lambda: group.replicas_in_step() >= 1)
    address, options = storage_of(url)
    counts = storage_from_string(address, **options)
    assert isinstance(counts, Storage)
    assert (counts.incr("somebody", 60), counts.incr("somebody", 60), counts.get("somebody")) == (1, 2, 2)
    with connect(url) as primary:
        assert [key for key in primary.scan_iter() if b"somebody" in key]

"""Who tells a merchant of events does it alone, and whoever dies of it leaves nothing behind that is told twice."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from storefront.config import Config, other_database
from storefront.domain.event import trial
from storefront.services import webhooks
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import unique


class Killed(BaseException):
    """As a process ends."""


@pytest.fixture
def apart(config: Config) -> Iterator[Shop]:
    """A shop whose merchants are told by nobody but this test: its Redis is another database."""
    made = Shop(replace(config, redis_url=other_database(config.redis_url, 9)))
    made.memory.redis.flushdb()
    yield made
    made.memory.redis.flushdb()
    made.close()


@pytest.fixture
def merchant(apart: Shop) -> str:
    made = unique("商家")
    webhooks.set_address(apart, made, "https://receiver.invalid/")
    return made


def test_a_turn_is_nobody_elses_until_it_is_over(apart: Shop, merchant: str) -> None:
    [first, second, third] = [trial(apart.memory.now_ms()) for _ in range(3)]
    apart.webhooks.note([(merchant, first)])
    turn = apart.webhooks.take_turn()
    assert turn
    assert turn.merchant == merchant
    apart.webhooks.note([(merchant, second)])
    assert apart.webhooks.again(merchant, first.id)
    assert apart.webhooks.take_turn() is None
    apart.webhooks.end_turn(turn)
    again = apart.webhooks.take_turn()
    assert again

    # who took it has died; or was only slow, and comes too late to end it
    apart.memory.redis.zadd(keys.WEBHOOK_TURNS_TAKEN, {merchant: 1})
    other = apart.webhooks.take_turn()
    assert other
    apart.webhooks.end_turn(replace(again, until=1))
    apart.webhooks.note([(merchant, third)])
    assert apart.webhooks.take_turn() is None
    apart.webhooks.end_turn(other)
    assert apart.webhooks.take_turn()


def test_a_test_is_sent_once_at_most_even_by_who_dies_of_it(apart: Shop, merchant: str) -> None:
    sent: list[str] = []

    def dies(_address: str, _body: bytes, headers: Mapping[str, str]) -> int:
        sent.append(headers["webhook-id"])
        raise Killed

    webhooks.send_test(apart, merchant)
    with pytest.raises(Killed):
        webhooks.deliver_due(apart, dies)
    assert len(sent) == 1
    assert apart.webhooks.waiting(merchant) == 0

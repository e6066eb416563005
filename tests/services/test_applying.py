"""Applying the ledger: a row of records is applied in its order or not at all, whatever fails in the middle of it."""

import pytest
from redis.exceptions import ResponseError

from storefront.services.applying import apply
from storefront.shop import Shop
from storefront.stores import orders
from storefront.stores.scripts import place

from .story import Story


def test_a_script_that_redis_forgot_leaves_no_record_out(alone: Shop) -> None:
    story = Story(alone)
    apply(alone, story.partition, story.lines(story.opened(), story.requested(0)))
    alone.memory.redis.script_flush()
    apply(alone, story.partition, story.lines(story.requested(1)))  # Redis knows this one script again
    apply(alone, story.partition, story.lines(story.cancelled(0), story.requested(2)))
    assert [story.state(number) for number in range(3)] == ["cancelled", "pending", "pending"]


def test_a_record_that_redis_refused_is_not_passed_over_by_those_behind_it(alone: Shop) -> None:
    story = Story(alone)
    apply(alone, story.partition, story.lines(story.opened(), story.requested(0), story.requested(1)))
    row = first, second = story.lines(story.cancelled(0), story.requested(2))
    alone.memory.redis.config_set("maxmemory", 1)  # no room for a moment, as on a full disk
    try:
        with pytest.raises(ResponseError):
            apply(alone, story.partition, row)
    finally:
        alone.memory.redis.config_set("maxmemory", 0)
    where = place(second.offset, first.offset)
    call = orders.effect(story.requested(2), story.epoch, story.epoch, where)
    assert alone.memory.scripts.run(*call) == "gap", "there was room again when its turn came"
    apply(alone, story.partition, row)
    assert [story.state(number) for number in range(3)] == ["cancelled", "pending", "pending"]

"""The scripts with one safeguard taken out: `test_scripts.py` shows that the machine misses each of them."""

from collections.abc import Callable
from typing import NamedTuple

from storefront.stores.scripts import source


class Cut(NamedTuple):
    """What is taken out of one script's text (or of the prelude's, which stands in front of each), and put instead."""

    script: str
    text: str
    instead: str = ""
    first_run: int = 0
    """The run to begin with, which saves the time of those that find nothing."""


EVERY = "every script"

CUTS = {
    "a worker's scripts refuse under another epoch": Cut(
        EVERY, "if epoch_in_force() ~= believed_epoch then return 'another_epoch' end"
    ),
    "a script passes over what was applied before": Cut(
        EVERY, "if offset < tonumber(position) then return 'already' end"
    ),
    "the position is written with the effects": Cut(
        EVERY, "redis.call('HSET', position_key, 'position', string.format('%.0f', read_place(place) + 1))"
    ),
    "an emptied Redis begins a new epoch": Cut("begin", "redis.call('SET', KEYS[2], ARGV[1], 'NX')", first_run=3),
    "reserve says yes only in the epoch that is signed": Cut(
        "reserve", "if sale[1] ~= epoch then return {'recovering'} end"
    ),
    "reserve counts what the shopper holds": Cut(EVERY, "  hold(sale, buyers, shopper, order)\n"),
    "reserve has the sweep look at the reservation": Cut(EVERY, "redis.call('ZADD', agenda, now + doubt_ms, order)"),
    "reserve leaves what came back to those who wait": Cut(
        "reserve", "if tonumber(sale[11] or 0) > 0 then return {'all_held'} end"
    ),
    "an offer is made only in the epoch that is signed": Cut("offer", "sale[1] ~= epoch or "),
    "whoever gets an order waits no more": Cut("apply_requested", "leave_waitlist(KEYS[1], KEYS[5], KEYS[6], ARGV[5])"),
    "confirm says yes only to what stands": Cut("confirm", "return 'gone'", "return 'standing'"),
    "the sweep marks what it releases": Cut("due", "redis.call('HSET', key, 'state', 'releasing')", first_run=14),
    "a release of an unknown order leaves a tombstone": Cut(
        "apply_freed", "redis.call('HSET', KEYS[3], 'state', why, 'sale', string.match(KEYS[1], '[^:]+$'))"
    ),
    "a unit that is freed goes back to stock": Cut("apply_freed", "move(KEYS[1], 'pending', 'stock')"),
    "a freed order no longer counts for its shopper": Cut("apply_freed", "let_go(KEYS[2], order[2], ARGV[3])"),
    "an expiry leaves a paid order alone": Cut("apply_freed", "state == 'pending' and why ~= 'released'", "state"),
    "a request of an epoch that is over is refused": Cut("apply_requested", "ARGV[7] ~= ARGV[3]", "false"),
    "a release of an epoch that is over is ignored": Cut("apply_freed", "ARGV[7] ~= ARGV[6]", "false"),
    "a request takes its unit again if a rollback lost it": Cut("apply_requested", "move(KEYS[1], 'stock', 'pending')"),
    "a request counts again for its shopper": Cut("apply_requested", "hold(KEYS[1], KEYS[2], ARGV[5], ARGV[4])"),
    "an order that was released is not placed": Cut(
        "apply_requested", "if state and not standing", "if state == 'pending'"
    ),
    "a signature frees every reservation that stands": Cut(
        "apply_signed", "if found[1] == 'reserved' or found[1] == 'releasing' then", "if false then"
    ),
    "money that came too late is due back": Cut("apply_paid", "set_return(KEYS[1], KEYS[2], ARGV[4], 'due')"),
    "an opening that is repeated changes nothing": Cut(
        "apply_opened", "local no = guard(KEYS[1], ARGV[1], ARGV[2])", "local no = 'missing'", first_run=9
    ),
    "a change of an epoch that is over is refused": Cut("apply_change", "ARGV[3] ~= ARGV[4]", "false"),
    "a change is made once": Cut("apply_change", " or redis.call('HEXISTS', KEYS[2], ARGV[5]) == 1"),
    "a withdrawal takes its units first": Cut("withdraw", "move(KEYS[1], 'stock', 'reserved', ARGV[2])"),
    "a withdrawal of an epoch that is over is refused": Cut(
        "apply_withdrew", "ARGV[3] ~= ARGV[4]", "false", first_run=4
    ),
    "a withdrawal takes its units again if a rollback lost it": Cut(
        "apply_withdrew", "if standing then move", "do move"
    ),
    "what is paid is revoked when a sale is called off": Cut("due", " or state == 'paid'"),
    "money for what is revoked is due back": Cut("apply_revoked", "set_return(KEYS[1], KEYS[3], order[3], 'due')"),
    "a sale is opened by one merchant at a time": Cut(
        "apply_opened", "if running and at < ARGV[6] * 1000 then", "if false then"
    ),
    "a sale that was refused stays refused": Cut(
        "apply_opened", "if redis.call('EXISTS', KEYS[4]) == 1 then return 'name_taken' end", first_run=10
    ),
}
"""What the script does → its text that does it."""


CONFIRMED_IN_ITS_EPOCH = Cut("confirm", " and epoch_in_force() == ARGV[1]")
"""It takes so special a row of events to miss this that it has a test of its own."""


def without(cut: Cut) -> Callable[[str], str]:
    """The scripts' texts with this one cut. Raises AssertionError if the text isn't there: then the list is stale."""

    def text_of(name: str) -> str:
        text = source(name)
        if cut.script not in (EVERY, name):
            return text
        assert text.count(cut.text) == 1, f"{name}.lua holds {text.count(cut.text)} times: {cut.text}"
        return text.replace(cut.text, cut.instead)

    return text_of

"""The scripts with one safeguard taken out: `test_scripts.py` shows that the machine misses each of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from storefront.domain.records import (
    LoggedOut,
    LoggedOutEverywhere,
    Record,
    Registered,
)
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
        "reserve", "local waits = tonumber(sale[11] or 0) > 0 or", "local waits ="
    ),
    "an offer is made only in the epoch that is signed": Cut("offer", "sale[1] ~= epoch or "),
    "whoever gets an order waits no more": Cut("apply_requested", "leave_waitlist(KEYS[1], KEYS[5], KEYS[6], ARGV[5])"),
    "confirm says yes only to what stands": Cut("confirm", "return 'gone'", "return 'standing'"),
    "the sweep marks what it releases": Cut("due", "redis.call('HSET', key, 'state', 'releasing')", first_run=6),
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
    "the charge that paid isn't due back when it is told again": Cut("apply_paid", "order[2] == ARGV[4] or "),
    "a second charge doesn't take the place of the first": Cut(
        "apply_paid", "'HSETNX', KEYS[2], 'charge'", "'HSET', KEYS[2], 'charge'"
    ),
    "a refund is of one charge": Cut(EVERY, "(known == charge and state or before)", "state"),
    "an opening that is repeated changes nothing": Cut(
        "apply_opened", "local no = guard(KEYS[1], ARGV[1], ARGV[2])", "local no = 'missing'", first_run=22
    ),
    "a change of an epoch that is over is refused": Cut("apply_change", "ARGV[3] ~= ARGV[4]", "false"),
    "a change is made once": Cut("apply_change", " or redis.call('HEXISTS', KEYS[2], ARGV[5]) == 1", first_run=14),
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
        "apply_opened", "if redis.call('EXISTS', KEYS[4]) == 1 then return 'name_taken' end", first_run=22
    ),
}
"""What the script does → its text that does it."""

CUTS_OF_DRAWS = {
    "who enters a draw stands in the order of the numbers": Cut(
        "apply_waiting", "number > 0 and string.format('%.0f', number - 2 ^ 53) or "
    ),
    "who was applied enters no longer": Cut("apply_waiting", "redis.call('ZREM', KEYS[5], ARGV[4] .. ' ' .. ARGV[5])"),
}
"""The same, of draws."""

CUTS_OF_ACCOUNTS = {
    "the accounts' position is written with the effects": CUTS["the position is written with the effects"],
    "a claim is looked at by the sweep": Cut("claim_account", "redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[1])"),
    "a registration that was withdrawn makes no account": Cut(
        "apply_registered", "redis.call('HEXISTS', KEYS[4], ARGV[5]) == 1", "false"
    ),
    "a registration of an epoch that is over is refused": Cut("apply_registered", "ARGV[6] ~= ARGV[3]", "false"),
    "a name is its first registration's": Cut("apply_registered", "if active then", "if false then"),
    "whoever is deleted may never be an account again": Cut(
        "apply_account", "redis.call('HSET', KEYS[4], ARGV[4], 'deleted ' .. ARGV[3])"
    ),
    "a registration leaves nothing of the claim, or of who had the name": Cut(
        "apply_registered", "redis.call('DEL', KEYS[1])\n  redis.call('HSET'", "redis.call('HSET'"
    ),
    "a login ends for the account that it is of": Cut("apply_logged_out", "account[1] == ARGV[3] and ", first_run=3),
    "an ended login stays so when another ends": Cut("apply_logged_out", "ended[#ended + 1] = login .. ' ' .. ends"),
    "a login that has run out is forgotten": Cut("apply_logged_out", " and tonumber(ends) > tonumber(ARGV[4])"),
    "an era ends every login of those before it": Cut(
        "apply_logged_out", "redis.call('HSET', KEYS[1], 'era', ARGV[5])"
    ),
    "whoever remembers tokens hears of a login that ended": Cut(
        "apply_logged_out", "redis.call('XADD'", "tostring('XADD'"
    ),
    "a mending forgets the accounts before it tells them anew": Cut(
        "apply_mending", "for key = 2, #KEYS do redis.call('DEL', KEYS[key]) end"
    ),
}
"""The same, of accounts."""


@dataclass(frozen=True)
class Silence:
    """What a mending leaves out: records of a kind, or only some of their fields."""

    kind: type[Record]
    blank: dict[str, Any] | None = None
    first_run: int = 0

    def __call__(self, record: Record) -> Record | None:
        """What is sent in place of a record."""
        if not isinstance(record, self.kind):
            return record
        return replace(record, **self.blank) if self.blank else None


SILENCES = {
    "until when somebody is on probation": Silence(Registered, {"probation": 0}),
    "the era": Silence(LoggedOutEverywhere),
    "logins that ended": Silence(LoggedOut),
}
"""What a mending that left it out would lose."""


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

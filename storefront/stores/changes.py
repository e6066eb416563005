"""What merchants did to their sales, in Redis: the ledger's effects, each sale's history, and units being withdrawn."""

import json
from dataclasses import dataclass
from typing import Any

from storefront.domain.errors import ChangeLost, NoSaleOfThisId, Recovering, TooFewFree
from storefront.domain.records import CalledOff, Change, Extended, Noted, Paused, Restocked, Resumed, Withdrew, line_of
from storefront.stores import keys
from storefront.stores.memory import Memory
from storefront.stores.scripts import Call

WORDS: dict[type[Change], str] = {
    Paused: "paused",
    Resumed: "resumed",
    Restocked: "restocked",
    Extended: "extended",
    CalledOff: "called_off",
}
"""What ``apply_change.lua`` calls them."""


@dataclass(frozen=True)
class Line:
    """One line of a sale's history: ``kind`` is the record's, ``at`` in Unix ms, ``facts`` what else it says."""

    kind: str
    at: int
    by_name: str
    why: str
    facts: dict[str, Any]


def effect(record: Change | Noted, epoch: str, signed: str, place: str) -> Call:
    """The script call that applies ``record``, read by a worker in ``epoch`` behind the signature ``signed``.

    ``place`` as in ``scripts.place``.
    """
    sale, changes = keys.sale(record.sale), keys.changes(record.sale)
    guard = [epoch, place, signed, record.epoch, record.change]
    match record:
        case Noted():
            return "apply_noted", [sale, changes], [*guard, record.line]
        case Withdrew():
            return (
                "apply_withdrew",
                [sale, keys.order(record.change), keys.agenda(record.sale), changes],
                [*guard, record.units, line_of(record)],
            )
        case _:
            number = {"units": 0, "ends": 0, **vars(record)}
            return (
                "apply_change",
                [sale, changes, keys.buyers(record.sale), keys.agenda(record.sale)],
                [*guard, line_of(record), record.at, WORDS[type(record)], number["units"] or number["ends"]],
            )


class Changes:
    """Reads histories, and takes units that are to be withdrawn."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def are_made(self, sale: str, change: str) -> bool:
        """Whether this change is in force."""
        return bool(self._memory.redis.hexists(keys.changes(sale), change))

    def lines(self, sale: str) -> dict[str, str]:
        """A sale's history as it is written: change → line (see ``records.line_of``)."""
        return self._memory.hash(keys.changes(sale))

    def history(self, sale: str) -> list[Line]:
        """What was done to a sale, the last in front."""
        told = [json.loads(line) for line in self.lines(sale).values()]
        lines = [Line(one.pop("kind"), one.pop("at"), one.pop("by_name"), one.pop("why"), one) for one in told]
        return sorted(lines, key=lambda line: line.at, reverse=True)

    def epoch_of(self, sale: str) -> str:
        """The epoch that is signed into a sale."""
        return self._memory.field(keys.sale(sale), "signed") or ""

    def withdraw(self, sale: str, change: str, units: int, *, doubt_ms: int) -> None:
        """Take units that are nobody's. Raises TooFewFree, ChangeLost, Recovering, NoSaleOfThisId. May run twice.

        After ``doubt_ms`` without a record the sweep gives them back.
        """
        word, *facts = self._memory.scripts.run(
            "withdraw", [keys.sale(sale), keys.order(change), keys.agenda(sale)], [change, units, doubt_ms]
        )
        if word == "too_few":
            raise TooFewFree(free=int(facts[0]))
        if word == "lost":
            raise ChangeLost
        if word == "recovering":
            raise Recovering
        if word == "no_sale":
            raise NoSaleOfThisId

"""Logins that ended before their time: what each process knows of them, so that it believes no token that it remembers.

They stand with their accounts, which decide. Beside those stands a stream of them in Redis, of which each process reads
what is new; what fell out of it is found at the account, only later.
"""

import time
from dataclasses import dataclass, field

from storefront.domain.account import Login
from storefront.stores.bans import BEGINNING

MOST = 100_000
"""Entries that the stream holds, about."""

AT_ONCE = 5000
"""Entries that are read at once."""

REMEMBERED_MS = 31 * 24 * 60 * 60 * 1000
"""For so long an era is remembered: by then the tokens of those before it have run out."""

ROOM = 10_000
"""Accounts that are known before those are looked for of which nothing counts any more."""


@dataclass(slots=True)
class _Known:
    """Of one account the era in force, if one was begun, and logins that ended, with when they run out (ms)."""

    era: str | None = None
    begun: float = 0.0
    ended: dict[str, float] = field(default_factory=dict)


class EndedLogins:
    """Who has logged out, as far as the stream was read."""

    def __init__(self) -> None:
        self.last = BEGINNING
        self.is_whole = False
        """Whether the stream was read to its end a moment ago."""
        self._room = ROOM
        self._known: dict[str, _Known] = {}

    def take(self, entries: list[tuple[str, dict[str, str]]]) -> None:
        """Note what these entries say, the next ones behind ``last``."""
        for place, facts in entries:
            known = self._known.setdefault(facts["account"], _Known())
            if facts["era"]:
                known.era, known.begun, known.ended = facts["era"], float(place.partition("-")[0]), {}
            else:
                known.ended[facts["login"]] = float(facts["until"])
            self.last = place
        self.is_whole = len(entries) < AT_ONCE
        if len(self._known) > self._room:
            self._forget()

    def holds(self, account: str, login: Login) -> bool:
        """Whether this login has ended."""
        known = self._known.get(account)
        return known is not None and (known.era not in (None, login.era) or login.id in known.ended)

    def _forget(self) -> None:
        now = time.time() * 1000
        for account, known in list(self._known.items()):
            known.ended = {login: until for login, until in known.ended.items() if until > now}
            if now - known.begun > REMEMBERED_MS and not known.ended:
                self._known.pop(account)
        self._room = max(ROOM, 2 * len(self._known))

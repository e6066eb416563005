"""Accounts that come, log in and out and go, as `machine.py` has it for orders.

An account's records stand in a partition of their own and no script of an order reads them, so they are a machine
of their own: what the two have in common is the stage.
"""

from contextlib import nullcontext
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from storefront.domain.account import Login, Profile
from storefront.gateways.ledger import ACCOUNTS
from storefront.services import accounts, settling, tokens
from storefront.stores import keys

from .environment import UseCase
from .registry import (
    Member,
    Names,
    Registry,
    Session,
    broken_by_the_registry,
    never_looked_at,
    unheard_of,
    unlike_the_registry,
)
from .stage import MOST_DISASTERS, SELDOM, Stage

NAMES = ("ann", "ann", "bob")
HOUR_MS = 3_600_000
MOST_SESSIONS = 12
MEMBERS_USES = ("register", "log out", "log out everywhere", "grant", "revoke", "delete")


class PeopleMachine(Stage):
    """All that can happen to a few names."""

    partition = (ACCOUNTS, 0)
    wait_for_worker = MEMBERS_USES

    def __init__(self) -> None:
        super().__init__()
        self.names = Names()
        self.members: dict[str, Member] = {}
        self.leaving: set[str] = set()
        """Accounts that somebody began to delete."""
        self.deleted: set[str] = set()
        self.sessions: list[Session] = []
        self.over: set[Session] = set()
        """Sessions whose people were told that they are over."""

    def beginning(self) -> Registry:
        """See ``Stage``."""
        return Registry()

    def top(self) -> int:
        """See ``Stage``."""
        return max(self.names.position, int(self.shop.memory.field(keys.position(*self.partition), "offset") or 0))

    @initialize(all_arrives=st.booleans())
    def begin(self, all_arrives: bool) -> None:
        """The shop is open, and its end is decided: whether what is in flight then arrives."""
        self.all_arrives = all_arrives
        self.look_at_epoch(0)
        self.run_to_rest()

    # People

    def register(self) -> None:
        """Somebody registers."""
        name, crowded = self.draw(st.tuples(st.sampled_from(NAMES), st.booleans()), label="name, crowded")
        profile = Profile(name, 30, "", "")
        crowd = nullcontext(enter_result=crowded)
        self.start("register", partial(accounts.register, self.shop, profile, "password", crowd=crowd))

    def log_in(self) -> None:
        """Somebody begins a session; a few run out at once."""
        name = self.draw(st.sampled_from(self.active()), label="name")
        account = self.shop.accounts.get(name)
        assert account is not None
        lasts = 0 if self.draw(SELDOM, label="runs out") else HOUR_MS
        login = Login(tokens.new_login_id(), account.era)
        self.sessions.append(Session(account.id, name, login, self.shop.memory.now_ms() + lasts))

    def log_out(self) -> None:
        """Somebody ends a session, or all of theirs."""
        session = self.draw(st.sampled_from(self.sessions), label="session")
        account = accounts.known(self.shop, session.name, session.account)
        if account is None:
            return
        if self.draw(SELDOM, label="everywhere"):
            theirs = [one for one in self.sessions if one.account == account.id]

            def log_out_everywhere() -> list[Session]:
                accounts.log_out_everywhere(self.shop, account.name)
                return theirs

            self.start("log out everywhere", log_out_everywhere)
        else:

            def log_out() -> list[Session]:
                accounts.log_out(self.shop, account, session.login, session.until)
                return [session]

            self.start("log out", log_out)

    def change(self) -> None:
        """Somebody becomes a merchant, is one no more, or leaves."""
        name = self.draw(st.sampled_from(self.active()), label="name")
        account = self.names.accounts[name]["id"]
        match self.draw(st.sampled_from(["grant", "grant", "revoke", "delete", "delete"]), label="what"):
            case "grant":
                self.start("grant", partial(accounts.grant_merchant, self.shop, name))
            case "revoke":
                self.start("revoke", partial(accounts.revoke_merchant, self.shop, name))
            case _:
                self.leaving.add(account)

                def delete() -> str:
                    accounts.delete(self.shop, name)
                    return account

                self.start("delete", delete)

    def active(self) -> list[str]:
        """Names of accounts."""
        return [name for name, fields in self.names.accounts.items() if fields["state"] == "active"]

    def time_passes(self) -> None:
        """The time comes to look at claims that are in doubt; the sweep looks."""
        self._doubt_all()
        self.start("sweep", partial(settling.withdraw_doubtful_claims, self.shop))

    def _doubt_all(self) -> None:
        if self.names.agenda:
            self.redis.zadd(keys.ACCOUNTS_AGENDA, dict.fromkeys(sorted(self.names.agenda), 0), xx=True)

    # Promises

    def answered(self, use: UseCase) -> None:
        """See ``Stage``."""
        assert use.outcome is not None
        answer = use.outcome.answer
        match use.name:
            case "register":
                self.members[answer.id] = Member(answer.name, *answer.seniority)
            case "log out" | "log out everywhere":
                now = self.shop.memory.now_ms()
                self.over |= {one for one in answer if one.until > now}
            case "delete":
                self.deleted.add(answer)

    def check(self) -> None:
        """See ``Stage``."""
        self.names = Names.of(self.redis)
        self.require(never_looked_at(self.names))
        if self.is_ahead:  # what the ledger says doesn't count
            return
        self.require(unlike_the_registry(self.names, self.ledger.replays[self.names.position]))
        if self.shop.is_open():  # else it may be further on in the ledger that a session's era began
            self.require(unheard_of(self.names, self.sessions))
        told = self.ledger.replays[-1]
        self.require(broken_by_the_registry(told, self.members, self.leaving, self.deleted, self.over))

    def rest(self) -> None:
        """See ``Stage``."""
        for _ in range(3):
            self.run_to_rest()
            self._doubt_all()
            self.start("sweep", partial(settling.withdraw_doubtful_claims, self.shop))
        self.run_to_rest()
        claims = {name: fields for name, fields in self.names.accounts.items() if "epoch" in fields}
        self.require(f"{name} is nobody's and not free: {fields}" for name, fields in claims.items())


PeopleMachine.deeds = [
    ("arrive", 5, lambda now: now.ledger.flying),
    ("change", 2, lambda now: now.has_room() and now.active()),
    ("cut_ledger", 1, Stage.can_be_cut),
    ("log_in", 3, lambda now: now.active() and len(now.sessions) < MOST_SESSIONS),
    ("log_out", 4, lambda now: now.has_room() and now.sessions),
    ("lose_history", 1, lambda now: now.disasters < MOST_DISASTERS),
    ("new_history_overtakes", 3, Stage.is_overtaken),
    ("register", 3, Stage.has_room),
    ("run_smoothly", 1, lambda _: True),
    ("somebody_goes_on", 3, Stage.able),
    ("time_passes", 1, lambda now: now.names.agenda),
    ("worker_works", 5, lambda now: now.ledger.lines),
]

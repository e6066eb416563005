"""What the ledger says of accounts, in plain Python, and what is promised of them.

It is to the scripts of accounts what `storefront/domain/replay.py` and `promises.py` are to those of orders.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from redis import Redis

from storefront.domain import records
from storefront.domain.account import Login
from storefront.domain.records import Record
from storefront.stores import keys
from storefront.stores.accounts import ended_from
from storefront.stores.logins import EndedLogins


@dataclass
class RegisteredAccount:
    """An account as the ledger alone tells it."""

    id: str
    at: int
    probation: int
    password: str
    merchant: bool = False
    era: str = ""
    ended: tuple[tuple[str, int], ...] = ()

    def admits(self, login: Login) -> bool:
        """Whether a login still counts."""
        return login.era == self.era and login.id not in dict(self.ended)


@dataclass
class Registry:
    """The accounts' partition, applied from its first line."""

    signed: str = ""
    mended: int = 0
    accounts: dict[str, RegisteredAccount] = field(default_factory=dict)
    """By name."""
    gone: dict[str, str] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Go on by one record."""
        if isinstance(record, records.Signed):
            if record.succeeds == self.signed:
                self.signed = record.epoch
        elif isinstance(record, records.Mending):
            if record.number > self.mended:
                self.signed, self.mended, self.accounts, self.gone = record.epoch, record.number, {}, {}
        elif isinstance(record, records.AccountRecord):
            known = self.accounts.get(record.name)
            if isinstance(record, records.Registered):
                if known is None and record.account not in self.gone and record.epoch == self.signed:
                    self.accounts[record.name] = RegisteredAccount(
                        record.account, record.at, record.probation, record.password
                    )
            elif known and known.id == record.account:
                self._change(known, record)
            elif isinstance(record, records.Withdrawn):
                self.gone[record.account] = f"withdrawn {record.name}"

    def _change(self, account: RegisteredAccount, record: records.AccountRecord) -> None:
        match record:
            case records.MerchantGranted() | records.MerchantRevoked():
                account.merchant = isinstance(record, records.MerchantGranted)
            case records.LoggedOutEverywhere():
                account.era, account.ended = record.era, ()
            case records.LoggedOut():
                others = ((login, ends) for login, ends in account.ended if login != record.login and ends > record.at)
                account.ended = (*others, (record.login, record.until))
            case records.AccountDeleted():
                del self.accounts[record.name]
                self.gone[record.account] = f"deleted {record.name}"

    def by_id(self, account: str) -> RegisteredAccount | None:
        """The account of this id."""
        return next((known for known in self.accounts.values() if known.id == account), None)


class Member(NamedTuple):
    """What somebody was told when they had registered."""

    name: str
    at: int
    probation: int


class Session(NamedTuple):
    """A login of an account, and when it runs out (Unix ms)."""

    account: str
    name: str
    login: Login
    until: int


@dataclass
class Names:
    """What Redis holds of accounts."""

    position: int = 0
    signed: str = ""
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    """By name; claims are among them, and have an ``epoch``."""
    gone: dict[str, str] = field(default_factory=dict)
    agenda: set[str] = field(default_factory=set)
    ended: EndedLogins = field(default_factory=EndedLogins)

    @classmethod
    def of(cls, redis: Redis) -> "Names":
        """What this Redis holds now."""
        found = sorted(cast("list[str]", redis.keys(keys.account("*"))))
        pipeline = redis.pipeline(transaction=False)
        pipeline.hgetall(keys.ACCOUNTS)
        pipeline.hgetall(keys.ACCOUNTS_GONE)
        pipeline.zrange(keys.ACCOUNTS_AGENDA, 0, -1)
        pipeline.xrange(keys.ACCOUNTS_ENDED)
        for key in found:
            pipeline.hgetall(key)
        state, gone, agenda, entries, *accounts = pipeline.execute()
        names = [key.removeprefix(keys.account("")) for key in found]
        told = cls(
            int(state.get("position", 0)), state.get("signed", ""), dict(zip(names, accounts, strict=True)), gone,
            set(agenda),
        )  # fmt: skip
        told.ended.take(entries)
        return told


def never_looked_at(names: Names) -> Iterator[str]:
    """Claims in doubt that nobody will take back."""
    for name, fields in names.accounts.items():
        if fields["state"] != "active" and name not in names.agenda:
            yield f"{name} is {fields['state']}, and the sweep will never look at it"


def unlike_the_registry(names: Names, registry: Registry) -> Iterator[str]:
    """What differs between Redis and the ledger up to Redis's position. Claims are what the ledger doesn't know yet."""
    if names.signed != registry.signed:
        yield f"epoch {names.signed} is signed; by the ledger it is {registry.signed}"
    if names.gone != registry.gone:
        yield f"{names.gone} are gone; by the ledger they are {registry.gone}"
    here = {name: _told(fields) for name, fields in names.accounts.items() if "epoch" not in fields}
    if here != registry.accounts:
        yield f"the accounts are {here}; by the ledger they are {registry.accounts}"
    for name in names.accounts.keys() - here.keys():
        if names.accounts[name]["id"] in names.gone:
            yield f"{name} is claimed by {names.accounts[name]['id']}, who may never have it"


def _told(fields: dict[str, str]) -> RegisteredAccount:
    return RegisteredAccount(
        fields["id"], int(fields["at"]), int(fields.get("probation", 0)), fields["password"],
        fields.get("merchant") == "1", fields.get("era", ""), ended_from(fields.get("ended")),
    )  # fmt: skip


def unheard_of(names: Names, sessions: Iterable[Session]) -> Iterator[str]:
    """Logins that an account doesn't admit, and of which those who remember tokens hear nothing."""
    for one in sessions:
        fields = names.accounts.get(one.name, {})
        is_theirs = fields.get("id") == one.account
        if is_theirs and not (_told(fields).admits(one.login) or names.ended.holds(one.account, one.login)):
            yield f"{one} ended, and the stream doesn't tell"


def broken_by_the_registry(
    registry: Registry, members: dict[str, Member], leaving: set[str], deleted: set[str], over: set[Session]
) -> Iterator[str]:
    """What is wrong by the whole ledger, read or not.

    ``members`` were told that they are registered, by account; some are ``leaving``. Others were told that they are
    ``deleted``, or that a login is ``over``.
    """
    for account, member in members.items():
        known = registry.accounts.get(member.name)
        told = (member.at, member.probation)
        if account not in leaving and (known is None or known.id != account or (known.at, known.probation) != told):
            yield f"{account} was told that they are {member}; by the ledger that is {known}"
    for one in deleted:
        if registry.by_id(one):
            yield f"{one} was told that they are deleted, and aren't"
    for session in over:
        if (known := registry.by_id(session.account)) and known.admits(session.login):
            yield f"{session} was told to be over; {known} admits it"

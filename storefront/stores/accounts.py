"""Accounts in Redis: names are claimed by the web, and made accounts by the ledger."""

from storefront.domain.account import Account, Login, Profile, Seniority
from storefront.domain.errors import NameTaken, Recovering
from storefront.domain.records import (
    AccountDeleted,
    AccountRecord,
    LoggedOut,
    LoggedOutEverywhere,
    MerchantGranted,
    MerchantRevoked,
    OperatorGranted,
    OperatorRevoked,
    Registered,
    Withdrawn,
)
from storefront.stores import keys
from storefront.stores.logins import MOST
from storefront.stores.memory import Memory, pairs
from storefront.stores.scripts import Call

ACTIVE = "active"
"""An account's state once its registration got through."""

LOOK_AGAIN_MS = 15_000
"""After this long the sweep looks again at a claim that it has withdrawn."""

_CHANGES: dict[type[AccountRecord], str] = {
    Withdrawn: "withdrawn",
    MerchantGranted: "merchant 1",
    MerchantRevoked: "merchant 0",
    OperatorGranted: "operator 1",
    OperatorRevoked: "operator 0",
    AccountDeleted: "deleted",
}


def effect(record: AccountRecord, epoch: str, signed: str, place: str) -> Call:
    """The script call that applies ``record``, read by a worker in ``epoch`` behind the signature ``signed``.

    ``place`` is where it stands (see ``scripts.place``).
    """
    script_keys = [keys.account(record.name), keys.ACCOUNTS, keys.ACCOUNTS_AGENDA, keys.ACCOUNTS_GONE]
    if isinstance(record, Registered):
        fields = [
            "at", record.at, "age", record.age, "address", record.address, "avatar", record.avatar,
            "password", record.password, *(["probation", record.probation] if record.probation else []),
        ]  # fmt: skip
        return (
            "apply_registered",
            script_keys,
            [epoch, place, signed, record.name, record.account, record.epoch, *fields],
        )
    if isinstance(record, LoggedOut):
        return _logged_out(record, [epoch, place], "", record.login, record.until)
    if isinstance(record, LoggedOutEverywhere):
        return _logged_out(record, [epoch, place], record.era)
    return "apply_account", script_keys, [epoch, place, record.name, record.account, _CHANGES[type(record)]]


def _logged_out(record: AccountRecord, guard: list[str], era: str, login: str = "", until: int = 0) -> Call:
    script_keys = [keys.account(record.name), keys.ACCOUNTS, keys.ACCOUNTS_ENDED]
    return "apply_logged_out", script_keys, [*guard, record.account, record.at, era, login, until, MOST]


def ended_from(text: str | None) -> tuple[tuple[str, int], ...]:
    """The logins in an account's field ``ended``, with when they would have run out (Unix ms)."""
    words = (text or "").split()
    return tuple((login, int(until)) for login, until in zip(words[::2], words[1::2], strict=False))


def is_admitted(found: list[str | None], account: str, login: Login) -> bool:
    """Whether an account's fields ``id``, ``state``, ``era`` and ``ended`` are this account's, and admit a login."""
    known, state, era, ended = found
    is_over = login.era != (era or "") or any(login.id == one for one, _ in ended_from(ended))
    return (known, state) == (account, ACTIVE) and not is_over


def account_from(name: str, found: dict[str, str]) -> Account | None:
    """The account of this name by its fields, None without an active one."""
    if found.get("state") != ACTIVE:
        return None
    return Account(
        id=found["id"],
        profile=Profile(name, int(found["age"]), found["address"], found["avatar"]),
        password=found["password"],
        merchant=found.get("merchant") == "1",
        operator=found.get("operator") == "1",
        seniority=Seniority(int(found.get("at", 0)), int(found.get("probation", 0))),
        era=found.get("era", ""),
        ended=ended_from(found.get("ended")),
    )


def _two(text: str) -> tuple[str, str]:
    first, _, rest = text.partition(" ")
    return first, rest


class Accounts:
    """Reads accounts, and claims names."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, name: str) -> Account | None:
        """The account of this name, once its registration got through."""
        return account_from(name, self._memory.hash(keys.account(name)))

    def claim(self, account: Account, doubt_ms: int, probation_ms: int = 0) -> tuple[int, str]:
        """Claim the account's name. Returns when (Unix ms) and in which epoch. Raises NameTaken or Recovering.

        From then on the account is on probation for ``probation_ms``.
        """
        profile = account.profile
        word, *facts = self._memory.scripts.run(
            "claim_account",
            [keys.account(account.name), keys.ACCOUNTS, keys.ACCOUNTS_AGENDA],
            [
                account.name, account.id, doubt_ms, probation_ms,
                "age", profile.age, "address", profile.address, "avatar", profile.avatar, "password", account.password,
            ],
        )  # fmt: skip
        if word == "name_taken":
            raise NameTaken
        if word == "recovering":
            raise Recovering
        at, epoch = facts
        return int(at), epoch

    def confirmed(self, account: Account, epoch: str) -> bool:
        """Whether the account may be called stored, once its registration stands in the ledger. Raises Recovering."""
        word = self._memory.promise(
            "confirm_account", [keys.account(account.name), keys.ACCOUNTS_AGENDA], [account.id, epoch, account.name]
        )
        return word == "active"

    def names(self) -> list[str]:
        """Every name that is taken or claimed. Looks through all keys: for repairs, not for requests."""
        prefix = keys.account("")
        return [str(key).removeprefix(prefix) for key in self._memory.redis.scan_iter(match=f"{prefix}*", count=1000)]

    def all(self) -> list[Account]:
        """Every account. Looks through all keys, as ``names`` does."""
        return [account for name in self.names() if (account := self.get(name))]

    def gone(self) -> list[tuple[str, str, str]]:
        """The ids that may never become accounts again: triples of id, "withdrawn" or "deleted", and name."""
        found = self._memory.hash(keys.ACCOUNTS_GONE)
        return [(account, *_two(value)) for account, value in found.items()]

    def doubtful(self, most: int = 500) -> list[tuple[str, str]]:
        """Claims whose registration hasn't come through in time: pairs of name and account id."""
        return pairs(
            self._memory.scripts.run("due_accounts", [keys.ACCOUNTS_AGENDA], [keys.account(""), most, LOOK_AGAIN_MS])
        )

"""The records of the ledger. The shop's state is what you get by applying them in order.

Topic ``orders`` holds a sale's records in one partition (the key is the product's tag); topic ``accounts`` has one
partition. ``at`` is when it happened, in Unix milliseconds by Redis's clock; applying a record never asks a clock for
what it decides, so a replay decides the same.
"""

import json
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from storefront.domain import trace
from storefront.domain.ids import new_record_id, tag_of
from storefront.domain.sale import Proof


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of the ledger. ``id`` tells it from every other, also from the same kind about the same thing.

    ``request_id`` is for the logs (see ``trace``): it travels beside what the record says and is no part of it.
    """

    topic: ClassVar[str]
    at: int
    id: str = field(default_factory=new_record_id)
    request_id: str = field(default_factory=trace.current, compare=False, repr=False)

    @property
    def key(self) -> str:
        """What decides the partition."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Signed(Record):
    """Redis's history begins a new ``epoch``: requests of other epochs that stand behind this line are refused.

    It counts only if the epoch signed before it in this partition is ``succeeds`` ("" for none), so that one that was
    delayed on its way changes nothing. Like ``Mending`` it belongs to a partition rather than to a sale, so it is sent
    to one by number.
    """

    topic = ""
    epoch: str
    succeeds: str

    @property
    def key(self) -> str:
        """See ``Record.key``."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Mending(Record):
    """The ledger was cut: forget what it says up to here of orders, or of accounts. What follows tells it anew.

    It signs ``epoch``, which is never in force, so all is closed until a ``Signed`` succeeds it. ``number`` counts the
    mendings of a partition; one that comes after a later one is void.
    """

    topic = ""
    epoch: str
    number: int

    @property
    def key(self) -> str:
        """See ``Record.key``."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Probed(Record):
    """Nothing happened. Sent to learn whether the ledger takes records again."""

    topic = "orders"

    @property
    def key(self) -> str:
        """See ``Record.key``."""
        return ""


@dataclass(frozen=True, kw_only=True)
class SaleRecord(Record):
    """A record of one sale."""

    topic = "orders"
    sale: str

    @property
    def key(self) -> str:
        """See ``Record.key``."""
        return tag_of(self.sale)


@dataclass(frozen=True, kw_only=True)
class Opened(SaleRecord):
    """A merchant opened a sale. The fields are those of ``sale.Terms``; a picture itself is not in the ledger.

    Those that have a default are missing in older records.
    """

    merchant: str
    merchant_name: str
    product: str
    num: int
    producter: str
    begins: int
    ends: int
    price: int | None
    currency: str
    limit: int
    description: str
    image: str
    proof: str = Proof.OFF
    min_account_age: int = 0
    draw: int = 0
    seed: str = ""
    """See ``sale.Sale``."""


@dataclass(frozen=True, kw_only=True)
class Reopened(Opened):
    """The ledger was cut; this is where Redis knew the sale to be. Of a sale that is known it counts as ``Restored``.

    ``num`` and ``ends`` are those in force, after all changes.
    """

    epoch: str
    paused: bool
    called_off: bool


@dataclass(frozen=True, kw_only=True)
class Change(SaleRecord):
    """What its merchant, or an operator, did to a running sale.

    ``change`` is its id, by which the same one counts once. Void behind the signature of another epoch than ``epoch``,
    in which it was made, and behind ``CalledOff``. ``by`` is an account's id, empty for nobody's.
    """

    change: str
    epoch: str
    by: str
    by_name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Paused(Change):
    """Nobody may reserve a unit for the time being. Orders go on."""


@dataclass(frozen=True, kw_only=True)
class Resumed(Change):
    """The pause is over."""


@dataclass(frozen=True, kw_only=True)
class Restocked(Change):
    """The sale has so many ``units`` more."""

    units: int


@dataclass(frozen=True, kw_only=True)
class Withdrew(Change):
    """The sale has so many ``units`` less: these were free, and were reserved for this, as for a purchase."""

    units: int


@dataclass(frozen=True, kw_only=True)
class Extended(Change):
    """The sale goes on until ``ends`` (Unix seconds). Void once it is over, or if that isn't later."""

    ends: int


@dataclass(frozen=True, kw_only=True)
class CalledOff(Change):
    """The merchant cancelled the sale: it is over for good, and each of its orders is revoked."""


@dataclass(frozen=True, kw_only=True)
class Noted(SaleRecord):
    """The ledger was cut; this line stood in the sale's history (see ``line_of``). It counts as ``Restored``."""

    epoch: str
    change: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Joined(SaleRecord):
    """A shopper waits for a unit, behind those who do so already. Void for one who holds all they may.

    It ends with ``Left``, or when an order of theirs is placed. Who entered a draw has a ``number`` (see ``draw``):
    they stand in front of all who have none (0, as in older records), the least of them first.
    """

    shopper: str
    shopper_name: str
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Left(SaleRecord):
    """A shopper waits no longer."""

    shopper: str


@dataclass(frozen=True, kw_only=True)
class OrderRecord(SaleRecord):
    """A record of one order."""

    order: str


@dataclass(frozen=True, kw_only=True)
class Requested(OrderRecord):
    """A shopper's reservation, made in ``epoch``, shall become an order. ``pay_by`` in Unix milliseconds."""

    shopper: str
    shopper_name: str
    epoch: str
    pay_by: int


@dataclass(frozen=True, kw_only=True)
class Released(OrderRecord):
    """A reservation made in ``epoch``, whose request never got through, is given back."""

    epoch: str


@dataclass(frozen=True, kw_only=True)
class Expired(OrderRecord):
    """An order wasn't paid in time."""


@dataclass(frozen=True, kw_only=True)
class Cancelled(OrderRecord):
    """The shopper cancelled."""


@dataclass(frozen=True, kw_only=True)
class Revoked(OrderRecord):
    """Its sale was called off: the order ends, also if it is paid. Money that was taken for it is due back."""


@dataclass(frozen=True, kw_only=True)
class Paid(OrderRecord):
    """The provider took the money: ``charge`` is its id there."""

    charge: str


@dataclass(frozen=True, kw_only=True)
class Refunded(OrderRecord):
    """The provider gave back a charge that was due back."""

    charge: str


@dataclass(frozen=True, kw_only=True)
class Restored(OrderRecord):
    """The ledger was cut; this is where Redis knew the order to be. ``at`` is the order's own, 0 for a tombstone.

    It puts the order exactly there, whatever came between, and counts only while ``epoch`` is signed, which is that of
    its ``Mending``.
    """

    epoch: str

    state: str
    shopper: str
    shopper_name: str
    pay_by: int
    charge: str
    paid_at: int
    refund: str = ""
    """Of records from before ``returns``, when an order had one charge that could go back."""
    returns: str = ""
    """See ``Order.returns``."""

    @property
    def all_returns(self) -> str:
        """``returns``, of older records too."""
        return self.returns or (f"{self.charge}={self.refund}" if self.refund else "")


@dataclass(frozen=True, kw_only=True)
class AccountRecord(Record):
    """A record of one account. ``account`` is its id."""

    topic = "accounts"
    account: str
    name: str

    @property
    def key(self) -> str:
        """See ``Record.key``."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class Registered(AccountRecord):
    """A person registered; ``password`` is an argon2 hash, ``epoch`` the one in which the name was claimed.

    ``at`` is the moment of the registration also where a mended ledger tells it anew; 0 where that isn't known.
    ``probation`` is missing in older records.
    """

    epoch: str
    age: int
    address: str
    avatar: str
    password: str
    probation: int = 0


@dataclass(frozen=True, kw_only=True)
class Withdrawn(AccountRecord):
    """A claim of a name whose registration never got through is given back."""


@dataclass(frozen=True, kw_only=True)
class MerchantGranted(AccountRecord):
    """The account may open sales from here on."""


@dataclass(frozen=True, kw_only=True)
class MerchantRevoked(AccountRecord):
    """The account may no longer open sales."""


@dataclass(frozen=True, kw_only=True)
class OperatorGranted(AccountRecord):
    """The account may see and change what is others' from here on."""


@dataclass(frozen=True, kw_only=True)
class OperatorRevoked(AccountRecord):
    """The account may no longer see and change what is others'."""


@dataclass(frozen=True, kw_only=True)
class LoggedOut(AccountRecord):
    """One token or session ended before its time: ``login`` is its id. At ``until`` (Unix ms) it would have run out."""

    login: str
    until: int


@dataclass(frozen=True, kw_only=True)
class LoggedOutEverywhere(AccountRecord):
    """Every token and session of the account ended. Those from here on name ``era``."""

    era: str


@dataclass(frozen=True, kw_only=True)
class AccountDeleted(AccountRecord):
    """The account is gone, and its name free."""


KINDS: dict[str, type[Record]] = {
    kind.__name__: kind
    for kind in (
        Signed, Mending, Probed, Opened, Reopened, Joined, Left,
        Paused, Resumed, Restocked, Withdrew, Extended, CalledOff, Noted,
        Requested, Released, Expired, Cancelled, Revoked, Paid, Refunded, Restored,
        Registered, Withdrawn, MerchantGranted, MerchantRevoked,
        OperatorGranted, OperatorRevoked, LoggedOut, LoggedOutEverywhere, AccountDeleted,
    )
}  # fmt: skip


_ABOUT_A_CHANGE = frozenset(field.name for field in fields(Change)) - {"at", "by_name", "why"}


def line_of(record: Change | Opened) -> str:
    """What a sale's history says of a record: a JSON object, ``kind``, who, when, why and what."""
    if isinstance(record, Opened):
        told = {"at": record.at, "by_name": record.merchant_name, "why": "", "units": record.num}
    else:
        told = {name: value for name, value in vars(record).items() if name not in _ABOUT_A_CHANGE}
    return json.dumps({"kind": type(record).__name__, **told}, ensure_ascii=False, separators=(",", ":"))


_FIELDS = {kind: [field.name for field in fields(kind) if field.compare] for kind in KINDS.values()}


def encode(record: Record) -> bytes:
    """The record as the ledger holds it: a JSON object whose ``kind`` names the class."""
    given = {"kind": type(record).__name__, **vars(record)}
    del given["request_id"]
    return json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()


def decode(value: bytes, request_id: str = "") -> Record:
    """The record that ``encode`` wrote. Raises ValueError for anything else; unknown fields are left out."""
    try:
        given: dict[str, Any] = json.loads(value)
        kind = KINDS[given["kind"]]
        return kind(**{name: given[name] for name in _FIELDS[kind] if name in given}, request_id=request_id)
    except (KeyError, TypeError) as fault:
        raise ValueError(f"not a record of this ledger: {value[:200]!r}") from fault

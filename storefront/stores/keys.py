"""Every Redis key of the shop, each once.

Keys of one product's sales and orders share the hash tag ``{tag}``, so a script touches one Redis Cluster slot.
"""

from storefront.domain.ids import tag_of, tag_of_product


def sale(sale_id: str) -> str:
    """Hash: the terms, the counters of units, the signed epoch and the ledger position of one sale."""
    return f"{{{tag_of(sale_id)}}}:sale:{sale_id}"


def buyers(sale_id: str) -> str:
    """Hash: shopper → ids of the orders with which they hold units of this sale, separated by spaces."""
    return f"{{{tag_of(sale_id)}}}:buyers:{sale_id}"


def agenda(sale_id: str) -> str:
    """Sorted set: order → when (Unix ms) the sweep must look at it."""
    return f"{{{tag_of(sale_id)}}}:agenda:{sale_id}"


def sale_orders(sale_id: str) -> str:
    """Sorted set: every order that was placed in this sale → when it was made (Unix ms)."""
    return f"{{{tag_of(sale_id)}}}:orders:{sale_id}"


def sale_payments(sale_id: str) -> str:
    """Sorted set: every order of this sale that is paid → since when (Unix ms)."""
    return f"{{{tag_of(sale_id)}}}:payments:{sale_id}"


def refused(sale_id: str) -> str:
    """String: there is one for a sale that was not opened, since its product's name was taken."""
    return f"{{{tag_of(sale_id)}}}:refused:{sale_id}"


def changes(sale_id: str) -> str:
    """Hash: change of this sale → what its history says of it (``records.line_of``)."""
    return f"{{{tag_of(sale_id)}}}:changes:{sale_id}"


def waitlist(sale_id: str) -> str:
    """Sorted set: shopper who waits for a unit of this sale → where the ledger says so, which is their order."""
    return f"{{{tag_of(sale_id)}}}:waitlist:{sale_id}"


def waiters(sale_id: str) -> str:
    """Hash: shopper who waits for a unit of this sale → their name."""
    return f"{{{tag_of(sale_id)}}}:waiters:{sale_id}"


def entering(sale_id: str) -> str:
    """Sorted set: shopper who enters the sale's draw, with their name behind a space → when (Unix ms) to look again."""
    return f"{{{tag_of(sale_id)}}}:entering:{sale_id}"


def who_enters(shopper: str, name: str) -> str:
    """A member of :func:`entering`."""
    return f"{shopper} {name}"


def read_who_enters(member: str) -> tuple[str, str]:
    """Shopper and name of such a member."""
    shopper, _, name = member.partition(" ")
    return shopper, name


def order(order_id: str) -> str:
    """Hash: one order."""
    return f"{orders_of_tag(order_id)}{order_id}"


def orders_of_tag(some_id: str) -> str:
    """What the keys of all orders with this id's tag begin with."""
    return f"{{{tag_of(some_id)}}}:order:"


def product(name: str) -> str:
    """String: the id of the newest sale of a product."""
    return f"{{{tag_of_product(name)}}}:product:{name}"


SALES_BY_BEGIN = "sales:by_begin"
"""Sorted set: every sale → the beginning of its window (Unix seconds)."""

SALES_BY_END = "sales:by_end"
"""Sorted set: every sale → the end of its window (Unix seconds)."""

SALES_NAMES = "sales:names"
"""Hash: every sale → its product's name as it is searched (``domain.text.folded``)."""

SALES_OPEN = "sales:open"
"""Set: sales that the sweep must visit."""

PICTURES_DUE = "pictures:due"
"""Sorted set: sales whose picture is still to be fetched → when (Unix ms) to try next."""

PICTURES_TRIED = "pictures:tried"
"""Hash: the same sales → how often that was tried."""

PICTURES_FAILED = "pictures:failed"
"""Hash: sale → the code of why the last try to fetch its picture came to nothing."""


WEBHOOK_ADDRESSES = "{webhooks}:addresses"
"""Hash: merchant → where they are told of events (JSON, ``stores.webhooks.Endpoint``). All webhooks share a slot."""

WEBHOOK_TURNS = "{webhooks}:turns"
"""Sorted set: merchants who are to be told something → when (Unix ms) it is their turn."""

WEBHOOK_TURNS_TAKEN = "{webhooks}:turns:taken"
"""Sorted set: merchants who are being told something → when (Unix ms) whoever does that counts as dead."""


def webhooks_due(merchant: str) -> str:
    """Sorted set: events that a merchant is to be told of → when (Unix ms)."""
    return f"{{webhooks}}:due:{merchant}"


def webhooks_tried(merchant: str) -> str:
    """Hash: the same events → how often that was tried."""
    return f"{{webhooks}}:tried:{merchant}"


def webhooks_noted(merchant: str) -> str:
    """Sorted set with expiry: the events of the last days, told or not → when they happened (Unix ms)."""
    return f"{{webhooks}}:noted:{merchant}"


def webhooks_log(merchant: str) -> str:
    """List with expiry: the last attempts to tell a merchant something (JSON), the newest in front."""
    return f"{{webhooks}}:log:{merchant}"


def sales_of_partition(partition: int) -> str:
    """Set: the sales whose records stand in one partition of the ledger."""
    return f"sales:partition:{partition}"


def merchant_sales(merchant: str) -> str:
    """Sorted set: a merchant's sales, or with an empty id those of nobody → the beginning of their window."""
    return f"merchant:{merchant}:sales"


def known_addresses(name: str) -> str:
    """Sorted set with expiry: address from which the account of this name was logged in → when last (Unix ms)."""
    return f"known:{name}"


def shopper_orders(shopper: str) -> str:
    """Sorted set: a shopper's orders → when they were made (Unix ms)."""
    return f"shopper:{shopper}:orders"


def answers(shopper: str) -> str:
    """Hash with expiry: idempotency key → what a shopper's request under it was answered (``begin_answer.lua``)."""
    return f"shopper:{shopper}:answers"


def position(topic: str, partition: int) -> str:
    """Hash: how far a partition of the ledger is applied, and the epoch signed there."""
    return f"position:{topic}:{partition}"


def lease(topic: str, partition: int) -> str:
    """String with expiry: which worker reads a partition."""
    return f"lease:{topic}:{partition}"


BIRTH = "epoch:birth"
"""String: written once into an empty Redis; a part of the epoch. The scripts know its name too (``prelude.lua``)."""

WORKERS = "workers"
"""Sorted set: order workers → until when (Unix ms) they count as alive."""


def account(name: str) -> str:
    """Hash: one account, or a claim of its name. All accounts share a slot with the position of their topic."""
    return f"{{accounts}}:account:{name}"


ACCOUNTS = "{accounts}:state"
"""Hash: the signed epoch and the ledger position of the accounts."""

ACCOUNTS_AGENDA = "{accounts}:agenda"
"""Sorted set: claimed name → when (Unix ms) the sweep must look at it."""

ACCOUNTS_GONE = "{accounts}:gone"
"""Hash: account id → "withdrawn" or "deleted", and the name it had: ids that may never become accounts again."""

ACCOUNTS_ENDED = "{accounts}:ended"
"""Stream: logins that ended before their time, so that whoever remembers tokens need read only what is new."""

BANS = "bans"
"""Stream: bans, and the ends of bans that were lifted."""


def refusals(sale_id: str) -> str:
    """Hash: why a purchase of this sale was refused → how often."""
    return f"{{{tag_of(sale_id)}}}:refusals:{sale_id}"


def sale_bans(sale_id: str) -> str:
    """Stream: of ``BANS``, what was for buying of this sale too often."""
    return f"{{{tag_of(sale_id)}}}:bans:{sale_id}"


def proof(proof_id: str) -> str:
    """String with expiry: a proof of work that was used."""
    return f"proof:{proof_id}"


def notice(notice_id: str) -> str:
    """String with expiry: a webhook of the payment provider that was taken in."""
    return f"notice:{notice_id}"


def ticket(purpose: str) -> str:
    """String with expiry: the one open ticket for a purpose, in place of a proof of work."""
    return f"ticket:{purpose}"


TRAFFIC = "traffic"
"""Hash: method, class of status, bucket of duration, route → how many requests; or microseconds in all ("took")."""

ALONE = "alone"
"""Sorted set: web processes that count limits by themselves → until when (Unix seconds) that is told."""

ANOMALIES = "anomalies"
"""Hash: :func:`anomaly` → how often something happened that the design rules out."""


def anomaly(kind: str, partition: tuple[str, int] | None) -> str:
    """A field of :data:`ANOMALIES`: a kind, with the partition whose lines led to it, if one's did."""
    return f"{kind}@{partition[0]}/{partition[1]}" if partition else kind

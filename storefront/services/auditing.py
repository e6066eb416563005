"""The audit: does Redis hold what the ledger says, and do the units of every sale add up?

It reads the ledger from its first line, by rules of its own (``domain/replay.py``), and compares. The shop may go on
selling meanwhile. A sale is compared at the very line of the ledger up to which Redis had applied it when it was looked
at; an order that differs is looked at again when the ledger has been read on, and counts only if it stays.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import MISSING, asdict, dataclass, field, fields

from storefront.domain import text
from storefront.domain.ids import tag_of, tag_of_product
from storefront.domain.order import PLACING
from storefront.domain.records import Opened
from storefront.domain.replay import LIVE, ReplayedOrder, ReplayedSale
from storefront.domain.sale import Units
from storefront.services.rereading import Story
from storefront.shop import Shop
from storefront.stores.census import Census, Seen, pieces

LOOKS = 5
"""How often something is looked at before what differs counts."""

COUNTERS = {"stock": "left", "reserved": "reserved", "pending": "unpaid", "paid": "paid", "expired": "expired"}
NO_TERMS = frozenset({"at", "id", "sale", "epoch", "request_id"})
DEFAULTS = {one.name: str(one.default) for one in fields(Opened) if one.default is not MISSING}
DEFAULTS |= {"paused": "0", "called_off": "0"}
"""Terms that a sale lacks in Redis which was opened before there were any."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much is done."""

Suspect = tuple[str, str, str]
"""An order that may differ: its sale, its id, and the shopper who holds it or is said to."""


@dataclass
class Finding:
    """What the audit found for one sale. ``differences`` are sentences; none means that it adds up.

    ``units`` are those that Redis counts, None if it doesn't know the sale. ``num`` is the ledger's, 0 if that doesn't.
    """

    sale: str
    product: str
    begins: int = 0
    num: int = 0
    orders: int = 0
    units: Units | None = None
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """A finding for each sale, by the beginning of its window, and sentences on orders that belong to no sale."""

    findings: list[Finding]
    strays: list[str]

    @property
    def differing(self) -> int:
        """How many sales differ."""
        return sum(bool(found.differences) for found in self.findings)

    @property
    def adds_up(self) -> bool:
        """Whether nothing differs."""
        return not self.differing and not self.strays


def audit(shop: Shop, wanted: str | None = None, progress: Progress = lambda _doing, _done, _all: None) -> Report:
    """Audit every sale, or the one whose id is ``wanted``, or all that the product of this name has had.

    Raises Recovering while Redis doesn't hold everything yet, LedgerDown, and Overloaded if no order worker runs.
    """
    shop.require_open()
    product = text.normal(wanted or "")
    tags = None if wanted is None else frozenset({tag_of(wanted), tag_of_product(product)})
    with closing(shop.ledger.reader()) as reader:
        story = Story(shop, reader, tags)
        report = _Audit(shop, story, tags, progress).run()
    if not report.adds_up:
        shop.require_open()  # what differs may merely be on its way back
    if wanted is None:
        return report
    shown = [found for found in report.findings if wanted == found.sale or product == found.product]
    return Report(shown, report.strays if shown else [])


class _Audit:
    """One audit, while it runs."""

    def __init__(self, shop: Shop, story: Story, tags: frozenset[str] | None, progress: Progress) -> None:
        self._census = Census(shop.memory)
        self._story = story
        self._tags = tags
        self._progress = progress
        self._findings: dict[str, Finding] = {}
        self._with_reservations: set[str] = set()

    def run(self) -> Report:
        """Look at everything once, and again at what differed."""
        self._story.read_on(lambda done, all_: self._progress("reading the ledger", done, all_))
        told = {sale for replay in self._story.replays.values() for sale in replay.sales if self._is_wanted(sale)}
        suspects, in_redis = self._first_look(told)
        orders = self._differing(suspects)
        self._look_at_sales(told | in_redis)
        for _ in range(LOOKS - 1):
            sales = {sale for sale, found in self._findings.items() if found.differences}
            if not (orders or sales):
                break
            self._story.read_on()
            orders = self._differing(orders)
            self._look_at_sales(sales)
        strays = []
        for (sale, _, _), sentence in sorted(orders.items()):
            if sale in self._findings:
                self._findings[sale].differences.append(sentence)
            else:
                strays.append(sentence)
        return Report(sorted(self._findings.values(), key=lambda found: (found.begins, found.sale)), strays)

    def _is_wanted(self, some_id: str) -> bool:
        return self._tags is None or tag_of(some_id) in self._tags

    # Orders

    def _first_look(self, told: set[str]) -> tuple[set[Suspect], set[str]]:
        """The orders that may differ, and the sales that Redis holds."""
        suspects: set[Suspect] = set()
        sales = {sale: known for sale in told if (known := self._story.sale(sale))}
        done, total = 0, sum(len(known.orders) for known in sales.values())
        by_tag: dict[str, list[ReplayedSale]] = {}
        for sale, known in sales.items():
            by_tag.setdefault(tag_of(sale), []).append(known)
            for piece in pieces(known.orders.items()):
                suspects |= self._differing((sale, order, one.shopper) for order, one in piece).keys()
                done += len(piece)
                self._progress("comparing orders", done, total)
            for pairs in self._census.buyers(sale):
                suspects |= {(sale, order, shopper) for shopper, order in pairs if not _holds(known, order, shopper)}
        in_redis: set[str] = set()
        for names in self._census.names():
            in_redis |= {name for kind, name in names if kind == "sale" and self._is_wanted(name)}
            unknown = [
                name
                for kind, name in names
                if kind == "order" and self._is_wanted(name)
                and not any(name in known.orders for known in by_tag.get(tag_of(name), []))
            ]  # fmt: skip
            suspects |= self._newcomers(unknown)
        return suspects, in_redis

    def _newcomers(self, orders: list[str]) -> set[Suspect]:
        """Orders in Redis that the ledger hasn't told of: reservations, or made up."""
        found = zip(orders, self._census.orders([("", order, "") for order in orders]), strict=True)
        suspects = {(seen.sale, order, seen.shopper) for order, seen in found if seen.state}
        self._with_reservations |= {sale for sale, _, _ in suspects}
        return suspects

    def _differing(self, asked: Iterable[Suspect]) -> dict[Suspect, str]:
        """Those of the orders asked for that differ now, with a sentence each."""
        asked = list(asked)
        found: dict[Suspect, str] = {}
        for suspect, seen in zip(asked, self._census.orders(asked), strict=True):
            sale, order, shopper = suspect
            known = self._story.sale(sale)
            sentence = _order_flaw(order, shopper, seen, known)
            if sentence:
                found[suspect] = sentence
        return found

    # Sales

    def _look_at_sales(self, sales: set[str]) -> None:
        found = self._census.sales(sorted(sales))
        for sale in sorted(sales, key=lambda one: _number(found.get(one, {}), "position")):
            self._findings[sale] = self._finding(sale, found.get(sale))

    def _finding(self, sale: str, fields: dict[str, str] | None) -> Finding:
        partition = self._story.partition_of(sale)
        if fields is not None and partition is not None:
            self._story.read_to(partition, _number(fields, "position"))
        known = self._story.sale(sale)
        finding = Finding(sale, fields.get("product", "") if fields else "")
        if known is not None:
            opened = known.opened
            finding = Finding(sale, opened.product, opened.begins, known.num, len(known.orders))
        if fields is not None:
            finding.units = Units(**{ours: _number(fields, theirs) for theirs, ours in COUNTERS.items()})
        if known is None or partition is None:
            finding.differences = ["the ledger knows nothing of this sale"]
        elif fields is None or finding.units is None:
            finding.differences = ["Redis knows nothing of this sale"]
        else:
            finding.differences = _sale_flaws(fields, finding.units, known)
            if fields.get("signed", "") != self._story.replays[partition].signed:
                finding.differences.append("the sale is not open to the epoch that the ledger has signed")
            if not self._census.listed(sale, partition[1]):
                finding.differences.append("the shop's lists of sales do not name it")
            if finding.units.reserved or sale in self._with_reservations:
                counted, there = self._census.reservations(sale)
                if counted != there:
                    finding.differences.append(f"Redis counts {counted} reserved, the reservations are {there}")
        return finding


def _holds(sale: ReplayedSale, order: str, shopper: str) -> bool:
    known = sale.orders.get(order)
    return known is not None and known.state in LIVE and known.shopper == shopper


def _number(fields: dict[str, str], name: str) -> int:
    value = fields.get(name, "0")
    return int(value) if value.removeprefix("-").isdigit() else 0


def _order_flaw(order: str, shopper: str, seen: Seen, sale: ReplayedSale | None) -> str | None:
    """How an order differs, in a sentence. ``shopper`` is the one of whom ``seen.held`` speaks."""
    told = sale.orders.get(order) if sale else None
    if told is None or told.state is None:
        if sale is not None and seen.state in PLACING:
            return None if seen.held else f"order {order} is {seen.state}, but its shopper isn't noted as holding it"
        if not seen.state:
            return f"order {order} is noted as held by {shopper}, but there is no such order" if seen.held else None
        where = "" if sale else f", of the sale “{seen.sale}”, which the ledger doesn't know"
        return f"order {order} is {seen.state} in Redis{where or ', unknown in the ledger'}"
    here = seen.state or "unknown"
    if here != told.state:
        return f"order {order} is {here} in Redis, {told.state} in the ledger"
    return _detail_flaw(order, shopper, seen, told)


def _detail_flaw(order: str, shopper: str, seen: Seen, told: ReplayedOrder) -> str | None:
    for what in ("charge", "refund", "returns", "shopper"):
        here, there = getattr(seen, what), getattr(told, what)
        if here != there and (there or what != "shopper"):  # a tombstone in the ledger names nobody
            return f"order {order} has “{here}” as its {what} in Redis, “{there}” in the ledger"
    if seen.held != (told.state in LIVE and told.shopper == shopper):
        return f"order {order} is {told.state}, and noted as {'' if seen.held else 'not '}held by {shopper}"
    return None


def _sale_flaws(fields: dict[str, str], units: Units, told: ReplayedSale) -> list[str]:
    """How a sale differs, counters first. Both sides have applied the same lines, if their positions are the same."""
    found: list[str] = []
    if units.total != told.num:
        found.append(f"the units add up to {units.total}, not {told.num}")
    counts = {
        "unpaid": (units.unpaid, told.units.unpaid),
        "paid": (units.paid, told.units.paid),
        "expired": (units.expired, told.units.expired),
        "refunds due": (_number(fields, "refund_due"), told.refunds.due),
        "refunds made": (_number(fields, "refunded"), told.refunds.done),
        "waiting": (_number(fields, "waiting"), len(told.numbers)),
    }
    found += [
        f"Redis counts {here} {what}, the orders say {there}" for what, (here, there) in counts.items() if here != there
    ]
    terms = {name: "" if value is None else str(value) for name, value in asdict(told.opened).items()}
    terms |= {"num": str(told.num), "ends": str(told.ends)}
    terms |= {"paused": str(int(told.paused)), "called_off": str(int(told.called_off))}
    found += [
        f"its {name} is “{here}” in Redis, “{value}” in the ledger"
        for name, value in terms.items()
        if name not in NO_TERMS and (here := fields.get(name, DEFAULTS.get(name, ""))) != value
    ]
    if (changes := set(fields.get("changes", "").split())) != told.changes:
        found.append(f"its history has {len(changes)} lines in Redis, {len(told.changes)} in the ledger")
    if fields.get("waitlist", "").split() != told.waiting:
        found.append("the waitlist in Redis isn't the one that the ledger tells")
    if (listed := _number(fields, "payments")) != told.units.paid:
        found.append(f"Redis lists {listed} payments, the orders say {told.units.paid}")
    position = _number(fields, "position")
    if position != told.position:
        found.append(f"Redis has applied its records up to line {position}, the ledger has them up to {told.position}")
    return found

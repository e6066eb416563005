"""Mending a ledger that was cut: an embedded broker that was killed, an unclean election, a wiped disk.

Redis's state stands. What it knows is appended again behind a ``Mending``, which forgets what the ledger said before,
so that a later replay ends in the same state. Until that is applied, all is closed.
"""

import logging
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict

from storefront.domain import records
from storefront.domain.order import PLACING, OrderState
from storefront.domain.sale import Sale
from storefront.gateways.ledger import ACCOUNTS
from storefront.services.accounts import registration
from storefront.services.applying import GoBack, Partition
from storefront.shop import Shop

log = logging.getLogger(__name__)


def restore(shop: Shop, partition: Partition) -> None:
    """Append what Redis knows of a partition that was cut, and have the ledger read again.

    Where a whole mending stands in it already that Redis hasn't read, nothing is appended: Redis rolled back to before
    it, or who wrote it has died, and another one would forget what was promised behind it.

    May be run again after a fault, and by two workers at once: each begins a new epoch and turns the others away, and
    what those have sent and comes late is void. Raises LedgerDown, and GoBack if another was faster or Redis's history
    changed.
    """
    begun = shop.positions.begin_mending(partition.name, partition.position)
    if begun is None:
        raise GoBack
    epoch, last = begun
    guarded: list[str | None] = [None]
    if partition.topic != ACCOUNTS:
        guarded = [sale for sale in shop.sales.of_partition(partition.number) if shop.sales.get(sale)]
    if _is_mended(shop, partition, last):
        log.warning("%s %d: the ledger was mended; reading it again", partition.topic, partition.number)
    else:
        _append_again(shop, partition, epoch)
    if not shop.positions.set_back(partition.name, guarded, epoch):
        raise GoBack


def _is_mended(shop: Shop, partition: Partition, last: int) -> bool:
    """Whether the ledger's last mending stands there whole, and Redis neither has read it nor knows of a later one.

    A later one, numbered ``last``, may still arrive, and would forget this one.
    """
    number, epoch, whole = partition.position.mended, "", False
    with closing(shop.ledger.reader()) as reader:
        for line in reader.all_of(partition.name):
            match line.record:
                case records.Mending() as mending if mending.number > number:
                    number, epoch, whole = mending.number, mending.epoch, False
                case records.Signed(succeeds=before) if epoch and before == epoch:
                    whole = True
    return whole and number >= last


def _append_again(shop: Shop, partition: Partition, epoch: str) -> None:
    number = shop.positions.number_mending(partition.name, epoch)
    if number is None:
        raise GoBack
    log.error(
        "%s %d: the ledger was cut before line %d; writing again what Redis knows",
        partition.topic,
        partition.number,
        partition.position.offset,
    )
    shop.memory.anomaly(f"ledger cut:{partition.topic}")
    now = shop.memory.now_ms()
    mending = records.Mending(at=now, epoch=f"mending:{epoch}", number=number)
    if partition.topic == ACCOUNTS:
        again = _accounts_again(shop, mending.epoch, now)
    else:
        sales = [sale for sale_id in shop.sales.of_partition(partition.number) if (sale := shop.sales.get(sale_id))]
        again = (
            _sales_again(shop, sales, mending.epoch, now)
            + _orders_again(shop, sales, mending.epoch)
            + _waiting_again(shop, sales, now)
        )
    shop.ledger.append(mending, to=partition.name)
    shop.ledger.append_all(again)
    shop.ledger.append(records.Signed(at=now, epoch=epoch, succeeds=mending.epoch), to=partition.name)


def _sales_again(shop: Shop, sales: Iterable[Sale], epoch: str, now: int) -> list[records.Record]:
    again: list[records.Record] = []
    for sale in sorted(sales, key=lambda sale: sale.terms.ends):
        again.append(
            records.Reopened(
                at=now,
                sale=sale.id,
                epoch=epoch,
                merchant=sale.merchant,
                merchant_name=sale.merchant_name,
                paused=sale.paused,
                called_off=sale.called_off,
                seed=sale.seed,
                **asdict(sale.terms),
            )
        )
        again += [
            records.Noted(at=now, sale=sale.id, epoch=epoch, change=change, line=line)
            for change, line in shop.changes.lines(sale.id).items()
        ]
    return again


def _orders_again(shop: Shop, sales: Iterable[Sale], epoch: str) -> list[records.Record]:
    """A reservation becomes an order: its shopper may have been told yes by a record that is lost.

    Units that are being withdrawn were promised to nobody, and go back.
    """
    again: list[records.Record] = []
    for sale, orders in shop.orders.all_of({sale.id for sale in sales}).items():
        for order, fields in orders:
            if "state" not in fields:  # a charge came, and the order wasn't known yet
                continue
            state = OrderState(fields["state"])
            if state in PLACING and "units" in fields:
                continue
            again.append(
                records.Restored(
                    at=int(fields.get("at", 0)),
                    sale=sale,
                    order=order,
                    epoch=epoch,
                    state=OrderState.PENDING if state in PLACING else state,
                    shopper=fields.get("shopper", ""),
                    shopper_name=fields.get("shopper_name", ""),
                    pay_by=int(fields.get("pay_by", 0)),
                    charge=fields.get("charge", ""),
                    paid_at=int(fields.get("paid_at", 0)),
                    refund=fields.get("refund", ""),
                    returns=fields.get("returns", ""),
                )
            )
    return again


def _waiting_again(shop: Shop, sales: Iterable[Sale], now: int) -> list[records.Record]:
    """Who is being offered a unit has it from here on, as an order."""
    return [
        records.Joined(at=now, sale=sale.id, shopper=one.shopper, shopper_name=one.name, number=one.number)
        for sale in sales
        for one in shop.waitlist.all(sale.id)
        if not any(order.state in PLACING for order in shop.orders.of_buyer(sale.id, one.shopper))
    ]


def _accounts_again(shop: Shop, epoch: str, now: int) -> list[records.Record]:
    again: list[records.Record] = [
        records.Withdrawn(at=now, account=account, name=name) for account, _, name in shop.accounts.gone()
    ]
    for known in shop.accounts.all():
        again.append(registration(known, known.seniority.registered, epoch))
        merchant = records.MerchantGranted if known.merchant else records.MerchantRevoked
        operator = records.OperatorGranted if known.operator else records.OperatorRevoked
        again += (role(at=now, account=known.id, name=known.name) for role in (merchant, operator))
        if known.era:
            again.append(records.LoggedOutEverywhere(at=now, account=known.id, name=known.name, era=known.era))
        again += (
            records.LoggedOut(at=now, account=known.id, name=known.name, login=login, until=until)
            for login, until in known.ended
        )
    return again

"""The shop's figures for Prometheus. They are read from Redis at each scrape, so any web process tells the same."""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from flask import Blueprint, Response, current_app, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from storefront.domain.sale import Sale
from storefront.services import measuring
from storefront.services.measuring import Figures
from storefront.shop import Shop
from storefront.stores.traffic import BOUNDS, Route
from storefront.web.faces import shop
from storefront.web.limits import are_shared, limiter

bp = Blueprint("metrics", __name__)

SALE = ("sale", "product")
PARTITION = ("topic", "partition")
ROUTE = ("method", "route")


@bp.get("/metrics")
@limiter.exempt
def metrics() -> Any:
    """The figures, in Prometheus's text format or OpenMetrics, as the caller prefers."""
    registry = CollectorRegistry()
    registry.register(ShopCollector(shop()))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})


class ShopCollector(Collector):
    """Reads the figures when it is asked. Of a Redis that doesn't answer it tells just that."""

    def __init__(self, measured: Shop) -> None:
        self._shop = measured

    def collect(self) -> Iterable[Metric]:
        """See ``Collector``."""
        try:
            figures = measuring.measure(self._shop)
        except RedisError as fault:
            current_app.logger.warning("no figures, Redis does not answer: %s", fault)
            yield _gauge("storefront_redis_up", "Whether Redis answered this scrape.", 0)
            return
        yield _gauge("storefront_redis_up", "Whether Redis answered this scrape.", 1)
        yield from _of_the_shop(figures)
        yield from _of_the_ledger(figures)
        yield from _of_sales(figures.sales)
        yield _of_refusals(figures)
        yield from _of_traffic(figures.traffic)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)


def _labelled(
    name: str, meaning: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _of_the_shop(figures: Figures) -> Iterator[Metric]:
    yield _gauge("storefront_open", "Whether the shop sells: the epoch in force is signed everywhere.", figures.is_open)
    yield _gauge("storefront_workers", "Order workers that are alive.", figures.workers)
    yield _gauge("storefront_agenda", "Orders of the sales counted here that wait for the sweep.", figures.agenda)
    yield _gauge(
        "storefront_sales", "Sales that have not ended or are not settled; those told are the newest.",
        figures.sales_in_all,
    )  # fmt: skip
    yield _gauge("storefront_bans", "Accounts, addresses and networks that are banned.", figures.bans)
    yield _gauge(
        "storefront_limits_shared", "Whether every web process counts limits in Redis, with the others.",
        are_shared() and figures.alone == 0,
    )  # fmt: skip
    yield _gauge(
        "storefront_webhooks_late_seconds", "How long the merchant waits who has waited longest to be told of events.",
        figures.webhooks_late,
    )  # fmt: skip
    anomalies = CounterMetricFamily(
        "storefront_anomalies", "How often something happened that the design rules out.", labels=["kind"]
    )
    for kind, count in figures.anomalies.items():
        anomalies.add_metric([kind], count)
    yield anomalies


def _of_the_ledger(figures: Figures) -> Iterator[Metric]:
    ends = figures.ends
    positions = {(topic, str(number)): held.offset for (topic, number), held in figures.positions.items()}
    yield _gauge("storefront_ledger_up", "Whether the ledger said in time where it ends.", ends is not None)
    yield _labelled(
        "storefront_ledger_position", "The offset up to which a partition of the ledger is applied.", PARTITION,
        positions.items(),
    )  # fmt: skip
    if ends is not None:
        yield _labelled(
            "storefront_ledger_end", "The offset at which a partition of the ledger ends.", PARTITION,
            (((topic, str(number)), end) for (topic, number), end in ends.items()),
        )  # fmt: skip
        lags = ((name, end - figures.positions[name].offset) for name, end in ends.items())
        yield _labelled(
            "storefront_ledger_lag", "Records of a partition that are not applied yet.", PARTITION,
            (((topic, str(number)), max(0, lag)) for (topic, number), lag in lags),
        )  # fmt: skip


def _of_sales(sales: list[Sale]) -> Iterator[Metric]:
    def each(name: str, meaning: str, value: Any) -> GaugeMetricFamily:
        return _labelled(name, meaning, SALE, (((sale.id, sale.product), float(value(sale))) for sale in sales))

    yield _labelled(
        "storefront_sale_units", "Units of a sale by where they are.", (*SALE, "state"),
        (
            ((sale.id, sale.product, state), getattr(sale.units, state))
            for sale in sales
            for state in ("left", "reserved", "unpaid", "paid")
        ),
    )  # fmt: skip
    yield each("storefront_sale_num", "Units that a sale has now.", lambda sale: sale.terms.num)
    yield each(
        "storefront_sale_adds_up", "Whether left + reserved + unpaid + paid is the total.", lambda sale: sale.adds_up
    )
    expired = CounterMetricFamily("storefront_sale_expired", "Orders that were not paid in time.", labels=SALE)
    for sale in sales:
        expired.add_metric([sale.id, sale.product], sale.units.expired)
    yield expired
    yield _labelled(
        "storefront_sale_refunds", "Orders whose money came too late: still due back, or given back.",
        (*SALE, "state"),
        (
            ((sale.id, sale.product, state), number)
            for sale in sales
            for state, number in (("due", sale.refunds.due), ("done", sale.refunds.done))
        ),
    )  # fmt: skip


def _of_refusals(figures: Figures) -> Metric:
    refusals = CounterMetricFamily(
        "storefront_sale_refusals", "Purchases that were refused, by the reason's code.", labels=(*SALE, "code")
    )
    for sale in figures.sales:
        for code, count in figures.refusals.get(sale.id, {}).items():
            refusals.add_metric([sale.id, sale.product, code], count)
    return refusals


def _of_traffic(traffic: dict[tuple[str, str], Route]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "storefront_http_requests", "Requests that got past the gate, by class of status.", labels=(*ROUTE, "status")
    )
    durations = HistogramMetricFamily(
        "storefront_http_request_duration_seconds", "How long their answers took.", labels=ROUTE
    )
    for names, route in traffic.items():
        for status, count in route.statuses.items():
            requests.add_metric([*names, status], count)
        counts = accumulate(route.buckets[number] for number in range(len(BOUNDS) + 1))
        buckets = zip([*map(str, BOUNDS), "+Inf"], counts, strict=True)
        durations.add_metric(list(names), list(buckets), route.seconds)
    yield requests
    yield durations

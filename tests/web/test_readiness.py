"""Can this process sell? Told field by field, and in time."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from storefront.local.embedded import free_port
from storefront.services import readiness
from storefront.shop import Shop
from storefront.stores import keys
from tests.conftest import eventually

IN_TIME = readiness.PATIENCE + 2.5  # on a busy machine; less than Redis's and Kafka's clients wait


@contextmanager
def mute_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server.getsockname()[1]


def asked(app: Flask) -> tuple[int, str, dict[str, dict[str, object]]]:
    began = time.monotonic()
    answer = app.test_client().get("/readyz")
    assert time.monotonic() - began < IN_TIME
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.get_json()
    return answer.status_code, told["status"], told["checks"]


def test_a_process_that_can_sell_says_so(app: Flask) -> None:
    status, word, checks = eventually(lambda: found if (found := asked(app))[1] == "ready" else None)
    assert (status, word) == (200, "ready")
    assert all(check["ok"] for check in checks.values())
    assert checks.keys() == {"redis", "ledger", "epoch", "workers"}
    assert checks["workers"]["workers"] == 1


@pytest.mark.parametrize("mute", [True, False], ids=["mute", "away"])
def test_what_is_away_is_named_in_time(app_with: Callable[..., Flask], mute: bool) -> None:
    with mute_server() as listening:
        port = listening if mute else 1

        def only(app: Flask, wrong: str) -> bool:
            status, word, checks = asked(app)
            assert (status, word, checks[wrong]["ok"]) == (503, "recovering", False)
            assert "does not answer" in str(checks[wrong]["why"])
            return all(check["ok"] for name, check in checks.items() if name != wrong)

        without_redis, without_kafka = (
            app_with(redis_url=f"redis://127.0.0.1:{port}/0"),
            app_with(kafka=f"127.0.0.1:{port}"),
        )
        eventually(lambda: only(without_redis, "redis"))
        eventually(lambda: only(without_kafka, "ledger"))


def test_replicas_that_are_asked_for_are_missed(app_with: Callable[..., Flask]) -> None:
    watched = app_with(replicas=2)
    status, _, checks = eventually(lambda: found if "replicas" in (found := asked(watched))[2] else None)
    assert status == 503
    assert checks["replicas"] == {"ok": False, "why": "0 of 2 replicas follow (STOREFRONT_REPLICAS)", "replicas": 0}


def test_without_order_workers_it_sells_and_says_so(app: Flask, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "WORKERS", "no workers")
    _, word, checks = eventually(lambda: found if (found := asked(app))[0] == 200 else None)
    assert word == "degraded"
    assert checks["workers"]["why"] == "no order worker runs"


def test_an_epoch_that_is_not_signed_is_named(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs: Shop = app.extensions["shop"]
    held = theirs.positions.all_at
    monkeypatch.setattr(
        theirs.positions, "all_at", lambda wanted: [type(one)(**vars(one) | {"signed": "x"}) for one in held(wanted)]
    )
    status, word, checks = eventually(lambda: found if "epoch" in (found := asked(app))[2] else None)
    assert (status, word) == (503, "recovering")
    assert "orders/0" in str(checks["epoch"]["why"])

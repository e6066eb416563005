"""Merchants are told of their orders by signed webhooks: once noted, until they are taken, and nobody else."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.errors import AddressNotAllowed, NoSuchEvent, NoWebhookAddress, WebhookAddressNotAllowed
from storefront.domain.records import Expired, Paid, Requested
from storefront.domain.sale import Sale, Terms
from storefront.gateways import elsewhere, standard_webhooks
from storefront.services import accounts, buying, paying, selling, webhooks
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.webhooks import DAY, SPREAD, TRIES_MS
from tests.conftest import eventually, unique
from tests.faces import FACES, Face, Person, Program


class Receiver:
    """A merchant's own program: it verifies what it is told, and answers with the statuses it is given, then 204."""

    def __init__(self) -> None:
        self.secrets: list[bytes] = []
        self.statuses: list[int] = []
        self.told: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                told = json.loads(body) | {"id": receiver.verified(headers, body), "body": body}
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                receiver.told.append(told | {"answered": status})
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/orders?of=shop"

    def verified(self, headers: dict[str, str], body: bytes) -> str:
        return standard_webhooks.verified(self.secrets[-1], headers, body, int(time.time()))

    def takes(self, secret: str) -> None:
        """From now on webhooks are signed with this."""
        assert secret.startswith("whsec_")
        self.secrets.append(base64.b64decode(secret.removeprefix("whsec_")))

    def types(self, order: str) -> list[str]:
        """What it was told of an order, in order of time."""
        found = [told for told in self.told if told["data"]["order"] == order]
        return [told["type"] for told in sorted(found, key=lambda told: told["timestamp"])]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=[0.05])
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def merchant(shop: Shop, somebody: Callable[..., Account]) -> Account:
    made = somebody()
    accounts.grant_merchant(shop, made.name)
    return replace(made, merchant=True)


@pytest.fixture
def own_sale(shop: Shop, merchant: Account) -> Sale:
    now = shop.memory.now_ms() // 1000
    return selling.open_sale(shop, merchant, Terms(unique("茶壶"), 9, "x", now - 60, now + 3600, price=1000)).sale


def logged_in(face: type[Face], app: Flask, account: Account) -> Any:
    made = face(app)
    made.log_in(account.name)
    return made


def test_a_merchant_is_told_what_becomes_of_each_order_and_can_verify_it(
    app: Flask, app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account], merchant: Account,
    own_sale: Sale, receiver: Receiver,
) -> None:  # fmt: skip
    program, buyer = logged_in(Program, app, merchant), somebody()
    receiver.takes(program.post("/webhooks", {"address": receiver.address}).json["secret"])
    kept = logged_in(Program, app, buyer).buy(own_sale.product).order
    paying.pay(shop, buyer, kept)
    lost = logged_in(Program, app_with(payment_window=1), somebody()).buy(own_sale.product).order
    other = somebody()
    undone = buying.buy(shop, other, own_sale.product).order
    paying.cancel(shop, other, undone)
    eventually(lambda: len(receiver.told) >= 6)
    assert receiver.types(kept) == ["order.placed", "order.paid"]
    assert receiver.types(lost) == ["order.placed", "order.expired"]
    assert receiver.types(undone) == ["order.placed", "order.cancelled"]
    assert len({told["id"] for told in receiver.told}) == 6
    paid = next(told for told in receiver.told if told["type"] == "order.paid")
    assert paid["data"] == {
        "order": kept, "sale": own_sale.id, "product name": own_sale.product, "username": buyer.name,
        "amount": 1000, "currency": "CNY", "time": paid["data"]["time"],
    }  # fmt: skip
    log = eventually(lambda: len(found := program.get("/webhooks").json["attempts"]) == 6 and found)
    assert {(one["status"], one["attempt"], one["taken"], one["next_attempt"]) for one in log} == {(204, 1, True, None)}


def test_who_is_down_is_told_again_and_who_is_gone_no_more(
    app: Flask, shop: Shop, somebody: Callable[..., Account], merchant: Account, own_sale: Sale, receiver: Receiver
) -> None:
    program, person = logged_in(Program, app, merchant), logged_in(Person, app, merchant)
    receiver.takes(program.post("/webhooks", {"address": receiver.address}).json["secret"])
    receiver.statuses = [503, 302]
    order = buying.buy(shop, somebody(), own_sale.product).order
    failed = eventually(lambda: len(found := program.get("/webhooks").json["attempts"]) == 1 and found[0])
    assert (failed["order"], failed["status"], failed["taken"]) == (order, 503, False)
    assert failed["next_attempt"]
    eventually(lambda: len(receiver.told) == 2)  # a redirect isn't followed, and nothing taken
    assert receiver.told[0]["body"] == receiver.told[1]["body"]

    # by hand, in both faces, with another secret
    receiver.takes(program.post("/webhooks/secret").json["secret"])
    assert program.post("/webhooks/redeliver", {"event": failed["event"]}).status == 200
    eventually(lambda: len(receiver.told) == 3)
    eventually(lambda: program.get("/webhooks").json["waiting"] == 0)
    assert "It is sent once more" in person.post("/webhooks/redeliver", {"event": failed["event"]}).text
    eventually(lambda: len(receiver.told) == 4)
    assert {told["id"] for told in receiver.told} == {failed["event"]}
    page = eventually(lambda: (found := person.get("/webhooks").text).count(order) > 4 and found)
    assert "503" in page
    assert "204" in page

    # nobody else
    stranger = logged_in(Program, app, somebody())
    assert stranger.get("/webhooks").json["attempts"] == []
    assert stranger.post("/webhooks/redeliver", {"event": failed["event"]}).says(NoWebhookAddress)
    assert stranger.post("/webhooks", {"address": receiver.address}).status == 200
    assert stranger.post("/webhooks/redeliver", {"event": failed["event"]}).says(NoSuchEvent)

    receiver.statuses = [410]
    buying.buy(shop, somebody(), own_sale.product)
    eventually(lambda: program.get("/webhooks").json["switched_off"])
    assert "Switched off" in person.get("/webhooks").text
    assert program.post("/webhooks/redeliver", {"event": failed["event"]}).says(NoWebhookAddress)


@pytest.mark.parametrize("kind", FACES)
def test_a_test_is_sent_once_whatever_it_is_answered(
    kind: type[Face], app: Flask, shop: Shop, merchant: Account, receiver: Receiver
) -> None:
    program, face = logged_in(Program, app, merchant), logged_in(kind, app, merchant)
    assert face.post("/webhooks/test").says(NoWebhookAddress)
    receiver.takes(program.post("/webhooks", {"address": receiver.address}).json["secret"])
    receiver.statuses = [503]
    assert face.post("/webhooks/test").status == 200
    eventually(lambda: len(shop.webhooks.attempts(merchant.id)) == 1)
    assert face.post("/webhooks/test").status == 200
    eventually(lambda: len(shop.webhooks.attempts(merchant.id)) == 2)
    assert shop.webhooks.waiting(merchant.id) == 0
    assert [(told["type"], told["answered"]) for told in receiver.told] == [("test", 503), ("test", 204)]
    assert len({told["id"] for told in receiver.told}) == 2
    assert {(one["type"], one["next_attempt"]) for one in program.get("/webhooks").json["attempts"]} == {("test", None)}


def test_a_replay_tells_nothing_twice_and_nothing_old_and_without_an_address_nothing_is_kept(
    shop: Shop, somebody: Callable[..., Account], merchant: Account, own_sale: Sale
) -> None:
    buyer = somebody()
    order = buying.buy(shop, buyer, own_sale.product).order
    paying.pay(shop, buyer, order)
    redis, now = shop.memory.redis, shop.memory.now_ms()
    assert not redis.keys(f"*webhooks*{merchant.id}*")

    about: dict[str, Any] = {"sale": own_sale.id, "order": order}
    found = buying.order_of(shop, buyer, order)
    placed = Requested(**about, at=now, shopper=buyer.id, shopper_name=buyer.name, epoch="", pay_by=now)
    paid, expired = Paid(**about, at=now, charge=found.charge), Expired(**about, at=now)
    webhooks.set_address(shop, merchant.id, "http://127.0.0.1:9/")
    webhooks.note(shop, [(replace(placed, at=now - DAY - 1), "placed"), (paid, "too_late"), (expired, "ignored")])
    assert not redis.exists(keys.webhooks_noted(merchant.id))
    for word in ("placed", "already"):
        webhooks.note(shop, [(placed, word), (paid, "already"), (expired, "already")])
    assert {*redis.zrange(keys.webhooks_noted(merchant.id), 0, -1)} == {f"{order}_placed", f"{order}_paid"}

    # the running shop tries each once; then only this test looks, and time goes by
    turn = eventually(
        lambda: len(shop.webhooks.attempts(merchant.id)) == 2 and redis.zscore(keys.WEBHOOK_TURNS, merchant.id)
    )
    assert redis.zrem(keys.WEBHOOK_TURNS, merchant.id)
    assert now < turn < now + 60_000
    assert {(one.status, one.fault, one.number) for one in shop.webhooks.attempts(merchant.id)} == {
        (0, "nothing_fetched", 1)
    }
    for number, wait in enumerate((*TRIES_MS[1:], 0), start=2):
        redis.zadd(keys.webhooks_due(merchant.id), {f"{order}_paid": 0}, xx=True)
        taken = shop.webhooks.take(merchant.id)
        assert taken
        assert (taken.event.id, taken.event.at, taken.attempt) == (f"{order}_paid", now, number)
        assert (not taken.next_at) if not wait else 0 <= taken.next_at - now - wait < 60_000 + wait * SPREAD
    assert redis.zscore(keys.webhooks_due(merchant.id), f"{order}_paid") is None


@pytest.mark.parametrize("kind", FACES)
def test_nothing_is_sent_into_the_shops_own_network(
    app: Flask, config: Config, somebody: Callable[..., Account], receiver: Receiver, kind: type[Face]
) -> None:
    asking = somebody()
    face = logged_in(kind, app, asking)
    for address in ("http://example.com/", "https://10.0.0.1/", "https://169.254.169.254/"):
        answer = face.post("/webhooks", {"address": address})
        assert answer.status == 400
        assert answer.says(WebhookAddressNotAllowed)
    strict = Shop(replace(config, secure_cookies=True))
    for address in (receiver.address, "https://127.0.0.1/", "https://[::1]/"):
        with pytest.raises(WebhookAddressNotAllowed):
            webhooks.set_address(strict, asking.id, address)
    strict.close()
    with pytest.raises(AddressNotAllowed):
        elsewhere.send(receiver.address.replace("127.0.0.1", "localhost"), b"", {})  # what a name means is seen later
    assert not receiver.told

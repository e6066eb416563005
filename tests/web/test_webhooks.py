"""Merchants are told of their orders by signed webhooks: once noted, until they are taken, and nobody else."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.errors import (
    AddressNotAllowed,
    NoSuchEvent,
    NoWebhookAddress,
    OnlyMerchantsAreTold,
    WebhookAddressNotAllowed,
)
from storefront.domain.records import Expired, Paid, Requested
from storefront.domain.sale import Sale, Terms
from storefront.gateways import elsewhere, standard_webhooks
from storefront.services import accounts, buying, paying, selling, webhooks
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.webhooks import DAY, SPREAD, TRIES_MS
from tests.conftest import eventually, unique
from tests.described import description_of
from tests.faces import FACES, Face, Person, Program
from tests.receivers import Dripper, Receiver


@pytest.fixture
def receiver(app: Flask) -> Iterator[Receiver]:
    made = Receiver(description_of(app))
    thread = threading.Thread(target=made.server.serve_forever, args=[0.05])
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()
    assert not made.faults


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


def test_a_receiver_that_takes_its_time_holds_up_neither_the_shop_nor_anybody_else(
    app: Flask, shop: Shop, somebody: Callable[..., Account], receiver: Receiver
) -> None:
    slow, other = somebody(), somebody()
    receiver.takes(logged_in(Program, app, other).post("/webhooks", {"address": receiver.address}).json["secret"])
    with Dripper() as dripper:
        webhooks.set_address(shop, slow.id, f"http://127.0.0.1:{dripper.port}/")
        for _ in range(3):
            webhooks.send_test(shop, slow.id)
        eventually(lambda: dripper.requests)
        webhooks.send_test(shop, slow.id)  # in the midst of their turn
        webhooks.send_test(shop, other.id)
        eventually(lambda: receiver.told, Dripper.LONG / 10)
        found = eventually(lambda: len(log := shop.webhooks.attempts(slow.id)) == 4 and log, Dripper.LONG / 5)
        webhooks.set_address(shop, slow.id, "")
    assert {(one.status, one.fault, one.next_at) for one in found} == {(0, "nothing_fetched", 0)}
    ids = [re.findall(rb"webhook-id: (\w+)", sent) for _, sent in dripper.requests]
    assert len({*map(str, ids)}) == len(ids) == 4  # each test once
    begun = sorted(at for at, _ in dripper.requests)
    assert min(after - before for before, after in pairwise(begun)) > elsewhere.SENT / 2  # never two at once


@pytest.mark.parametrize("kind", FACES)
def test_only_merchants_have_webhooks_where_only_they_open_sales(
    kind: type[Face], app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account]
) -> None:
    account = somebody()
    face = logged_in(kind, app_with(sales_open_to="merchants"), account)
    address = {"address": "https://receiver.invalid/"}
    calls = [("", address), ("/secret", {}), ("/test", {}), ("/redeliver", {"event": "x"})]
    for answer in (face.get("/webhooks"), *(face.post(f"/webhooks{path}", fields) for path, fields in calls)):
        assert answer.status == 403
        assert answer.says(OnlyMerchantsAreTold)
    assert shop.webhooks.endpoint(account.id) is None
    accounts.grant_merchant(shop, account.name)
    assert face.post("/webhooks", address).status == 200
    assert shop.webhooks.endpoint(account.id)
    accounts.revoke_merchant(shop, account.name)  # who was one may still say: no more
    assert face.get("/webhooks").status == 200
    assert face.post("/webhooks", {"address": "https://other.invalid/"}).says(OnlyMerchantsAreTold)
    assert face.post("/webhooks", {"address": ""}).status == 200
    assert shop.webhooks.endpoint(account.id) is None
    assert face.get("/webhooks").says(OnlyMerchantsAreTold)


@pytest.mark.parametrize("kind", FACES)
def test_an_address_that_can_never_work_is_refused(
    kind: type[Face], app: Flask, shop: Shop, somebody: Callable[..., Account]
) -> None:
    account = somebody()
    face = logged_in(kind, app, account)
    wrong = [f"https://example.com:{port}/" for port in (0, 22, 8443, 99999)]
    for address in (*wrong, 'https://ex"><script>alert(1)</script>.com/', "https://-.com/", f"https://{'a' * 64}.com/"):
        assert face.post("/webhooks", {"address": address}).status == 400, address
    assert shop.webhooks.endpoint(account.id) is None
    for address in (
        "https://example.com:443/x",
        "https://EXAMPLE.com:80",
        "https://例子.中国/",
        "http://localhost:81/",
    ):
        assert face.post("/webhooks", {"address": address}).status == 200, address


def test_an_address_is_given_up_only_by_who_says_so(
    app: Flask, shop: Shop, merchant: Account, somebody: Callable[..., Account]
) -> None:
    program, person = logged_in(Program, app, merchant), logged_in(Person, app, merchant)
    for face, nothing in ((program, None), (program, ""), (person, "")):
        assert program.post("/webhooks", {"address": "https://receiver.invalid/"}).status == 200
        for careless in (program.post("/webhooks", {}), person.post("/webhooks", {})):
            assert careless.status == 400
            assert "This field is required." in careless.text
        assert shop.webhooks.endpoint(merchant.id)
        assert face.post("/webhooks", {"address": nothing}).status == 200
        assert shop.webhooks.endpoint(merchant.id) is None


def test_a_receiver_can_verify_what_it_is_told_with_the_example_in_the_documentation(
    app: Flask, merchant: Account, receiver: Receiver, root: Path
) -> None:
    program = logged_in(Program, app, merchant)
    secret = program.post("/webhooks", {"address": receiver.address}).json["secret"]
    receiver.takes(secret)
    assert program.post("/webhooks/test").status == 200
    [told] = eventually(lambda: receiver.told)
    [example] = re.findall(r"```python\n(.+?)```", (root / "docs" / "operations.md").read_text(), re.DOTALL)
    known: dict[str, Any] = {}
    exec(example, known)
    verified = known["verified"]
    headers, body = told["headers"], told["body"]
    assert verified(secret, headers, body) == told["id"] == headers["webhook-id"]
    several = {**headers, "webhook-signature": f"v1,é {headers['webhook-signature']}"}
    assert verified(secret, several, body) == told["id"]
    key, before = receiver.secrets[-1], int(time.time()) - 310
    late = standard_webhooks.signed(key, "x", before, body)
    for wrong in ((secret, headers, body + b" "), ("whsec_AAAA", headers, body), (secret, late, body)):
        with pytest.raises(ValueError, match="forged"):
            verified(*wrong)

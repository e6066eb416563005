"""The limits of one view: counted together, each by itself."""

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.services import accounts
from storefront.shop import Shop
from storefront.stores.connection import connect


class Crowd:
    """Programs that buy from addresses of their own choice."""

    def __init__(self, app: Flask, sale: Sale) -> None:
        self._client: FlaskClient = app.test_client(use_cookies=False)
        self._shop: Shop = app.extensions["shop"]
        self._address = f"/miaosha/{quote(sale.product)}"

    def buys(self, account: Account, address: str) -> int:
        """The status of the answer."""
        body = json.dumps({"token": accounts.token_for(self._shop, account)})
        return self._client.post(
            self._address, data=body, content_type="application/json", environ_overrides={"REMOTE_ADDR": address}
        ).status_code


@pytest.mark.parametrize(("gate", "first"), [(True, "192.0.2.1"), (False, "192.0.2.4")])
def test_either_limit_refuses_by_itself(
    app_with: Callable[..., Flask],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    gate: bool,
    first: str,
) -> None:
    app = app_with(limit_buy_account="2/day", limit_buy_address="3/day", gate=gate)
    crowd, one, other = Crowd(app, a_sale(num=9, limit=9)), somebody(), somebody()
    assert [crowd.buys(one, address) for address in (first, "192.0.2.2", "192.0.2.3")] == [200, 200, 429]
    assert [crowd.buys(other, first) for _ in range(3)] == [200, 200, 429]
    third = somebody()
    assert [crowd.buys(third, first) for _ in range(2)] == [429, 429]


@pytest.mark.parametrize(("gate", "first"), [(True, "192.0.2.11"), (False, "192.0.2.13")])
def test_what_one_limit_refuses_the_other_does_not_count(
    app_with: Callable[..., Flask],
    somebody: Callable[..., Account],
    a_sale: Callable[..., Sale],
    gate: bool,
    first: str,
) -> None:
    app = app_with(limit_buy_account="2/day", limit_buy_address="1/day", gate=gate)
    crowd, shopper = Crowd(app, a_sale(num=9, limit=9)), somebody()
    assert [crowd.buys(shopper, first) for _ in range(5)] == [200, 429, 429, 429, 429]
    assert crowd.buys(shopper, f"{first}0") == 200


def test_without_a_gate_both_are_counted_in_one_round_trip(
    config: Config, app_with: Callable[..., Flask], somebody: Callable[..., Account], a_sale: Callable[..., Sale]
) -> None:
    app = app_with(limit_buy_account="7/day", limit_buy_address="8/day", gate=False)
    crowd, shopper = Crowd(app, a_sale()), somebody()
    with connect(config.limiter_url, decode_responses=True) as counts, counts.monitor() as monitor:
        assert crowd.buys(shopper, "192.0.2.7") == 200
        counts.echo("that was all")
        seen = []
        while (said := monitor.next_command()["command"]) != "ECHO that was all":
            seen.append(said)
    asked = [said for said in seen if said.startswith("EVALSHA") and "192.0.2.7" in said]
    assert len(asked) == 1
    assert shopper.id in asked[0]

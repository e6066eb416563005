"""Whose address counts: the connection's own, or what so many proxies in front say; never what a caller makes up."""

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import Client

LIMIT = "3/day"


def statuses(app: Flask, forwarded: list[str | None], connected: str) -> list[int]:
    """What requests are answered that come from ``connected`` with these fields ``X-Forwarded-For``."""
    client = Client(app)
    return [
        client.get(
            "/login",
            headers={"X-Forwarded-For": field} if field is not None else {},
            environ_overrides={"REMOTE_ADDR": connected},
        ).status_code
        for field in forwarded
    ]


def test_without_proxies_what_a_caller_makes_up_changes_nothing(app_with: Callable[..., Flask]) -> None:
    app = app_with(limit_default=LIMIT)
    made_up = ["10.0.0.1", "10.0.0.2", "10.0.0.3, 10.0.0.4", "10.0.0.5", None]
    assert statuses(app, made_up, "192.0.2.41") == [200] * 3 + [429] * 2


@pytest.mark.parametrize("proxies", [1, 2])
def test_behind_proxies_what_a_caller_makes_up_changes_nothing(app_with: Callable[..., Flask], proxies: int) -> None:
    app, connected = app_with(limit_default=LIMIT, proxies=proxies), "127.0.0.1"
    between = ", 10.9.9.9" * (proxies - 1)  # each proxy behind the first adds whom it heard from
    caller = f"192.0.2.5{proxies}{between}"
    assert statuses(app, [f"10.0.0.{number}, {caller}" for number in range(4)], connected) == [200] * 3 + [429]
    assert statuses(app, [f"192.0.2.6{proxies}{between}"], connected) == [200]


def test_a_quote_that_a_caller_opens_hides_nothing(app_with: Callable[..., Flask]) -> None:
    app = app_with(limit_default=LIMIT, proxies=1)
    made_up = ['"', '"x', 'a"b, "', '10.0.0.1, "']
    assert statuses(app, [f"{one}, 192.0.2.77" for one in made_up], "127.0.0.1") == [200] * 3 + [429]


def test_behind_proxies_each_caller_has_limits_of_their_own(app_with: Callable[..., Flask]) -> None:
    app = app_with(limit_default=LIMIT, proxies=1)
    assert statuses(app, [f"198.51.100.{100 + number}" for number in range(6)], "127.0.0.1") == [200] * 6


def test_a_proxy_tells_how_the_caller_came_and_not_by_which_name(app_with: Callable[..., Flask]) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    asked = Client(app_with(proxies=1)).get("/orders", headers={**headers, "Accept": "text/html"})
    assert "evil" not in asked.text + str(asked.headers)
    said = Client(app_with(proxies=1)).get("/", headers={**headers, "Accept": "application/json"})
    assert "evil" not in said.text

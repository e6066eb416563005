"""Guessing passwords is slow for strangers, wherever they are; it neither locks out owners nor takes the memory."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from storefront.domain.account import Account
from storefront.domain.errors import Overloaded
from storefront.services import passwords
from tests.conftest import eventually
from tests.faces import Face, Person, Program


def log_in(face: Face, name: str, password: str, address: str) -> TestResponse:
    at: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": address}}
    if isinstance(face, Program):
        return face.client.post("/login", json={"name": name, "pass": password}, **at)
    fields = {"csrf_token": face.csrf(), "name": name, "pass": password}
    return face.client.post("/login", data=fields, headers=face.headers, **at)


def test_strangers_share_one_allowance_and_the_owner_has_another(
    app_with: Callable[..., Flask], somebody: Callable[..., Account]
) -> None:
    app = app_with(limit_login_strangers="5/hour", limit_login="2/minute")
    name, other, home, program = somebody().name, somebody().name, Person(app), Program(app)
    assert log_in(home, name, "secret123", "100.64.9.1").status_code == 303
    assert log_in(program, name, "secret123", "100.64.9.2").status_code == 200
    cookie = home.client.get_cookie("device", path="/login")
    assert cookie
    assert (cookie.http_only, cookie.same_site) == (True, "Strict")
    assert name not in cookie.value
    statuses = [log_in(Program(app), name, "guess 123", f"100.64.8.{n}").status_code for n in range(8)]
    assert statuses == [401] * 3 + [429] * 5
    refused = log_in(Program(app), name, "secret123", "100.64.7.1")  # though it is the right one
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_logins")  # type: ignore[index]
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    page = log_in(Person(app), name, "secret123", "100.64.7.2")
    assert page.status_code == 429
    assert "devices that it does not know" in page.text
    forged, others = Person(app), Person(app)
    forged.client.set_cookie("device", cookie.value[:-2] + "xx", path="/login")
    log_in(others, other, "secret123", "100.64.7.4")
    for stranger in (forged, others):
        assert log_in(stranger, name, "secret123", "100.64.7.3").status_code == 429
    assert log_in(program, name, "secret123", "100.64.9.2").status_code == 200  # from where it came before
    home.post("/logout")
    assert log_in(home, name, "secret123", "100.64.7.5").status_code == 303  # with its cookie, from anywhere
    thief = Person(app)
    thief.client.set_cookie("device", cookie.value, path="/login")
    statuses = [log_in(thief, name, "guess 123", f"100.64.8.{100 + n}").status_code for n in range(3)]
    assert statuses[-1] == 429  # one browser is one guesser


def test_beyond_a_short_line_a_flood_of_logins_is_asked_to_come_back(
    face: Face, somebody: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = somebody().name
    monkeypatch.setattr(passwords, "_TURNS", turns := threading.BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "_LINE", line := threading.BoundedSemaphore(2))
    with ThreadPoolExecutor(1) as pool:
        with passwords.turn():
            waits = pool.submit(passwords.matches, "x", None, 1)
            eventually(lambda: line._value == 0)
            answer = face.log_in(name)
            assert answer.says(Overloaded)
            assert answer.status == 503
        assert waits.result(30) is False
    assert (turns._value, line._value) == (1, 2)
    assert face.log_in(name).status == 200

"""Registering and logging in, in both faces."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.domain.errors import NameTaken, WrongCredentials
from storefront.services import accounts
from storefront.shop import Shop
from tests.conftest import unique
from tests.faces import Face, Person, Program

EXAMPLE = {
    "name": "张三",
    "age": 20,
    "address": "北京市海淀区",
    "avatar": "http://example.com/avatar.jpg",
    "password": "123456",
}


def test_the_documents_example_registers_and_logs_in(app: Flask) -> None:
    program, name = Program(app), unique("张三")
    answer = program.post("/register", {**EXAMPLE, "name": name})
    assert (answer.status, answer.json) == (200, {"message": "user registered successfully"})
    answer = program.log_in(name, "123456")
    assert answer.status == 200
    assert list(answer.json) == ["token"]


def test_a_taken_name_is_refused(face: Face, somebody: Callable[..., Account]) -> None:
    taken = somebody().name
    answer = face.post("/register", {**EXAMPLE, "name": taken})
    assert answer.status == 409
    assert answer.says(NameTaken)


def test_one_spelling_of_a_name_is_one_name(face: Face, somebody: Callable[..., Account]) -> None:
    name = unique("Zo\u00eb")
    somebody(name)
    decomposed = name.replace("\u00eb", "e\u0308")
    answer = face.post("/register", {**EXAMPLE, "name": f"  {decomposed} "})
    assert answer.says(NameTaken)


@pytest.mark.parametrize("known", [True, False], ids=["wrong password", "unknown name"])
def test_wrong_credentials_look_the_same(face: Face, somebody: Callable[..., Account], known: bool) -> None:
    name = somebody().name if known else unique("nobody")
    answer = face.log_in(name, "not the password")
    assert answer.status == 401
    assert answer.says(WrongCredentials)
    if answer.json:
        assert answer.json["error"] == "Invalid token"  # as the document has it


def test_a_person_is_logged_in_by_registering_and_out_by_the_button(app: Flask) -> None:
    person, name = Person(app), unique("李四")
    assert name in person.post("/register", {**EXAMPLE, "name": name}).text
    assert person.get("/orders").text.count(name) >= 1
    person.post("/logout")
    assert name not in person.get("/").text


def test_logging_in_leads_back_to_where_one_wanted_to_go(app: Flask, somebody: Callable[..., Account]) -> None:
    person = Person(app)
    answer = person.client.get("/orders", headers=person.headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/orders")
    fields = {"csrf_token": person.csrf(), "name": somebody().name, "pass": "secret123", "next": "/orders"}
    answer = person.client.post("/login", data=fields, headers=person.headers)
    assert answer.headers["Location"] == "/orders"


def test_registering_leads_back_too(app: Flask) -> None:
    person = Person(app)
    page = person.get("/login?next=/orders").text
    assert 'href="/register?next=/orders"' in page
    profile = {"name": unique("neu"), "age": "20", "address": "x", "avatar": "http://example.com/a.png"}
    fields = {"csrf_token": person.csrf(), **profile, "password": "secret123", "next": "/orders"}
    assert person.client.post("/register", data=fields, headers=person.headers).headers["Location"] == "/orders"


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\tb"]
)
def test_logging_in_leads_nowhere_else(app: Flask, somebody: Callable[..., Account], elsewhere: str) -> None:
    person = Person(app)
    fields = {"csrf_token": person.csrf(), "name": somebody().name, "pass": "secret123", "next": elsewhere}
    answer = person.client.post("/login", data=fields, headers=person.headers)
    assert answer.headers["Location"] == "/"


def test_a_deleted_accounts_name_is_free_and_its_session_over(
    app: Flask, shop: Shop, somebody: Callable[..., Account]
) -> None:
    person, account = Person(app), somebody()
    person.log_in(account.name)
    accounts.delete(shop, account.name)
    assert account.name not in person.get("/").text
    somebody(account.name)
    assert account.name not in person.get("/").text  # the same name is not the same account


def test_registering_twice_at_once_makes_one_account(app: Flask) -> None:
    name = unique("双胞胎")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Program(app).post("/register", {**EXAMPLE, "name": name}), range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7


def test_one_name_has_one_limit_however_it_is_spelled(
    app_with: Callable[..., Flask], somebody: Callable[..., Account]
) -> None:
    program, name = Program(app_with(limit_login="3/minute")), somebody().name
    for spelling in (name, f" {name}", f"{name}\n"):
        assert program.post("/login", {"name": spelling, "pass": "wrong password"}).status == 401
    for spelling in (name, f"{name} ", f"\u00a0{name}"):
        program.client.post("/login", data=b"x", content_type="application/json")
        answer = program.client.post("/login", json={"name": spelling, "pass": "wrong password"})
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 61


def test_the_language_chosen_outlives_the_session(app: Flask, somebody: Callable[..., Account]) -> None:
    person = Person(app)  # whose browser prefers English
    person.post("/language", {"language": "zh", "next": "/login"})
    assert "用户名" in person.get("/login").text
    assert "退出" in person.log_in(somebody().name).text
    assert "您已退出" in person.post("/logout").text

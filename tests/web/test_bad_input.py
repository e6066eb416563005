"""Bad input gets one clear sentence in the caller's face and language, and changes nothing."""

import http.client
import json
from typing import Any

import pytest
from flask import Flask

from storefront.local.shop import LocalShop
from storefront.shop import Shop
from tests.conftest import unique
from tests.faces import Person, Program

NOW = 1_900_000_000  # a fixed moment: test names must not depend on when they are collected
PERSON = {"age": 20, "address": "北京", "avatar": "http://example.com/a.jpg", "password": "123456"}
SALE = {"num": 10, "producter": "Apple", "time_begintokill": NOW, "time_endkill": NOW + 600}
DEEP = "[" * 40 + "]" * 40

BODIES = {
    "not JSON": (b"{nope", "not_json"),
    "empty": (b"", "not_json"),
    "an array": (b"[1]", "not_an_object"),
    "a number": (b"5", "not_an_object"),
    "null": (b"null", "not_an_object"),
    "40 levels deep": (DEEP.encode(), "not_an_object"),
    "40 levels deep in a field": (b'{"name": ' + DEEP.encode() + b"}", "invalid"),
    "30,000 levels deep": (b"[" * 30_000, "not_json"),
    "NaN": (b'{"age": NaN}', "not_json"),
    "a key twice": (b'{"name": "a", "name": "b"}', "not_json"),
    "not UTF-8": (b'{"name": "\xff"}', "not_json"),
    "UTF-16": ('{"name": "a"}'.encode("utf-16"), "not_json"),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("path", ["/register", "/login", "/createmiaosha", "/miaosha/x"])
def test_a_body_that_is_no_json_object(app: Flask, path: str, kind: str) -> None:
    body, code = BODIES[kind]
    response = app.test_client().post(path, data=body, content_type="application/json")
    assert response.status_code == (401 if path == "/miaosha/x" and code == "invalid" else 400)
    assert response.status_code == 401 or response.json["code"] == code  # type: ignore[index]


WRONG: dict[str, list[Any]] = {
    "age": ["20", True, 1.5, None, [20], {}, -1, 151, 10**30],
    "name": [
        5,
        None,
        True,
        [],
        {},
        "",
        "   ",
        "x" * 10_000,
        "x" + " " * 64,
        "a\x00b",
        "a\nb",
        "a\u202eb",
        "\ud800",
        "\x7f",
    ],
    "address": [5, "", "x" * 10_000, "a\x00"],
    "avatar": ["", "nope", "ftp://example.com/x", "javascript:alert(1)", "http://", "http://a b", 5, "//example.com/x"],
    "password": ["", "12345", "x" * 10_000, 123456, "123\x00456"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_a_wrong_field_of_a_registration(app: Flask, shop: Shop, field: str, value: Any) -> None:
    program, name = Program(app), unique("wrong")
    answer = program.post("/register", {**PERSON, "name": name, field: value})
    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert list(answer.json["fields"]) == [field]
    assert answer.json["error"].count("\n") == 0
    assert shop.accounts.get(name) is None


WRONG_TERMS: dict[str, list[Any]] = {
    "num": ["100", True, 1.5, None, 0, -1, 10**9, 10**30],
    "name": ["", ".", "..", "x" * 10_000, "a\x00b", "a\tb", "\udfff", 5],
    "producter": ["", 5, "x" * 10_000],
    "time_begintokill": ["1640995200", 1.5, True, None, -1, 253402300800, 10**18, "2030-01-01T10:00"],
    "time_endkill": [NOW, NOW - 1, -5, 253402300800],
    "price": [0, -1, "100", 1.5, True, 10**15],
    "limit": [0, -1, 11, "1"],
    "currency": ["XXX", "yuan", 5, "  "],
    "proof": ["sometimes", 5, True, " "],
    "min_account_age": [-1, "3600", 1.5, True, 10**10],
    "draw": [-1, "30", 1.5, True, 3601, 3600],
    "image": ["nope", "javascript:alert(1)", 5],
    "description": [5, "x" * 10_000, "a\x00"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG_TERMS for value in WRONG_TERMS[field]])
def test_a_wrong_field_of_a_sale(app: Flask, shop: Shop, field: str, value: Any) -> None:
    product = unique("wrong")
    answer = Program(app).post("/createmiaosha", {**SALE, "name": product, field: value})
    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert list(answer.json["fields"]) == [field]
    assert shop.sales.of_product(product) is None


def test_a_number_beyond_what_numbers_hold(app: Flask) -> None:
    body = b'{"name": "x", "age": 1e400, "address": "x", "avatar": "http://x", "password": "123456"}'
    response = app.test_client().post("/register", data=body, content_type="application/json")
    assert (response.status_code, list(response.json["fields"])) == (400, ["age"])  # type: ignore[index]


def test_a_whole_number_may_be_written_with_a_point(app: Flask, shop: Shop) -> None:
    name = unique("a point")
    assert Program(app).post("/register", {**PERSON, "name": name, "age": 20.0}).status == 200
    account = shop.accounts.get(name)
    assert account
    assert account.profile.age == 20


@pytest.mark.parametrize("field", ["name", *PERSON])
def test_a_missing_field(app: Flask, field: str) -> None:
    fields = {**PERSON, "name": unique("missing")}
    del fields[field]
    answer = Program(app).post("/register", fields)
    assert (answer.status, list(answer.json["fields"])) == (400, [field])
    assert Person(app).post("/register", fields).status == 400


@pytest.mark.parametrize("path", ["/register", "/login", "/createmiaosha", "/miaosha/x"])
def test_a_surplus_field(app: Flask, path: str, somebody: Any) -> None:
    program = Program(app)
    program.log_in(somebody().name)
    answer = program.post(path, {"surplus": 1})
    assert answer.status == 400
    assert "surplus" in answer.json["fields"]


def test_a_person_gets_the_form_again_with_what_they_typed_but_their_password(app: Flask) -> None:
    typed = {**PERSON, "name": "王五", "age": "twenty"}
    answer = Person(app).post("/register", typed)
    assert answer.status == 400
    assert 'value="twenty"' in answer.text
    assert 'value="王五"' in answer.text
    assert "123456" not in answer.text
    assert "This must be a whole number." in answer.text


def test_the_sentence_is_in_the_callers_language(app: Flask) -> None:
    client = app.test_client()
    english = client.post("/login", json={"name": "x"}).json
    chinese = client.post("/login", json={"name": "x"}, headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}).json
    assert english["fields"] == {"pass": ["This field is required."]}  # type: ignore[index]
    assert chinese["fields"] != english["fields"]  # type: ignore[index]
    assert chinese["code"] == english["code"]  # type: ignore[index]


@pytest.mark.parametrize("length", [64 * 1024 + 1, 300_000])
def test_a_body_over_64_kb_is_a_413_in_the_callers_face(app: Flask, length: int) -> None:
    client = app.test_client()
    answer = client.post("/register", data=b'{"name": "' + b"x" * length + b'"}', content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")  # type: ignore[index]
    answer = client.post("/register", data={"name": "x" * length}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (413, "text/html")


def test_another_type_is_a_415_and_another_method_a_405(app: Flask) -> None:
    client = app.test_client()
    answer = client.post("/register", data="<x/>", content_type="application/xml")
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_type")  # type: ignore[index]
    answer = client.delete("/register", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")  # type: ignore[index]
    assert "POST" in answer.headers["Allow"]
    answer = client.get("/nowhere", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert client.get("/nowhere", headers={"Accept": "application/json"}).json["code"] == "no_such_page"  # type: ignore[index]


@pytest.mark.parametrize("path", ["/?cursor=x", "/?cursor=-1", "/orders?cursor=1e9", "/?cursor=²"])
def test_a_bad_cursor_is_a_400(app: Flask, somebody: Any, path: str) -> None:
    program = Program(app)
    program.log_in(somebody().name)
    assert program.get(path).status == 400


@pytest.mark.parametrize("path", ["/miaosha/%00", "/miaosha/%ff%fe", "/miaosha/..", "/miaosha/", "/orders/%00"])
def test_a_bad_address_is_a_404(app: Flask, somebody: Any, path: str) -> None:
    program = Program(app)
    program.log_in(somebody().name)
    assert program.get(path).status == 404


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_chunked_body_over_64_kb_is_a_413_too(real_shop: LocalShop, kind: str) -> None:
    body = json.dumps({**PERSON, "name": unique("chunked")}).encode() + b" " * 200_000
    connection = http.client.HTTPConnection("127.0.0.1", real_shop.port, timeout=30)
    pieces = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
    connection.request("POST", "/register", pieces, {"Content-Type": kind}, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_small_chunked_body_is_read(real_shop: LocalShop) -> None:
    body = json.dumps({**PERSON, "name": unique("chunked")}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", real_shop.port, timeout=30)
    connection.request("POST", "/register", iter([body]), {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("name", ["\u200b", "\u3164", "\u2800 \u00a0", "\ufffe", "a\U0010ffff"])
def test_a_name_shows_something(app: Flask, name: str) -> None:
    assert list(Program(app).post("/register", {**PERSON, "name": name}).json["fields"]) == ["name"]
    assert list(Program(app).post("/createmiaosha", {**SALE, "name": name}).json["fields"]) == ["name"]


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("en-GB,zh;q=0.9", "en"),
        ("zh-CN,en;q=0.5", "zh"),
        ("zh-TW,en;q=0.5", "zh"),
        ("de,en-US;q=0.7,zh;q=0.3", "en"),
        ("zh_Hans_CN", "zh"),
        ("fr", "en"),
        ("zh;q=0", "en"),
        ("*", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_first_one_that_the_reader_prefers_and_we_have(
    app: Flask, accept: str, language: str
) -> None:
    page = app.test_client().get("/login", headers={"Accept": "text/html", "Accept-Language": accept}).text
    assert f'<html lang="{"zh-Hans" if language == "zh" else "en"}"' in page


def test_a_wrong_method_is_a_405_for_people_too(app: Flask) -> None:
    headers = {"Accept": "text/html"}
    assert app.test_client().patch("/miaosha/x", headers=headers).status_code == 405
    assert app.test_client().post("/nope", data={}, headers=headers).status_code == 404


def test_nothing_from_elsewhere_runs_on_our_pages(app: Flask) -> None:
    headers = app.test_client().get("/").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert {"Accept", "Accept-Language", "Authorization", "Cookie"} <= {
        part.strip() for part in headers["Vary"].split(",")
    }

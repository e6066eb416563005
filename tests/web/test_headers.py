"""What every answer tells the browser: not to frame a page, read it from elsewhere, or run what isn't the shop's."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.stores.orders import Orders
from storefront.web.who import local_address
from tests.faces import Person

INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
"""What the policy would keep from running or showing."""

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def assert_guarded(answer: TestResponse, where: str) -> None:
    for name, value in EXPECTED.items():
        assert answer.headers.getlist(name) == [value], where
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3, where
    assert (policy["script-src"], policy["style-src"], policy["form-action"]) == ("'self'",) * 3, where
    assert "unsafe" not in answer.headers["Content-Security-Policy"], where
    assert "camera=()" in answer.headers["Permissions-Policy"], where
    if answer.mimetype == "text/html":
        assert not INLINE.search(answer.text), where
        assert "no-cache" in answer.headers["Cache-Control"] or "no-store" in answer.headers["Cache-Control"], where


def test_every_answer_guards_its_reader(
    app: Flask, somebody: Callable[..., Account], a_sale: Callable[..., Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, person = a_sale(num=3), Person(app)
    person.log_in(somebody().name)
    order = person.buy(sale.product).order
    given = {"product": sale.product, "sale_id": sale.id, "order_id": order, "action": "pause", "filename": "shop.js"}
    plain = app.test_client(use_cookies=False)
    asked = 0
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda one: quote(given.get(one[1], "x"), safe=""), rule.rule)
        for accept in ("text/html", "application/json"):
            headers = {"Accept": accept}
            answers = [plain.post(path, headers=headers), plain.delete(path, headers=headers)]
            if "GET" in (rule.methods or ()):
                answers += [plain.get(path, headers=headers), person.client.get(path, headers=headers)]
            for answer in answers:
                assert_guarded(answer, f"{answer.request.method} {path} {answer.status}")
                asked += 1
    assert asked > 200
    monkeypatch.setattr(Orders, "get", lambda *_: 1 / 0)
    headers = {"Accept": "text/html"}
    broken = person.client.get(f"/orders/{order}", headers=headers)
    faults: list[tuple[TestResponse, int]] = [
        (broken, 503),
        (plain.get("/nothing/here", headers=headers), 404),
        (plain.post("/login", data={"name": "x" * 70_000}), 413),
        (plain.post("/login", data="x", content_type="text/plain"), 415),
        (plain.post("/login", data="[", content_type="application/json"), 400),
        (plain.post("/login", data={"name": "x"}), 400),
    ]
    for answer, status in faults:
        assert answer.status_code == status
        assert_guarded(answer, str(status))


def test_what_travels_over_https_alone_says_so(
    app: Flask, app_with: Callable[..., Flask], somebody: Callable[..., Account]
) -> None:
    secure, name = app_with(secure_cookies=True), "Strict-Transport-Security"
    assert name not in app.test_client().get("/").headers
    assert secure.test_client().get("/nothing").headers[name] == "max-age=31536000"
    client = secure.test_client()
    page = client.get("/login", base_url="https://localhost")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token
    fields: dict[str, Any] = {"csrf_token": token[1], "name": somebody().name, "pass": "secret123"}
    entered = client.post(
        "/login", data=fields, base_url="https://localhost", headers={"Referer": "https://localhost/login"}
    )
    cookies = entered.headers.getlist("Set-Cookie")
    assert entered.status_code == 303
    assert cookies
    for cookie in cookies:
        assert {"Secure", "HttpOnly"} <= {part.strip() for part in cookie.split(";")}
        assert re.search(r"SameSite=(Lax|Strict)", cookie)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\/evil.example", "\\\\evil",
        "https://evil.example", "HTTPS:evil.example", "http:evil.example", "javascript:alert(1)", "data:text/html,x",
        "/\t/evil.example", "\t//evil.example", "/\r\nLocation: //evil.example", " //evil.example", "/\x00/evil",
        "evil.example", "@evil.example", "/a\\..\\evil", "", "/" + "x" * 5000, "%2f%2fevil.example", "?next=//e", "#",
    ],
)  # fmt: skip
def test_nobody_is_led_elsewhere(elsewhere: str) -> None:
    assert local_address(elsewhere) is None


@pytest.mark.parametrize("here", ["/", "/orders?state=paid", "/miaosha/手机%2F2", "/x?next=https://shop.example/"])
def test_everybody_may_be_led_to_a_page_of_the_shop(here: str) -> None:
    assert local_address(here) == here

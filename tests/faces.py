"""Callers of the two faces, so that one test proves a fact for both."""

import html
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flask import Flask
from werkzeug.test import TestResponse

from storefront.domain.errors import Refused
from tests.described import assert_described


@dataclass
class Answer:
    """What came back: for people, after following redirects; ``first`` is the answer to the call itself."""

    status: int
    text: str
    json: dict[str, Any] = field(default_factory=dict)
    first: int = 0
    order: str = ""

    def says(self, refusal: type[Refused]) -> bool:
        """Whether this answer is that refusal: by its code to programs, by its sentence to people."""
        if self.json:
            return self.json.get("code") == refusal.code
        return html.escape(refusal.sentence, quote=True) in self.text


class Program:
    """A program: JSON and tokens. Whatever it is answered must be described in ``/openapi.json``."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client(use_cookies=False)
        self.token = ""

    def post(self, path: str, fields: dict[str, Any] | None = None, key: str = "") -> Answer:
        body = {**({"token": self.token} if self.token else {}), **(fields or {})}
        headers = {"Idempotency-Key": key} if key else {}
        sent = json.dumps(body)  # in ASCII, so that a lone surrogate travels too
        response = self.client.post(path, data=sent, content_type="application/json", headers=headers)
        return self._answer("POST", path, response)

    def get(self, path: str) -> Answer:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return self._answer("GET", path, self.client.get(path, headers=headers))

    def log_in(self, name: str, password: str = "secret123") -> Answer:
        answer = self.post("/login", {"name": name, "pass": password})
        self.token = answer.json.get("token", "")
        return answer

    def buy(self, product: str, key: str = "", proof: str = "") -> Answer:
        return self.post(f"/miaosha/{quote(product, safe='')}", {"proof": proof} if proof else {}, key=key)

    def _answer(self, method: str, path: str, response: TestResponse) -> Answer:
        assert_described(self.app, method, path, response)
        found = response.get_json(silent=True) or {}
        return Answer(response.status_code, response.text, found, response.status_code, found.get("order", ""))


class Person:
    """A person with a browser: forms, cookies, redirects followed."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.headers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}

    def csrf(self) -> str:
        page = self.client.get("/login", headers=self.headers).text
        if 'name="csrf_token"' not in page:  # logged in: any page with the log-out button has one
            page = self.client.get("/", headers=self.headers).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, page
        return found.group(1)

    def post(self, path: str, fields: dict[str, Any] | None = None) -> Answer:
        """A file is a pair of an open file and its name."""
        typed = {name: value if isinstance(value, tuple) else str(value) for name, value in (fields or {}).items()}
        first = self.client.post(path, data={"csrf_token": self.csrf(), **typed}, headers=self.headers)
        last = first
        if first.status_code == 303:
            last = self.client.get(first.headers["Location"], headers=self.headers, follow_redirects=True)
        order = re.search(r"/orders/([0-9a-z]{20})", first.headers.get("Location", ""))
        return Answer(last.status_code, last.text, {}, first.status_code, order.group(1) if order else "")

    def get(self, path: str) -> Answer:
        response = self.client.get(path, headers=self.headers, follow_redirects=True)
        return Answer(response.status_code, response.text, {}, response.status_code)

    def log_in(self, name: str, password: str = "secret123") -> Answer:
        return self.post("/login", {"name": name, "pass": password})

    def buy(self, product: str, key: str = "", proof: str = "") -> Answer:
        given = {"once": key, "proof": proof}
        return self.post(f"/miaosha/{quote(product, safe='')}", {name: one for name, one in given.items() if one})


Face = Program | Person
FACES = [Program, Person]

"""The description for programs is whole: every view, every link, every rule. That answers keep to it, all tests see."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from storefront.domain import text
from storefront.web.openapi.operations import LEFT_OUT, OPERATIONS
from tests.described import description_of
from tests.faces import Program


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return description_of(app).document


def test_every_view_is_described_or_left_out_for_a_reason(app: Flask) -> None:
    described = {one.view for one in OPERATIONS}
    assert described | LEFT_OUT.keys() == {rule.endpoint for rule in app.url_map.iter_rules()}
    assert not described & LEFT_OUT.keys()


def test_the_description_is_valid_and_what_it_refers_to_is_there(document: dict[str, Any]) -> None:
    OPENAPI_31_VALIDATOR.validate(document)
    operations = [one for item in document["paths"].values() for one in item.values()]
    ids = {one["operationId"] for one in operations}
    assert len(ids) == len(operations) == len(OPERATIONS)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found: Any = document
        for part in reference.split("/"):
            found = found[part]
    for link in (link for one in operations for link in one["responses"]["200"].get("links", {}).values()):
        assert link["operationId"] in ids


def test_it_is_served_in_the_callers_language(app: Flask, document: dict[str, Any]) -> None:
    assert Program(app).get("/openapi.json").json == document
    chinese = app.test_client().get("/openapi.json", headers={"Accept-Language": "zh-CN"}).json
    assert chinese
    assert chinese.keys() == document.keys()
    assert document["info"]["title"] not in chinese["info"]["description"]
    for path, item in document["paths"].items():
        for method, told in item.items():
            assert chinese["paths"][path][method]["summary"] != told["summary"]


def test_who_may_open_sales_is_described_as_it_is_set(app_with: Callable[..., Flask]) -> None:
    known: list[dict[str, list[str]]] = [{"token": []}]
    for setting, security in {"merchants": known, "anyone": [*known, {}]}.items():
        paths = description_of(app_with(sales_open_to=setting)).document["paths"]
        assert paths["/createmiaosha"]["post"]["security"] == security
        assert paths["/orders"]["get"]["security"] == known


def test_what_a_text_may_hold_is_described_as_unicode_has_it() -> None:
    wanted = re.compile(rf"[^{text.UNWANTED}]", re.ASCII)
    shown = re.compile(rf"[^{text.UNWANTED}{text.SHOWS_NOTHING}]")
    for char in map(chr, range(0x10000)):
        kind = unicodedata.category(char)
        assert bool(text.flaw(char)) == (not wanted.match(char) or kind == "Cs")
        assert kind not in ("Cc", "Zl", "Zp") or text.flaw(char)
        if not text.flaw(char):
            assert bool(text.name_flaw(char)) == (not shown.match(char))
            assert kind not in ("Cf", "Zs") or text.name_flaw(char)

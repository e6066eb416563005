"""Holds what the shop answers to programs against its own description, ``/openapi.json``."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from storefront.web.openapi.document import described
from storefront.web.openapi.operations import LEFT_OUT, OPERATIONS

_known: dict[bool, "Description"] = {}


class Description:
    """The description in English, and what it says of each call."""

    def __init__(self, app: Flask) -> None:
        with app.test_request_context(headers={"Accept-Language": "en"}):
            self.document = described(app, sales_open_to_anyone=app.extensions["shop"].config.sales_open_to == "anyone")
        self._responses = {
            operation["operationId"]: operation["responses"]
            for item in self.document["paths"].values()
            for operation in item.values()
        }
        self._validator = cache(self._made_validator)

    def response(self, operation: str, status: int) -> dict[str, Any] | None:
        """What is said of this status of an operation."""
        told: dict[str, Any] | None = self._responses[operation].get(str(status))
        if told and "$ref" in told:
            told = self.document["components"]["responses"][told["$ref"].rpartition("/")[2]]
        return told

    def faults(self, operation: str, status: int, body: object) -> list[str]:
        """How a JSON body differs from what is said; of an Error where ``operation`` is empty."""
        return [f"{one.instance_path}: {one.message}" for one in self._validator(operation, status).iter_errors(body)]

    def faults_of_webhook(self, headers: Mapping[str, str], body: dict[str, Any]) -> list[str]:
        """How what a merchant's receiver was sent differs from what is said of it; ``headers`` in small letters."""
        told = self.document["webhooks"][body["type"]]["post"]
        parts: list[tuple[dict[str, Any], object]] = [
            (told["requestBody"]["content"]["application/json"]["schema"], body)
        ]
        parts += [(one["schema"], headers.get(one["name"])) for one in told["parameters"]]
        return [
            f"{one.instance_path}: {one.message}"
            for schema, given in parts
            for one in self._validator_of(schema).iter_errors(given)
        ]

    def _made_validator(self, operation: str, status: int) -> jsonschema_rs.Draft202012Validator:
        schema = {"$ref": "#/components/schemas/Error"}
        if operation:
            schema = (self.response(operation, status) or {})["content"]["application/json"]["schema"]
        return self._validator_of(schema)

    def _validator_of(self, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator({**schema, "components": self.document["components"]})


def description_of(app: Flask) -> Description:
    """The description of a shop like this; there are two, by who may open sales."""
    is_open = app.extensions["shop"].config.sales_open_to == "anyone"
    if is_open not in _known:
        _known[is_open] = Description(app)
    return _known[is_open]


def assert_described(app: Flask, method: str, path: str, response: TestResponse) -> None:
    """A JSON answer is one of those that the description of this call tells of, unless that is left out of it."""
    view, operation = _called(app, method, path)
    if not response.is_json or view in LEFT_OUT:
        return
    description = description_of(app)
    call = f"{method} {path}: {response.status_code}"
    if operation:
        told = description.response(operation, response.status_code)
        assert told, f"{call} is not described: {response.text}"
        for name, header in told.get("headers", {}).items():
            assert name in response.headers or not header.get("required"), f"{call} lacks {name}"
    assert not description.faults(operation, response.status_code, response.json), call


def _called(app: Flask, method: str, path: str) -> tuple[str, str]:
    """The view and the operation that are called; empty where the call leads nowhere."""
    try:
        view, values = app.url_map.bind("localhost").match(urlsplit(path).path, method)
    except HTTPException:
        return "", ""
    return view, next((one.id for one in OPERATIONS if one.view == view and one.at.items() <= values.items()), "")

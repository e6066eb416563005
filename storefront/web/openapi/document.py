"""Puts the description together: the table of operations, the forms, the answers, and Flask's own addresses."""

import re
from collections.abc import Iterable
from typing import Any

from flask import Flask
from flask_babel import gettext

from storefront.domain import errors
from storefront.domain.errors import N_, Refused
from storefront.web.faces import HTTP_FAULTS, STATUS, UNEXPECTED, InvalidForm
from storefront.web.forms import ShopForm
from storefront.web.openapi.answers import ANSWERS, ERROR, ref
from storefront.web.openapi.asked import is_needed, schema_of
from storefront.web.openapi.events import webhooks
from storefront.web.openapi.operations import OPERATIONS, PARAMETERS, PATH_PARAMETERS, TAGS, Operation, Who

VERSION = "1"

ABOUT = N_(
    "A flash sale: a limited number of units, from a set second on. The same addresses answer people in HTML and "
    "programs in JSON: send Accept: application/json, and JSON bodies. Log in for a token, and give it as the field "
    "Authorization: Bearer, or as token in the body. Every refusal has the shape Error: a sentence in the language "
    "that Accept-Language asks for, and a code for programs. Answer 429 and 503 by coming back after Retry-After "
    "seconds."
)

HEADERS: dict[str, dict[str, Any]] = {
    "Retry-After": {
        "description": N_("Seconds after which to come back."),
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit": {
        "description": N_("How much of a limit is left (r), and for how long (t seconds)."),
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": N_("The limits: so many requests (q) in so many seconds (w)."),
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": N_("How to say who is asking."), "schema": {"const": "Bearer"}},
}

Fault = tuple[str, str]
"""A code and its sentence."""


def described(app: Flask, *, sales_open_to_anyone: bool) -> dict[str, Any]:
    """The whole description, in the caller's language."""
    paths: dict[str, dict[str, Any]] = {}
    refusals: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path, method = address_of(app, operation)
        security = _security(operation.who, is_open=sales_open_to_anyone)
        paths.setdefault(path, {})[method] = {
            "security": security,
            **_described(operation, path),
            "responses": _responses(operation, path, method, refusals),
        }
    document = {
        "openapi": "3.1.1",
        "info": {"title": N_("Flash Sale"), "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": dict(sorted(paths.items())),
        "webhooks": webhooks(),
        "components": {
            "schemas": {**ANSWERS, **_forms(), "Error": ERROR},
            "responses": dict(sorted(refusals.items())),
            "headers": HEADERS,
            "parameters": {name: {"name": name, **one} for name, one in PARAMETERS.items()},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": N_("What logging in gave."),
                }
            },
        },
    }
    translated: dict[str, Any] = _translated(document)
    return translated


def address_of(app: Flask, operation: Operation) -> tuple[str, str]:
    """The path of an operation as OpenAPI writes it, and its method in small letters."""
    rule = next(app.url_map.iter_rules(operation.view))
    method = "post" if "POST" in (rule.methods or ()) else "get"
    path = re.sub(
        r"<(?:\w+(?:\(.*\))?:)?(\w+)>", lambda found: operation.at.get(found[1], f"{{{found[1]}}}"), rule.rule
    )
    return path, method


def _described(operation: Operation, path: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    parameters = [{"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]} for name in names]
    parameters += [{"$ref": f"#/components/parameters/{name}"} for name in operation.parameters]
    told: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        **({"parameters": parameters} if parameters else {}),
    }
    if operation.form:
        schema = ref(_name_of(operation.form, operation.who))
        told["requestBody"] = {
            "required": any(map(is_needed, operation.form(formdata=None))),
            "content": {"application/json": {"schema": schema}},
        }
    return told


def _security(who: Who, *, is_open: bool) -> list[dict[str, list[str]]]:
    known: dict[str, list[str]] = {"token": []}
    if who == Who.ANYONE:
        return []
    if who == Who.ANYONE_KNOWN_OR_NOT or (who == Who.MERCHANT and is_open):
        return [known, {}]
    return [known]


# What it takes


def _name_of(form: type[ShopForm], who: Who) -> str:
    return form.__name__ if who == Who.ANYONE else f"{form.__name__}WithToken"


def _forms() -> dict[str, dict[str, Any]]:
    """The form of every operation that has one, by its name in the description."""
    return {
        _name_of(one.form, one.who): schema_of(one.form, takes_token=one.who != Who.ANYONE)
        for one in OPERATIONS
        if one.form
    }


# What comes of it


def _responses(operation: Operation, path: str, method: str, refusals: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The responses of an operation. Those that refuse are shared by many, and added to ``refusals``."""
    answer = operation.answer
    content = {"application/json": {"schema": ref(answer)}} if answer in ANSWERS else {answer: _text(answer)}
    if operation.has_page:
        content["text/html"] = _text("text/html")
    good: dict[str, Any] = {"description": N_("Done."), "content": content}
    if operation.is_limited:
        good["headers"] = _headers("RateLimit", "RateLimit-Policy")
    if operation.links:
        good["links"] = {
            link.to: {
                "operationId": link.to,
                **({"parameters": {f"path.{name}": value for name, value in link.path.items()}} if link.path else {}),
                **({"requestBody": link.body} if link.body else {}),
            }
            for link in operation.links
        }
    further = {str(status): FURTHER[status] for status in operation.more}
    refused: dict[str, Any] = {}
    for status, faults in sorted(_faults(operation, path, method).items()):
        name = ".".join([str(status), *sorted({code for code, _ in faults})])
        refusals[name] = _refused(status, faults)
        refused[str(status)] = {"$ref": f"#/components/responses/{name}"}
    if operation.answer == "Readiness":
        refused["503"] = good
    return {"200": good, **further, **refused}


FURTHER: dict[int, dict[str, Any]] = {
    202: {
        "description": N_("The sale draws its units by lot, and you have entered. Nothing is bought yet."),
        "content": {"application/json": {"schema": ref("Entry")}},
    },
    302: {"description": N_("People see it on another page.")},
    303: {"description": N_("Whoever is logged in needs no form.")},
    304: {"description": N_("Nothing has changed since.")},
}


def _text(media_type: str) -> dict[str, Any]:
    return {} if media_type.startswith("image/") else {"schema": {"type": "string"}}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refused(status: int, faults: list[Fault]) -> dict[str, Any]:
    codes = sorted({code for code, _ in faults})
    schema = {"allOf": [ref("Error"), {"type": "object", "properties": {"code": {"enum": codes}}}]}
    needed = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(status, [])
    return {
        "description": N_("Refused."),
        "x-codes": [{"code": code, "description": sentence} for code, sentence in dict(faults).items()],
        "content": {"application/json": {"schema": schema}},
        **({"headers": {name: HEADERS[name] | {"required": True} for name in needed}} if needed else {}),
    }


def _faults(operation: Operation, path: str, method: str) -> dict[int, list[Fault]]:
    """Everything that may come instead of the answer, by status."""
    found: dict[int, list[Fault]] = {}

    def add(status: int, code: str, sentence: str) -> None:
        found.setdefault(status, []).append((code, sentence))

    for refusal in _refusals(operation, path, method):
        status = next(status for family, status in STATUS.items() if issubclass(refusal, family))
        add(status, refusal.code, refusal.sentence)
    if method == "post":
        for kind in HTTP_FAULTS:
            if (status := kind.code or 0) != 405:
                add(status, *HTTP_FAULTS[kind])
    if operation.view != "ops.healthz":
        add(503, *UNEXPECTED)
    return found


def _refusals(operation: Operation, path: str, method: str) -> Iterable[type[Refused]]:
    yield errors.Malformed
    yield from operation.refusals
    if operation.who != Who.ANYONE:
        yield errors.InvalidToken
    if operation.who == Who.OPERATOR:
        yield errors.NotAnOperator
    if method == "post":
        yield from (errors.NotJson, errors.NotAnObject, errors.TwoTokens)
    if operation.form or operation.parameters:
        yield InvalidForm
    if "{" in path:
        yield errors.NoSuchPage
    if operation.is_limited:
        yield from (errors.TooFast, errors.Banned)
    if operation.view != "ops.healthz":
        yield errors.Recovering


# In the caller's language


def _translated(part: Any, key: str = "") -> Any:
    match part:
        case dict():
            return {name: _translated(value, name) for name, value in part.items()}
        case list():
            return [_translated(value) for value in part]
        case None | bool() | int() | float():
            return part
        case _ if key in ("summary", "description", "title"):
            return re.sub(r"%\(\w+\)s", "…", str(gettext(str(part)))) if str(part) else ""
        case _:
            return str(part)

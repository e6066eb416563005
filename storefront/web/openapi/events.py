"""What merchants' receivers are sent, as OpenAPI's ``webhooks``. Tests hold every webhook that they get against it."""

from typing import Any

from storefront.domain.errors import N_
from storefront.domain.event import EventType
from storefront.gateways import standard_webhooks
from storefront.web.openapi.answers import ref

SUMMARIES = {
    EventType.PLACED: N_("An order stands, and is to be paid."),
    EventType.PAID: N_("An order's money came in time."),
    EventType.EXPIRED: N_("An order wasn't paid in time, and its unit is free."),
    EventType.CANCELLED: N_("An order was cancelled by its shopper, or with its sale."),
    EventType.REFUNDED: N_("Money of an order was given back, once for each charge."),
    EventType.TEST: N_("Nothing happened: somebody wants to see whether webhooks come through."),
}

HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    standard_webhooks.ID: (
        N_("Number of the event, the same at each attempt. Go by it to pass over what you had before."),
        {"type": "string", "pattern": "^[0-9a-z_]+$"},
    ),
    standard_webhooks.TIMESTAMP: (
        N_("When this attempt was signed, in Unix seconds. Refuse what is more than five minutes off."),
        {"type": "string", "pattern": "^[0-9]+$"},
    ),
    standard_webhooks.SIGNATURE: (
        N_("Signatures with spaces between them, of which one must be right: v1, and the HMAC-SHA-256 in base64."),
        {"type": "string", "pattern": "^v1,[0-9A-Za-z+/]{43}=(?: v1,[0-9A-Za-z+/]{43}=)*$"},
    ),
}

RESPONSES = {
    "2XX": N_("You took it."),
    "410": N_("You want to be told nothing any more: the address is switched off until it is saved again."),
    "default": N_("You didn't take it, as with no answer in five seconds: it is sent again, but for a test."),
}


def webhooks() -> dict[str, Any]:
    """The section of that name."""
    return {kind.value: {"post": _webhook(kind)} for kind in EventType}


def _webhook(kind: EventType) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "header", "required": True, "description": meaning, "schema": schema}
        for name, (meaning, schema) in HEADERS.items()
    ]
    only = {"type": "object", "properties": {"type": {"const": kind.value}}}
    return {
        "operationId": f"told.{kind.value}",
        "summary": SUMMARIES[kind],
        "tags": ["merchants"],
        "security": [],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"allOf": [ref("Event"), only]}}},
        },
        "responses": {status: {"description": words} for status, words in RESPONSES.items()},
    }

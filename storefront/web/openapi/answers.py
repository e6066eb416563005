"""What comes back, as JSON Schema: exactly the keys that ``show.py`` and the views put together.

Tests hold every answer that they get against these.
"""

from typing import Any

from storefront.domain.errors import N_
from storefront.domain.event import EventType
from storefront.domain.order import OrderState
from storefront.domain.sale import Phase, Proof
from storefront.services.pictures import State
from storefront.web.changing import WORDS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
UNIX: Schema = {"type": "integer", "description": N_("Unix seconds.")}
MOMENT: Schema = {"type": "string", "format": "date-time", "description": N_("A moment as in RFC 3339, in UTC.")}
MINOR: Schema = {"type": "integer", "minimum": 0, "description": N_("Minor units of the currency.")}
LINK: Schema = {"type": "string", "format": "uri"}
PAGE: Schema = {
    "type": ["string", "null"],
    "format": "uri",
    "description": N_("Address of the next page, to be called as it is; null behind the last."),
}
ORDER_ID: Schema = {"type": "string", "pattern": "^[0-9a-z]{20}$", "description": N_("Number of the order.")}


def said(schema: Schema, meaning: str) -> Schema:
    """The schema with words of its own."""
    return {**schema, "description": meaning}


def or_none(schema: Schema) -> Schema:
    """The schema, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def one_of(*words: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(words)}


def many(schema: Schema) -> Schema:
    """A list of them."""
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    """Another of ANSWERS."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(keys: dict[str, Schema], maybe: dict[str, Schema] | None = None) -> Schema:
    """An object with just these keys, ``maybe`` some of them."""
    return {
        "type": "object",
        "properties": {**keys, **(maybe or {})},
        "required": list(keys),
        "additionalProperties": False,
    }


def links(*names: str) -> Schema:
    """Addresses by name."""
    return record(dict.fromkeys(names, LINK))


PRODUCT = said(TEXT, N_("Name of the product, which is also the sale's address."))
SALE_ID = said(TEXT, N_("Number of the sale."))
NAME = said(TEXT, N_("Name of an account."))
UNITS = record(dict.fromkeys(("total", "left", "reserved", "unpaid", "paid", "expired"), COUNT))
COUNTED = record({"orders": COUNT, "amount": MINOR})
PHASE = one_of(*Phase)
IN_DRAW = said(FLAG, N_("Whether you take part in a draw of which the units aren't handed out yet."))
LINKS_OF_SALE = ("self", "status", "reminder", "waitlist", "proof")

SALE: dict[str, Schema] = {
    "name": PRODUCT,
    "num": said(COUNT, N_("How many units there are.")),
    "producter": TEXT,
    "time_begintokill": UNIX,
    "time_endkill": UNIX,
    "price": or_none(MINOR),
    "currency": said(TEXT, N_("A currency by ISO 4217.")),
    "limit": said(COUNT, N_("How many units one shopper may hold.")),
    "proof": one_of(*Proof),
    "min_account_age": said(COUNT, N_("For how many seconds an account must have been registered to buy.")),
    "draw": said(COUNT, N_("For how many seconds from the begin on whoever presses enters a draw; 0 for none.")),
    "seal": said(or_none(TEXT), N_("SHA-256 of the seed of the draw, in hexadecimal.")),
    "seed": said(or_none(TEXT), N_("What decided the draw; null before it is closed.")),
    "description": TEXT,
    "image": said(TEXT, N_("Address of the picture; empty for none.")),
    "merchant": or_none(NAME),
    "sale": SALE_ID,
    "state": PHASE,
    "units": said(UNITS, N_("Where the units are now; expired counts the orders that gave theirs back.")),
    "links": links(*LINKS_OF_SALE),
    "waiting": said(COUNT, N_("How many shoppers are on the waitlist.")),
}
SALE_OF_MERCHANT: dict[str, Schema] = {
    **SALE,
    "adds_up": said(FLAG, N_("Whether every unit is in exactly one place.")),
    "paused": FLAG,
    "revenue": COUNTED,
    "refunds": record({"due": COUNTED, "done": COUNTED}),
    "links": links(*LINKS_OF_SALE, "dashboard", "orders", "csv", "series"),
}
ORDER: dict[str, Schema] = {
    "order": ORDER_ID,
    "product name": PRODUCT,
    "sale": SALE_ID,
    "state": one_of(*OrderState),
    "time": MOMENT,
    "pay_by": MOMENT,
    "amount": MINOR,
    "currency": TEXT,
    "paid_at": or_none(MOMENT),
    "refund": {"type": ["string", "null"], "enum": ["due", "done", None]},
}
WHOLE_ORDER: dict[str, Schema] = {
    **ORDER,
    "charge": said(or_none(TEXT), N_("Number of the payment at its provider.")),
    "links": links("self", "pay", "cancel"),
}
HISTORY = record(
    {"what": one_of(*WORDS.values()), "time": MOMENT, "who": or_none(NAME), "why": or_none(TEXT)},
    {"units": COUNT, "ends": UNIX},
)
CHECK = record({"ok": FLAG}, {"why": TEXT, **dict.fromkeys(("workers", "lag", "replicas"), COUNT)})
ATTEMPT = record(
    {
        "event": said(TEXT, N_("Number of the event: the webhook-id that the receiver reads.")),
        "type": one_of(*EventType),
        "order": ORDER_ID,
        "time": MOMENT,
        "attempt": COUNT,
        "status": said(or_none(COUNT), N_("Status of the receiver's answer; null if there was none.")),
        "error": said(or_none(TEXT), N_("Why there was none: a word for programs.")),
        "taken": said(FLAG, N_("Whether the receiver took it, with a status from 200 to 299.")),
        "next_attempt": said(or_none(MOMENT), N_("Null if there is none.")),
    }
)
BAN_AT_SALE = record({"name": NAME, "since": MOMENT, "until": MOMENT, "refused": COUNT})

ANSWERS: dict[str, Schema] = {
    "Done": record({"message": TEXT}),
    "Registered": record(
        {"message": TEXT}, {"warning": said(TEXT, N_("Says that the account is put back for some time, and why."))}
    ),
    "Token": record({"token": said(TEXT, N_("A JWT, good for a day unless the shop says otherwise."))}),
    "Account": record({"name": NAME, "age": COUNT, "address": TEXT, "avatar": TEXT, "merchant": FLAG}),
    "OpenedSale": record(
        {"message": TEXT, "product name": PRODUCT, "sale": SALE_ID, "links": links("sale")},
        {"warning": said(TEXT, N_("Says that the window, or the time to enter the draw, is already over."))},
    ),
    "Sale": record(SALE),
    "LookedAtSale": record(
        {
            **SALE,
            "your_orders": said(many(ORDER_ID), N_("Orders of yours that hold a unit of this sale.")),
            "your_place": said(or_none(COUNT), N_("Your place on the waitlist, if you wait.")),
            "in_draw": IN_DRAW,
        }
    ),
    "Sales": record(
        {"sales": many(ref("Sale")), "next": PAGE}, {"found": said(COUNT, N_("How many sales were found."))}
    ),
    "Status": record(
        {
            "sale": SALE_ID,
            "state": PHASE,
            "time_begintokill": UNIX,
            "time_endkill": UNIX,
            "units": UNITS,
            "waiting": COUNT,
        }
    ),
    "Purchase": record(
        {
            "success": {"const": "订单创建成功"},
            "time": MOMENT,
            "username": NAME,
            "product name": PRODUCT,
            "注意": said(TEXT, N_("How long there is to pay.")),
            "order": ORDER_ID,
            "pay_by": MOMENT,
            "links": links("order", "pay", "cancel"),
        }
    ),
    "Entry": record(
        {
            "message": TEXT,
            "username": NAME,
            "product name": PRODUCT,
            "sale": SALE_ID,
            "draw_closes": said(MOMENT, N_("When nobody can enter any more.")),
            "links": links("waitlist", "sale"),
        }
    ),
    "Order": record(WHOLE_ORDER),
    "Payment": record(
        WHOLE_ORDER, {"payment": said(LINK, N_("Page of the payment provider, where the order is to be paid."))}
    ),
    "Orders": record({"orders": many(ref("Order")), "next": PAGE}),
    "Place": record(
        {
            "sale": SALE_ID,
            "product name": PRODUCT,
            "place": said(or_none(COUNT), N_("Your place on the waitlist, if you wait.")),
            "in_draw": IN_DRAW,
            "waiting": COUNT,
            "orders": said(many(ORDER_ID), N_("Orders of yours that hold a unit of this sale.")),
            "offer_seconds": said(COUNT, N_("Seconds to pay for a unit that is offered.")),
            "links": links("self", "leave", "sale"),
        }
    ),
    "Challenge": {
        "type": "object",
        "description": N_("Work for one of ALTCHA's libraries."),
        "properties": {"parameters": {"type": "object"}, "signature": TEXT},
        "required": ["parameters", "signature"],
    },
    "Ticket": record({"proof": TEXT, "good_from": MOMENT, "good_until": MOMENT}),
    "SaleOfMerchant": record(SALE_OF_MERCHANT),
    "SalesOfMerchant": record({"sales": many(ref("SaleOfMerchant")), "next": PAGE}),
    "SaleOnDashboard": record(
        {
            **SALE_OF_MERCHANT,
            "refused": {
                "type": "object",
                "additionalProperties": COUNT,
                "description": N_("How many requests were refused, by code."),
            },
            "bans": record({"accounts": many(BAN_AT_SALE), "addresses": COUNT}),
            "picture": record({"state": one_of(*State)}, {"code": TEXT, "error": TEXT}),
            "history": many(HISTORY),
        }
    ),
    "Series": record(
        {
            "sale": SALE_ID,
            "currency": TEXT,
            "width": said(COUNT, N_("Seconds of a bucket.")),
            **dict.fromkeys(("start", "end"), many({**UNIX, "type": "number"})),
            **dict.fromkeys(("orders", "paid", "revenue"), many(COUNT)),
        }
    ),
    "OrderOfSale": record({**ORDER, "username": NAME}),
    "OrdersOfSale": record({"orders": many(ref("OrderOfSale")), "next": PAGE}),
    "Webhooks": record(
        {
            "address": said(or_none(TEXT), N_("Where you are told of your orders; null for nowhere.")),
            "secret": said(or_none(TEXT), N_("With what webhooks are signed, as standardwebhooks.com has it.")),
            "switched_off": said(FLAG, N_("Whether the receiver asked for no more, by 410.")),
            "waiting": said(COUNT, N_("How many events wait to be sent.")),
            "attempts": said(many(ATTEMPT), N_("The last 200 of seven days, the newest in front.")),
        }
    ),
    "Event": record(
        {
            "type": one_of(*EventType),
            "timestamp": said(MOMENT, N_("When it happened.")),
            "data": record(
                {
                    "order": ORDER_ID,
                    "sale": SALE_ID,
                    "product name": PRODUCT,
                    "username": NAME,
                    "amount": MINOR,
                    "currency": TEXT,
                    "time": said(MOMENT, N_("When it was ordered.")),
                }
            ),
        }
    ),
    "Ban": record(
        {
            "whom": TEXT,
            "id": TEXT,
            "kind": one_of("account", "address"),
            "since": MOMENT,
            "until": said(or_none(MOMENT), N_("Null for a ban that was just lifted.")),
            "reason": TEXT,
            "limit": or_none(TEXT),
            "refused": COUNT,
            "by": or_none(NAME),
            "sale": or_none(SALE_ID),
        }
    ),
    "Bans": record({"bans": many(ref("Ban"))}),
    "Clock": record({"now": said(COUNT, N_("Unix milliseconds."))}),
    "Health": record({"status": one_of("ok")}),
    "Readiness": record(
        {
            "status": one_of("ready", "degraded", "recovering"),
            "checks": {"type": "object", "additionalProperties": CHECK},
        }
    ),
    "Description": {"type": "object"},
}

ERROR = record(
    {
        "error": said(TEXT, N_("A sentence, in the language that Accept-Language asks for.")),
        "code": said(TEXT, N_("A word for programs, never translated.")),
    },
    {
        "fields": {
            "type": "object",
            "additionalProperties": many(TEXT),
            "description": N_("Sentences for each field that is wrong."),
        },
        "order": ORDER_ID,
        "orders": many(ORDER_ID),
        "challenge": said(LINK, N_("Where the work is to be had for which a proof is asked.")),
        "allowed_from": MOMENT,
        "wait": said(COUNT, N_("Seconds until then.")),
        "free": COUNT,
        "whom": TEXT,
        "name": TEXT,
        **dict.fromkeys(("since", "until"), MOMENT),
        "reason": TEXT,
        "limit": TEXT,
        "refused": COUNT,
        "contact": TEXT,
        "most": COUNT,
    },
)
"""Every refusal. Which of the further keys there are depends on the code."""

"""What a call takes, as JSON Schema, made from the WTForms class that judges it."""

from collections.abc import Iterable
from typing import Any

from wtforms import BooleanField, FileField, IntegerField, SelectField
from wtforms.fields import Field
from wtforms.validators import Length, NumberRange

from storefront.domain.errors import N_
from storefront.web.forms import ShopForm
from storefront.web.validators import Clean, NotZero, WebAddress

Schema = dict[str, Any]

TOKEN: Schema = {
    "type": ["string", "null"],
    "description": N_("What logging in gave; instead of the field Authorization."),
}


def schema_of(form: type[ShopForm], *, takes_token: bool) -> Schema:
    """The JSON object that a form takes from programs, as ``faces.submitted`` reads it.

    Rules about several fields at once stand in no schema; the form's refusal says them.
    """
    fields = [
        field for field in form(formdata=None) if field.name not in form.of_people and not isinstance(field, FileField)
    ]
    needed = [field.name for field in fields if is_needed(field)]
    return {
        "type": "object",
        "properties": {field.name: _described(field) for field in fields} | ({"token": TOKEN} if takes_token else {}),
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def is_needed(field: Field) -> bool:
    """Whether a program must name the field, if only to say that it is null."""
    return bool(field.flags.required or field.flags.named)


def _described(field: Field) -> Schema:
    described = _ruled(field)
    if field.flags.optional:
        described["type"] = [described["type"], "null"]
        if "enum" in described:
            described["enum"] += ["", None]
        if field.default is not None:
            described["default"] = field.default
    meaning = None if isinstance(field, SelectField) else MEANINGS.get(field.name)
    words = meaning or field.description or (field.label.text if field.label else "")
    return {**described, **({"description": words} if words else {})}


def _ruled(field: Field) -> Schema:
    """The type, and every rule that JSON Schema can say."""
    if isinstance(field, BooleanField):
        return {"type": "boolean"}
    rules: Schema = {"type": "integer" if isinstance(field, IntegerField) else "string"}
    if isinstance(field, SelectField):
        return rules | {"enum": [choice[0] for choice in field.iter_choices()]}
    pattern, is_required = "", bool(field.flags.required)
    validators: Iterable[Any] = field.validators
    for rule in validators:
        match rule:
            case NumberRange():
                rules |= {"minimum": rule.min, "maximum": rule.max}
            case Length():
                rules |= {name: most for name, most in (("minLength", rule.min), ("maxLength", rule.max)) if most > 0}
            case Clean():
                pattern = rule.pattern(is_required=is_required)
            case WebAddress():
                pattern = rule.pattern if is_required else f"(?:{rule.pattern})?"
            case NotZero():
                rules["not"] = {"const": 0}
    if pattern:
        rules["pattern"] = rf"^\s*{pattern}\s*$" if field.filters else f"^{pattern}$"
    return rules


MEANINGS = {
    "time_begintokill": N_("When it begins, in Unix seconds."),
    "time_endkill": N_("When it ends, in Unix seconds; later than it begins, or than it ended before."),
    "price": N_("Price of a unit in minor units of the currency (5999 is 59.99 yuan); left out for nothing to pay."),
    "limit": N_("How many units one shopper may hold, at most as many as there are; 1 if left out."),
    "proof": N_("A proof of work where one is asked for, or a ticket."),
    "min_account_age": N_("For how many seconds an account must have been registered to buy."),
    "draw": N_("For how many seconds from the begin on whoever presses enters a draw; 0 for none."),
    "image": N_("Address of a picture, which the shop fetches once and then serves itself."),
    "everywhere": N_("Whether everything ends that the account has, not this token alone."),
    "units": N_("How many units more, or fewer where it is negative."),
}
"""Where programs need to know more than the form's own words."""

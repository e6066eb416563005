"""The shop's forms: what is asked, and which answers are understood. They judge both faces.

Field names are those of the interface document. CSRF is checked before any form is looked at (``faces.py``).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import get_timezone_location
from flask_babel import get_locale, gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import Form, IntegerField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields import Field
from wtforms.form import BaseForm
from wtforms.validators import InputRequired, Length, NumberRange, Optional, StopValidation, ValidationError

from storefront.domain import text
from storefront.domain.account import Profile
from storefront.domain.sale import Terms

LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
MOST_UNITS = 10_000_000
MOST_MONEY = 10**12
CURRENCIES = ["CNY", "USD", "EUR", "GBP", "HKD", "JPY", "SGD"]
ZONES = [
    "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata", "Europe/Berlin",
    "Europe/London", "America/New_York", "America/Los_Angeles", "Australia/Sydney", "UTC",
]  # fmt: skip


def zones() -> list[tuple[str, str]]:
    """The time zones there are to choose from, each with the reader's word for its place."""
    return [(zone, zone if zone == "UTC" else get_timezone_location(zone, locale=get_locale())) for zone in ZONES]


def _normal(value: str | None) -> str | None:
    return text.normal(value) if isinstance(value, str) else value


def clean(judge: Callable[..., str | None] = text.flaw, **how: bool) -> Callable[[Form, Field], None]:
    """A validator: no characters that deceive or break."""

    def check(_form: Form, field: Field) -> None:
        if flaw := judge(field.data or "", **how):
            raise ValidationError(gettext(flaw))

    return check


def web_address(_form: Form, field: Field) -> None:
    """A validator: an http or https URL."""
    try:
        parts = urlsplit(field.data)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", field.data)
    except ValueError:
        good = False
    if not good:
        raise ValidationError(gettext("This must be a web address that begins with http:// or https://."))


class WholeNumberField(IntegerField):
    """An integer in plain digits."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take what was typed."""
        if not "".join(valuelist).strip():
            return  # nothing was typed; whether that will do is for the validators
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", valuelist[0]):
            self.data = None
            raise ValueError(gettext("This must be a whole number."))
        super().process_formdata(valuelist)

    def pre_validate(self, _form: BaseForm) -> None:
        """What isn't a number needn't be told that it is out of range."""
        if self.process_errors:
            raise StopValidation


class MomentField(WholeNumberField):
    """A moment in Unix seconds, or as a browser's ``datetime-local`` in the zone that the form's ``zone`` names."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take what was typed; a local moment waits for ``settle``."""
        self.typed = valuelist[0].strip() if valuelist else ""
        if not self.typed or re.fullmatch(r"[+-]?[0-9]+", self.typed):
            super().process_formdata(valuelist)
            return
        try:
            self.local = datetime.fromisoformat(self.typed)
        except ValueError as fault:
            raise ValueError(gettext("This must be a date and a time.")) from fault
        self.data = int(self.local.replace(tzinfo=self.local.tzinfo or UTC).timestamp())

    local: datetime | None = None
    typed: str = ""

    def settle(self, zone: str) -> None:
        """Read a ``datetime-local`` in ``zone``."""
        if self.local is not None and not self.process_errors:
            self.data = int(self.local.replace(tzinfo=self.local.tzinfo or ZoneInfo(zone)).timestamp())

    def _value(self) -> str:
        return self.typed


def no_credentials(_form: Form, field: Field) -> None:
    """A validator: an address that tells nobody a password, for everyone may read it."""
    if "@" in urlsplit(field.data).netloc:
        raise ValidationError(gettext("This address must not contain a user name or a password."))


def required(*more: Any) -> list[Any]:
    """Validators of a field that must be given."""
    return [InputRequired(_("This field is required.")), _not_blank, *more]


def _not_blank(_form: Form, field: Field) -> None:
    if isinstance(field.data, str) and not field.data.strip():
        raise StopValidation(gettext("This field is required."))


def optional(*more: Any) -> list[Any]:
    """Validators of a field that may be left out."""
    return [Optional(), *more]


def at_most(most: int) -> Length:
    """A validator: not longer than ``most`` characters."""
    return Length(max=most, message=_("This is too long: %(max)d characters at most."))


class ShopForm(FlaskForm):  # type: ignore[misc]
    """A form whose CSRF token was checked before."""

    class Meta:
        """WTForms settings."""

        csrf = False


class RegisterForm(ShopForm):
    """A new account."""

    name = StringField(_("Name"), required(at_most(64), clean(text.name_flaw)), filters=[_normal])
    age = WholeNumberField(_("Age"), required(NumberRange(0, 150, _("The age must be between %(min)s and %(max)s."))))
    address = StringField(_("Address"), required(at_most(300), clean(lines=True)), filters=[_normal])
    avatar = StringField(_("Picture (web address)"), required(at_most(2000), clean(), web_address), filters=[_normal])
    password = PasswordField(
        _("Password"),
        required(Length(6, 128, _("The password must have %(min)d to %(max)d characters.")), clean()),
    )

    def profile(self) -> Profile:
        """What was told, once valid."""
        given: dict[str, Any] = self.data
        return Profile(given["name"], given["age"], given["address"], given["avatar"])


class LoginForm(ShopForm):
    """Name and password. The password's field is called ``pass``, as the document has it."""

    name = StringField(_("Name"), required(at_most(64), clean()), filters=[_normal])


# "pass" is a keyword of Python, so the field can't be written in the class.
setattr(LoginForm, "pass", PasswordField(_("Password"), required(at_most(128), clean())))


class SaleForm(ShopForm):
    """A new sale."""

    name = StringField(_("Product"), required(at_most(120), clean(text.product_flaw)), filters=[_normal])
    num = WholeNumberField(
        _("Units"),
        required(NumberRange(1, MOST_UNITS, _("The number of units must be between %(min)s and %(max)s."))),
    )
    producter = StringField(_("Producer"), required(at_most(120), clean()), filters=[_normal])
    time_begintokill = MomentField(
        _("Begins"), required(NumberRange(0, LAST_SECOND, _("This moment is out of range: years 1970 to 9999.")))
    )
    time_endkill = MomentField(
        _("Ends"), required(NumberRange(0, LAST_SECOND, _("This moment is out of range: years 1970 to 9999.")))
    )
    zone = SelectField(_("Time zone"), choices=zones, default=ZONES[0], validators=[Optional()])
    price = WholeNumberField(
        _("Price"), optional(NumberRange(1, MOST_MONEY, _("The price must be between %(min)s and %(max)s.")))
    )
    currency = SelectField(
        _("Currency"), choices=[(code, code) for code in CURRENCIES], default="CNY", validators=[Optional()]
    )
    limit = WholeNumberField(
        _("Limit per shopper"), optional(NumberRange(1, MOST_UNITS, _("The limit must be at least %(min)s.")))
    )
    description = TextAreaField(_("Description"), optional(at_most(4000), clean(lines=True)), filters=[_normal])
    picture = FileField(_("Picture (file)"), validators=[Optional()])
    image = StringField(
        _("Picture (web address)"), optional(at_most(2000), clean(), web_address, no_credentials), filters=[_normal]
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """Judge each field, then what they say together."""
        if self.zone.data in ZONES:
            self.time_begintokill.settle(self.zone.data)
            self.time_endkill.settle(self.zone.data)
        if not super().validate(extra_validators):
            if self.picture.data:  # a browser doesn't send it again by itself
                self.picture.errors = [gettext("Please choose the file again.")]
            return False
        terms = self.terms()
        if terms.ends <= terms.begins:
            self.time_endkill.errors = [gettext("The sale must end after it begins.")]
        if terms.limit > terms.num:
            self.limit.errors = [gettext("The limit per shopper cannot exceed the number of units.")]
        if self.picture.data and self.image.data:
            self.image.errors = [gettext("Give a file or a web address, not both.")]
        if self.errors and self.picture.data:
            self.picture.errors = [gettext("Please choose the file again.")]
        return not self.errors

    def upload(self) -> bytes | None:
        """The uploaded picture, or None where there is none."""
        data: bytes | None = self.picture.data.read() if self.picture.data else None
        return data

    def terms(self) -> Terms:
        """What was fixed, once each field is valid."""
        given: dict[str, Any] = self.data
        return Terms(
            product=given["name"],
            num=given["num"],
            producter=given["producter"],
            begins=given["time_begintokill"],
            ends=given["time_endkill"],
            price=given["price"],
            currency=given["currency"] or "CNY",
            limit=given["limit"] or 1,
            description=given["description"] or "",
            image=given["image"] or "",
        )


class EmptyForm(ShopForm):
    """A button: nothing is asked."""

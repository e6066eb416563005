"""The shop's forms: what is asked, and which answers are understood. They judge both faces.

Field names are those of the interface document. CSRF is checked before any form is looked at (``faces.py``).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from babel.numbers import NumberFormatError, get_currency_precision, parse_decimal
from flask_babel import format_currency, format_datetime, format_time, format_timedelta, get_locale, gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import (
    BooleanField,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import Field
from wtforms.fields.choices import Choice, SelectFieldBase  # type: ignore[attr-defined]  # the stubs lack Choice
from wtforms.form import BaseForm
from wtforms.validators import AnyOf, Length, NumberRange, Optional, StopValidation, ValidationError
from wtforms.widgets import Select

from storefront.domain import text
from storefront.domain.account import Profile
from storefront.domain.picture import Picture
from storefront.domain.sale import BEHIND_A_DRAW, LONGEST_DRAW, MOST_UNITS, Proof, Terms
from storefront.domain.zoned import Gap, gap_around, offsets_of_both
from storefront.services.imaging import MOST_BYTES
from storefront.web import zones
from storefront.web.validators import (
    Clean,
    LeftOut,
    Named,
    NoAddress,
    NotZero,
    ReceiverAddress,
    WebAddress,
    at_most,
    no_credentials,
    optional,
    required,
)

LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
LONGEST_BAN = 31 * 24 * 60  # minutes
MOST_MONEY = 10**12
OLDEST = 10 * 366 * 86400
AGES = [0, 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400]
"""How long an account must have been registered, in seconds: what people can choose."""
DRAWS = [0, 10, 30, 60, 300, 600, LONGEST_DRAW]
"""For how many seconds a draw may be entered: what people can choose."""
CURRENCIES = ["CNY", "USD", "EUR", "GBP", "HKD", "JPY", "SGD"]


def _normal(value: str | None) -> str | None:
    return text.normal(value) if isinstance(value, str) else value


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
    gap: Gap | None = None
    twice: tuple[timedelta, timedelta] | None = None
    """How far the zone's clocks are ahead of UTC, where they show what was typed twice; the first is meant."""

    def settle(self, zone: str) -> None:
        """Read a ``datetime-local`` in ``zone``."""
        if self.local is None or self.process_errors or self.local.tzinfo:
            return
        clocks = ZoneInfo(zone)
        self.place = zones.place_of(zone)
        self.gap = gap_around(self.local, clocks)
        self.twice = offsets_of_both(self.local, clocks)
        self.data = int(self.local.replace(tzinfo=clocks).timestamp())

    def pre_validate(self, form: BaseForm) -> None:
        """A time that is on no clock is told so, with the nearest that are."""
        super().pre_validate(form)
        if self.gap:
            moments = (self.gap.before, self.gap.after, self.gap.last)
            one_day = len({moment.date() for moment in moments}) == 1
            in_words = partial(format_time, format="short") if one_day else partial(format_datetime, format="medium")
            before, after, last = (in_words(moment, rebase=False) for moment in moments)
            sentence = _(
                "This time does not exist in %(place)s: the clocks go forward that day from %(before)s to %(after)s. "
                "The nearest times are %(last)s and %(after)s."
            )
            raise StopValidation(sentence % {"place": self.place, "before": before, "after": after, "last": last})

    def _value(self) -> str:
        return self.typed


class ChoiceSelectField(SelectField):
    """One of a few values. Whoever gives another is told which there are."""

    def pre_validate(self, form: BaseForm) -> None:
        """See WTForms."""
        try:
            super().pre_validate(form)
        except ValueError:
            raise ValidationError(self.told()) from None

    def told(self) -> str:
        """The sentence for who gave another."""
        choices = ", ".join(str(choice.value) for choice in self.iter_choices())  # type: ignore[attr-defined]  # the stubs lack Choice
        return str(gettext("Choose one of these: %(choices)s.", choices=choices))


class ZoneSelectField(ChoiceSelectField):
    """A time zone, by any of its names. The first of those offered where none is given."""

    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(
            label,
            choices=zones.choices,
            default=zones.COMMON[0],
            filters=[_known_zone],
            validators=[LeftOut()],
            **more,
        )

    def told(self) -> str:
        """See ``ChoiceSelectField``; there are hundreds."""
        return str(gettext("Give a time zone by its name in the IANA database, such as Asia/Shanghai."))

    def settle(self, *moments: MomentField) -> None:
        """Have each ``datetime-local`` read in this zone."""
        if self.data in zones.known():
            for moment in moments:
                moment.settle(self.data)


def _known_zone(name: str | None) -> str:
    return zones.known().get(name, name) if name else zones.COMMON[0]


class SpanSelectField(WholeNumberField, SelectFieldBase):
    """A length of time in whole seconds; people choose from ``spans``. ``none`` says in words what 0 means."""

    widget = Select()

    def __init__(
        self, label: str, validators: list[Any], spans: list[int], longest: int, none: str, **more: Any
    ) -> None:
        super().__init__(label, validators, **more)
        self.spans, self.longest, self.none = spans, longest, none

    def iter_choices(self) -> Iterator[Any]:
        """See ``SelectFieldBase``."""
        given = self.data or 0  # a program may have fixed any
        for seconds in sorted({*self.spans, given} if 0 <= given <= self.longest else self.spans):
            words = format_timedelta(timedelta(seconds=seconds), threshold=2) if seconds else str(self.none)
            yield Choice(str(seconds), words, seconds == (self.data or 0), {})


class ShopForm(FlaskForm):  # type: ignore[misc]
    """A form whose CSRF token was checked before."""

    class Meta:
        """WTForms settings."""

        csrf = False

    of_people: ClassVar[frozenset[str]] = frozenset()
    """Fields that programs don't have."""


class RegisterForm(ShopForm):
    """A new account."""

    name = StringField(_("Name"), required(at_most(64), Clean(text.name_flaw), NoAddress()), filters=[_normal])
    age = WholeNumberField(_("Age"), required(NumberRange(0, 150, _("The age must be between %(min)s and %(max)s."))))
    address = StringField(_("Address"), required(at_most(300), Clean(lines=True)), filters=[_normal])
    avatar = StringField(_("Picture (web address)"), required(at_most(2000), Clean(), WebAddress()), filters=[_normal])
    password = PasswordField(
        _("Password"),
        required(Length(6, 128, _("The password must have %(min)d to %(max)d characters.")), Clean()),
    )
    proof = HiddenField(validators=[Optional()])

    def profile(self) -> Profile:
        """What was told, once valid."""
        given: dict[str, Any] = self.data
        return Profile(given["name"], given["age"], given["address"], given["avatar"])


class LoginForm(ShopForm):
    """Name and password. The password's field is called ``pass``, as the document has it."""

    name = StringField(_("Name"), required(at_most(64), Clean()), filters=[_normal])


# "pass" is a keyword of Python, so the field can't be written in the class.
setattr(LoginForm, "pass", PasswordField(_("Password"), required(at_most(128), Clean())))


class LogoutForm(ShopForm):
    """Leaving: here, or everywhere."""

    everywhere = BooleanField()


class BanForm(ShopForm):
    """Whom to ban, for how long, and why."""

    whom = StringField(
        _("Account, address or network"), required(at_most(64), Clean()), filters=[_normal],
        description=_("A name, or an address such as 192.0.2.1, 2001:db8::1 or 192.0.2.0/24."),
    )  # fmt: skip
    minutes = WholeNumberField(
        _("Minutes"), required(NumberRange(1, LONGEST_BAN, _("This must be between %(min)s and %(max)s."))),
        default=60, description=_("60 is an hour, 1440 is a day."),
    )  # fmt: skip
    why = StringField(
        _("Why"), required(at_most(200), Clean()), filters=[_normal],
        description=_("Whoever is banned reads this."),
    )  # fmt: skip


class LiftForm(ShopForm):
    """Whose ban to lift."""

    whom = StringField(_("Account, address or network"), required(at_most(64), Clean()), filters=[_normal])


class WebhookForm(ShopForm):
    """Where a merchant is told of their orders; empty for nowhere."""

    address = StringField(
        _("Address of your receiver"), [Named(), *optional(at_most(2000), Clean(), ReceiverAddress(), no_credentials)],
        filters=[_normal],
        description=_("A public address that begins with https://; leave it empty to be told of nothing."),
    )  # fmt: skip


class RedeliverForm(ShopForm):
    """An event that is to be told once more."""

    event = StringField(_("Event"), required(at_most(64), Clean()))


class SaleForm(ShopForm):
    """A new sale. Programs give the ``price`` in minor units; people type an ``amount`` as they write money.

    ``step`` is what a person's button asks for: to "check" what was typed, to "change" it, or to "open" the sale, as is
    done without one. ``draft`` is the name of a picture that was uploaded before.
    """

    of_people = frozenset({"amount", "draft", "no_picture", "step", "zone"})

    name = StringField(_("Product"), required(at_most(120), Clean(text.product_flaw)), filters=[_normal])
    num = WholeNumberField(
        _("Units"),
        required(NumberRange(1, MOST_UNITS, _("The number of units must be between %(min)s and %(max)s."))),
    )
    producter = StringField(_("Producer"), required(at_most(120), Clean()), filters=[_normal])
    time_begintokill = MomentField(
        _("Begins"), required(NumberRange(0, LAST_SECOND, _("This moment is out of range: years 1970 to 9999.")))
    )
    time_endkill = MomentField(
        _("Ends"), required(NumberRange(0, LAST_SECOND, _("This moment is out of range: years 1970 to 9999.")))
    )
    zone = ZoneSelectField(_("Time zone"))
    price = WholeNumberField(
        _("Price"), optional(NumberRange(1, MOST_MONEY, _("The price must be between %(min)s and %(max)s.")))
    )
    amount = StringField(_("Price"), optional(at_most(40)))
    currency = ChoiceSelectField(
        _("Currency"), choices=[(code, code) for code in CURRENCIES], default="CNY", validators=[LeftOut()]
    )
    limit = WholeNumberField(
        _("Limit per shopper"), optional(NumberRange(1, MOST_UNITS, _("The limit must be at least %(min)s.")))
    )
    proof = ChoiceSelectField(
        _("Proof of work"),
        choices=[
            (Proof.OFF.value, _("From nobody")),
            (Proof.SUSPICION.value, _("From those who ask unusually often")),
            (Proof.ON.value, _("From everybody")),
        ],
        default=Proof.OFF.value,
        validators=[LeftOut()],
    )
    min_account_age = SpanSelectField(
        _("Registered for at least"),
        optional(NumberRange(0, OLDEST, _("This must be between %(min)s and %(max)s seconds."))),
        AGES, OLDEST, _("Any account"), default=0,
    )  # fmt: skip
    draw = SpanSelectField(
        _("By lot"),
        optional(NumberRange(0, LONGEST_DRAW, _("This must be between %(min)s and %(max)s seconds."))),
        DRAWS, LONGEST_DRAW, _("No: who presses first, buys first"), default=0,
    )  # fmt: skip
    description = TextAreaField(_("Description"), optional(at_most(4000), Clean(lines=True)), filters=[_normal])
    picture = FileField(_("Picture (file)"), validators=[Optional()], render_kw={"data-most": MOST_BYTES})
    image = StringField(
        _("Picture (web address)"), optional(at_most(2000), Clean(), WebAddress(), no_credentials), filters=[_normal]
    )

    draft = HiddenField(validators=[Optional()])
    no_picture = BooleanField(_("Go without this picture"))
    step = HiddenField(validators=[Optional(), AnyOf(["check", "change", "open"])])

    kept: Picture | None = None
    """The picture that was uploaded, now or before."""
    flaw: str = ""
    """Why what was uploaded can't be the picture."""

    def validate_amount(self, field: Field) -> None:
        """Read money as people write it into ``price``."""
        if self.price.data is not None:
            raise ValidationError(gettext("Give the price once."))
        try:
            typed = text.folded(field.data)  # an input method may give digits of full width
            amount = parse_decimal(typed, locale=get_locale() or "en", strict=True)
        except NumberFormatError:
            amount = Decimal("NaN")
        if not amount.is_finite() or not typed.isascii() or re.search("[a-z_]", typed):
            raise ValidationError(gettext("Write the price as a number, for example 59.99."))
        currency = self.currency.data if self.currency.data in CURRENCIES else CURRENCIES[0]
        decimals = get_currency_precision(currency)
        minor = amount.scaleb(decimals)
        if minor != minor.to_integral_value():
            sentence = (
                _("Prices in %(currency)s have at most %(count)s digits behind the point.")
                if decimals
                else _("Prices in %(currency)s are whole numbers.")
            )
            raise ValidationError(sentence % {"currency": currency, "count": decimals})
        if not 1 <= minor <= MOST_MONEY:
            least, most = (format_currency(Decimal(bound).scaleb(-decimals), currency) for bound in (1, MOST_MONEY))
            raise ValidationError(gettext("The price must be between %(min)s and %(max)s.", min=least, max=most))
        self.price.data = int(minor)

    def validate(self, extra_validators: Any = None) -> bool:
        """Judge each field, then what they say together."""
        self.zone.settle(self.time_begintokill, self.time_endkill)
        if not super().validate(extra_validators):
            self._judge_picture()
            return False
        terms = self.terms()
        if terms.ends <= terms.begins:
            self.time_endkill.errors = [gettext("The sale must end after it begins.")]
        if terms.limit > terms.num:
            self.limit.errors = [gettext("The limit per shopper cannot exceed the number of units.")]
        if terms.draw and terms.ends < terms.draw_closes + BEHIND_A_DRAW:
            self.draw.errors = [
                gettext("The sale must end at least %(count)s seconds after its draw closes.", count=BEHIND_A_DRAW)
            ]
        self._judge_picture()
        return not self.errors

    def _judge_picture(self) -> None:
        if self.flaw:
            self.picture.errors = [self.flaw]
        elif self.kept and self.image.data and not self.image.errors:
            self.image.errors = [gettext("Give a file or a web address, not both.")]

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
            proof=given["proof"] or Proof.OFF,
            min_account_age=given["min_account_age"] or 0,
            draw=given["draw"] or 0,
        )


class PauseForm(ShopForm):
    """To pause a sale, or to resume it."""

    why = StringField(_("Reason"), optional(at_most(200), Clean()), filters=[_normal])


class CancelForm(ShopForm):
    """To cancel a sale."""

    why = StringField(_("Reason"), required(at_most(200), Clean()), filters=[_normal])


class RestockForm(ShopForm):
    """To have a sale have more units, or fewer."""

    units = WholeNumberField(
        _("Units more or less"),
        required(NumberRange(-MOST_UNITS, MOST_UNITS, _("This must be between %(min)s and %(max)s.")), NotZero()),
    )
    why = StringField(_("Reason"), required(at_most(200), Clean()), filters=[_normal])


class ExtendForm(ShopForm):
    """To have a sale end later."""

    of_people = frozenset({"zone"})

    time_endkill = MomentField(
        _("New end"), required(NumberRange(0, LAST_SECOND, _("This moment is out of range: years 1970 to 9999.")))
    )
    zone = ZoneSelectField(_("Time zone"))
    why = StringField(_("Reason"), optional(at_most(200), Clean()), filters=[_normal])

    def validate(self, extra_validators: Any = None) -> bool:
        """See WTForms."""
        self.zone.settle(self.time_endkill)
        return bool(super().validate(extra_validators))


class ProofForm(ShopForm):
    """A button that may need a proof of work."""

    proof = HiddenField(validators=[Optional()])


class EmptyForm(ShopForm):
    """A button: nothing is asked."""

"""What is judged of a field, one rule each; some can tell their rule to whoever describes the field (``openapi/``)."""

import re
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlsplit

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from wtforms import Form
from wtforms.fields import Field
from wtforms.validators import InputRequired, Length, Optional, StopValidation, ValidationError

from storefront.domain import text
from storefront.domain.address import is_network


class NoAddress:
    """A validator: nothing that reads as an address or a network, for which operators would take it."""

    def __call__(self, _form: Form, field: Field) -> None:
        """See WTForms."""
        if is_network(field.data or ""):
            raise ValidationError(gettext("A name can't be the address of a computer."))


class Clean:
    """A validator: no characters that deceive or break."""

    def __init__(self, judge: Callable[..., str | None] = text.flaw, **how: bool) -> None:
        self.judge, self.how = judge, how

    def __call__(self, _form: Form, field: Field) -> None:
        """See WTForms."""
        if flaw := self.judge(field.data or "", **self.how):
            raise ValidationError(gettext(flaw))

    def pattern(self, *, is_required: bool) -> str:
        """The same as a regular expression for whoever describes the field (ECMA 262), but for ``.`` and ``..``."""
        wanted = f"[^{text.UNWANTED_BUT_IN_LINES if self.how.get('lines') else text.UNWANTED}]*"
        if not is_required:
            return wanted
        shown = text.UNWANTED + (text.SHOWS_NOTHING if self.judge in (text.name_flaw, text.product_flaw) else r"\s")
        return f"{wanted}[^{shown}]{wanted}"


class WebAddress:
    """A validator: an http or https URL."""

    pattern = (
        rf"[Hh][Tt][Tt][Pp][Ss]?://[^\s{text.UNWANTED}/?#@:\[\]\\]+(?::[0-9]{{1,5}})?(?:[/?#][^\s{text.UNWANTED}]*)?"
    )

    def __call__(self, _form: Form, field: Field) -> None:
        """See WTForms."""
        try:
            parts = urlsplit(field.data)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", field.data)
        except ValueError:
            good = False
        if not good:
            raise ValidationError(gettext("This must be a web address that begins with http:// or https://."))


class ReceiverAddress(WebAddress):
    """A validator: the same. What is described is less, and surely allowed: https, a host's name, and the usual ports.

    http is for a developer's own machine; addresses without a name are judged by ``gateways/elsewhere.py``.
    """

    pattern = (
        r"[Hh][Tt][Tt][Pp][Ss]://"
        r"(?:[0-9A-Za-z](?:[-0-9A-Za-z]{0,61}[0-9A-Za-z])?\.){1,3}[A-Za-z](?:[-0-9A-Za-z]{0,61}[0-9A-Za-z])?"
        rf"(?::(?:80|443))?(?:[/?#][^\s{text.UNWANTED}]*)?"
    )


class NotZero:
    """A validator: any number but 0."""

    def __call__(self, _form: Form, field: Field) -> None:
        """See WTForms."""
        if field.data == 0:
            raise ValidationError(gettext("Give a number other than 0, such as 50 or -50."))


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


class Named:
    """A validator, in front of ``optional``: null and nothing are values here, so the field itself must be there."""

    field_flags: ClassVar[dict[str, bool]] = {"named": True}

    def __call__(self, _form: Form, field: Field) -> None:
        """See WTForms."""
        if not field.raw_data:
            raise StopValidation(gettext("This field is required."))


class LeftOut(Optional):
    """A validator of a choice that may be left out: white space is no choice, though ``Optional`` takes it for one."""

    def __init__(self) -> None:
        super().__init__(strip_whitespace=False)


def optional(*more: Any) -> list[Any]:
    """Validators of a field that may be left out."""
    return [Optional(), *more]


def at_most(most: int) -> Length:
    """A validator: not longer than ``most`` characters."""
    return Length(max=most, message=_("This is too long: %(max)d characters at most."))

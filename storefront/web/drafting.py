"""A person's form for a new sale, until the sale is open: its picture, its values between the steps, its pattern."""

import secrets
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision
from flask import Blueprint, request, send_file, session
from flask_babel import gettext
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from storefront.domain.errors import NoPicture, NoSuchPage
from storefront.domain.picture import named
from storefront.domain.sale import Sale
from storefront.domain.zoned import on_clocks
from storefront.services import drafting
from storefront.web import zones
from storefront.web.faces import sentence_of, shop
from storefront.web.forms import SaleForm
from storefront.web.who import someone

bp = Blueprint("drafting", __name__)

NOT_TYPED = frozenset({"draft", "no_picture", "step"})


def take_picture(form: SaleForm) -> None:
    """Keep what was uploaded with a form, or else what was before. Raises Overloaded or PictureNotStored."""
    given, name = form.upload(), form.draft.data
    if name and not form.no_picture.data:
        form.kept = drafting.kept(shop(), _owner(), name)
        if form.kept is None and given is None:
            form.flaw = gettext("This picture is kept no longer. Please choose the file again.")
    if given is not None:
        try:
            form.kept = drafting.keep(shop(), _owner(), given)
        except NoPicture as fault:
            form.flaw = sentence_of(fault)


def put_up_picture(form: SaleForm) -> str:
    """What the sale's ``image`` is: its picture is among those of sales then. Raises PictureNotStored."""
    return drafting.put_up(shop(), _owner(), form.kept) if form.kept else form.image.data or ""


def typed(form: SaleForm) -> list[tuple[str, str]]:
    """What was typed, to be sent once more."""
    values = [(name, value) for name, value in request.form.items() if name in form and name not in NOT_TYPED]
    return values + ([("draft", form.kept.name)] if form.kept else [])


def empty() -> SaleForm:
    """The form for a new sale, with the zone that the merchant chose last."""
    return SaleForm(formdata=None, zone=zone())


def like(sale: Sale) -> SaleForm:
    """The form with a sale's terms, but on a day ahead."""
    clocks = ZoneInfo(zone())
    terms, picture = drafting.once_more(shop(), _owner(), sale, clocks)
    price = "" if terms.price is None else Decimal(terms.price).scaleb(-get_currency_precision(terms.currency))
    values = {
        "name": terms.product,
        "producter": terms.producter,
        "description": terms.description,
        "image": terms.image,
        "num": terms.num,
        "limit": terms.limit,
        "amount": price,
        "currency": terms.currency,
        "time_begintokill": on_clocks(terms.begins, clocks).isoformat(),
        "time_endkill": on_clocks(terms.ends, clocks).isoformat(),
        "zone": clocks.key,
        "min_account_age": terms.min_account_age,
        "proof": terms.proof,
        "draw": terms.draw,
    }
    form = SaleForm(formdata=MultiDict({name: str(value) for name, value in values.items()}))
    form.kept = picture
    return form


def remember_zone(zone: str) -> None:
    """Offer this zone first from now on."""
    session["zone"] = zone


def knows_zone() -> bool:
    """Whether a zone was chosen before."""
    return "zone" in session


def zone() -> str:
    """The zone that the merchant chose last, or else the first of those offered."""
    known: str = session.get("zone", "")
    return known if known in zones.known() else zones.COMMON[0]


def _owner() -> str:
    """Whose the pictures of the one who is asking are: an account's, or a session's where anyone may open sales."""
    account = someone()
    if account:
        return account.id
    if "drafts" not in session:
        session["drafts"] = secrets.token_urlsafe(16)
    return f"session {session['drafts']}"


@bp.get("/createmiaosha/pictures/<name>")
def picture(name: str) -> Response:
    """A picture that was uploaded for a sale that isn't open yet; to who uploaded it alone."""
    wanted = named(name)
    path = shop().drafts.path(_owner(), wanted) if wanted else None
    if path is None:
        raise NoSuchPage
    response = send_file(path, mimetype="image/webp", max_age=0)
    response.cache_control.private = True
    return response

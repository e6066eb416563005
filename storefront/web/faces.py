"""The two faces of every address: HTML for people, JSON for programs. Only this file knows that there are two.

A body of type ``application/json`` asks for JSON, a form for HTML; without a body ``Accept`` decides. A JSON body is
turned into what a form would have sent, after its types are checked, so that one form class judges both.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import quote

from babel import Locale
from flask import Flask, Response, current_app, flash, g, jsonify, redirect, render_template, request, session, url_for
from flask_babel import get_locale, gettext
from flask_limiter import RateLimitExceeded
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFError, CSRFProtect
from redis.exceptions import RedisError
from werkzeug.datastructures import CombinedMultiDict, MultiDict
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge, UnsupportedMediaType
from wtforms import BooleanField, FileField, IntegerField
from wtforms.fields import Field

from storefront.domain import errors
from storefront.domain.ban import Ban
from storefront.domain.errors import N_
from storefront.shop import Shop
from storefront.web.limits import count_stray, seconds_until_allowed
from storefront.web.words import in_words, said, span_in_words

csrf = CSRFProtect()
F = TypeVar("F", bound=FlaskForm)

STATUS: dict[type[errors.Refused], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.KeyReused: 422,
    errors.TooFast: 429,
    errors.Banned: 429,
    errors.NotStored: 500,
    errors.ComeBack: 503,
}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; manifest-src 'self'; form-action 'self'%s; img-src 'self'%s"
)
"""Content-Security-Policy: nothing from elsewhere, but for other hosts to which forms may lead, and from which pictures
may come."""

UNUSED = "accelerometer camera display-capture geolocation gyroscope hid microphone midi payment serial usb"

GUARDED = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", ", ".join(f"{feature}=()" for feature in UNUSED.split())),
)
"""No page is shown in a frame, opened with a handle on it, read from another site, or given a device's features."""

OVER_HTTPS_ALONE = ("Strict-Transport-Security", "max-age=31536000")
"""Said wherever cookies travel over https alone, also where a proxy ends the encryption: over plain http browsers pass
over it. Nothing is said of subdomains, which need not be the shop's."""

DRAINED = 1024 * 1024
"""Bytes of a body that is too long which are read all the same."""

TAKEN_IN = 32 * 1024 * 1024
"""Bytes of a body that a proxy in front takes in whole (``client_max_body_size`` of deploy/nginx/shop.conf)."""

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
FORM_ONLY = frozenset({"csrf_token", "next", "once"})
"""What a form may carry besides its fields; ``once`` makes pressing a button twice harmless."""


class InvalidForm(errors.Malformed):
    """A field is missing, surplus or wrong. ``fields``: name → sentences, in the caller's language."""

    code = "invalid"

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.fields = {name: [str(sentence) for sentence in sentences] for name, sentences in fields.items()}

    def __str__(self) -> str:
        return " ".join(f"{name}: {' '.join(sentences)}" for name, sentences in self.fields.items())


def shop() -> Shop:
    """The shop that this application sells for."""
    opened: Shop = current_app.extensions["shop"]
    return opened


def is_program() -> bool:
    """Whether the caller wants JSON."""
    known: bool | None = g.get("is_program")
    if known is None:
        known = g.is_program = _is_program()
    return known


def _is_program() -> bool:
    if request.method not in ("GET", "HEAD"):
        if request.mimetype:
            return request.mimetype not in FORM_TYPES
        if "Authorization" in request.headers:
            return True
    accepted = request.accept_mimetypes
    json_quality, html_quality = accepted["application/json"], accepted["text/html"]
    return json_quality > html_quality or ("Authorization" in request.headers and json_quality == html_quality)


# What came in


def submitted(form: type[FlaskForm]) -> MultiDict[str, Any]:
    """The request's fields as a form would send them. Raises NotJson, NotAnObject or InvalidForm.

    JSON must have each field's own type: ``"20"``, ``true`` or ``1.5`` is no integer, but ``1.0`` is one, since JSON
    knows one kind of number. ``token`` is left out here; it says who is asking. An optional field may be null, which is
    left out, or empty where it must be named. Files come from forms alone.
    """
    known = _fields_of(form)  # type: ignore[arg-type]  # flask-wtf has no types, so mypy takes this one for anything
    files = {name for name, field in known.items() if isinstance(field, FileField)}
    of_people = FORM_ONLY | files | getattr(form, "of_people", frozenset())
    if not is_program():
        asked = known.keys() - files | FORM_ONLY
        unknown = [name for name in request.form if name not in asked]
        unknown += [name for name in request.files if name not in files]
        if unknown:
            raise InvalidForm({name[:100]: [gettext("This field is not known here.")] for name in unknown})
        return CombinedMultiDict([request.form, request.files])
    fields = json_object()
    fields.pop("token", None)
    flaws: dict[str, list[str]] = {}
    values: MultiDict[str, str] = MultiDict()
    for name, value in fields.items():
        field = known.get(name)
        if field is None or name in of_people:
            flaws[_printable(name)[:100]] = [gettext("This field is not known here.")]
        elif value is None and field.flags.optional:
            if field.flags.named:
                values[name] = ""
        elif sentence := _wrong_type(field, value):
            flaws[name] = [sentence]
        elif value is not False:  # as a box that isn't ticked sends nothing
            values[name] = str(int(value) if isinstance(value, float) else value)
    if flaws:
        raise InvalidForm(flaws)
    return values


@cache
def _fields_of(form: type[FlaskForm]) -> dict[str, Field]:
    """A form's fields by name, to tell what it asks for; without anybody's values."""
    return {field.name: field for field in form(formdata=None)}


def _wrong_type(field: Field, value: object) -> str | None:
    if isinstance(field, IntegerField):
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
            return str(gettext("This must be a whole number."))
        if not -(2**53) < value < 2**53:  # what every JSON reader holds exactly (RFC 8259, section 6)
            return str(gettext("This number is too large."))
    elif isinstance(field, BooleanField):
        return None if isinstance(value, bool) else str(gettext("This must be true or false."))
    elif not isinstance(value, str):
        return str(gettext("This must be text."))
    elif (most := field.flags.maxlength) and len(
        value
    ) > most:  # of people's text the form judges what it is trimmed to
        return str(gettext("This is too long: %(max)d characters at most.", max=most))
    return None


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def json_object() -> dict[str, Any]:
    """The JSON object in the body, empty for no body. Raises NotJson or NotAnObject."""
    if "json_object" not in g:
        body = request.get_data()
        g.json_object = read_json(body) if body or request.mimetype else {}
    return dict(g.json_object)


def _no_such_number(_: str) -> None:
    raise errors.NotJson


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise errors.NotJson
    return fields


_decoder = json.JSONDecoder(parse_constant=_no_such_number, object_pairs_hook=_each_once)


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``, each name once. Raises NotJson or NotAnObject."""
    try:
        found = _decoder.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as fault:
        raise errors.NotJson from fault
    if not isinstance(found, dict):
        raise errors.NotAnObject
    return found


def given_token() -> str | None:
    """The token that a program gave, in the body or as a bearer. Raises TwoTokens if they differ, or InvalidToken."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    tokens = [bearer.strip()] if scheme.lower() == "bearer" else []
    if request.method not in ("GET", "HEAD"):
        in_body = json_object().get("token")
        if in_body is not None:
            if not isinstance(in_body, str):
                raise errors.InvalidToken
            tokens.append(in_body)
    if len(set(tokens)) > 1:
        raise errors.TwoTokens
    return tokens[0] if tokens else None


def checked(form: F, page: str, **context: Any) -> F:
    """The form, if it is valid. Raises InvalidForm; people then get ``page`` again with their values and the errors."""
    show_form_again(form, page, **context)
    if not form.validate():
        raise InvalidForm({name: list(sentences) for name, sentences in form.errors.items() if name and sentences})
    return form


def show_form_again(form: FlaskForm, page: str, **context: Any) -> None:
    """People who are refused from here on see this form again."""
    g.again = (page, {"form": form, **context})


def shown_again(**context: Any) -> None:
    """What the form that a person gave shows differently, should it be shown again."""
    g.again[1].update(context)


def go_back_to(address: str | Callable[[], str]) -> None:
    """People who are refused from here on are sent to ``address``, or what makes it, which shows the sentence."""
    g.back = address if callable(address) else lambda: address


# What goes out


def reply(
    answer: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    *,
    page: str = "",
    then: str = "",
    render: Callable[..., str] = render_template,
    **context: Any,
) -> Any:
    """``answer`` to programs; to people a 303 to the address ``then``, or else the ``page``, which ``render`` makes.

    An answer that takes some making may be a function: people need none.
    """
    if is_program():
        return json_reply(answer() if callable(answer) else answer)
    return redirect(then, 303) if then else render(page, **context)


def json_reply(answer: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON answer in UTF-8, keys in the order given."""
    response = jsonify(answer)
    response.status_code = status
    return response


def leave_word(sentence: str, kind: str) -> None:
    """Have the person's next page show a translated sentence, once, however often it is said until then."""
    if [kind, sentence] not in map(list, session.get("_flashes", ())):
        flash(sentence, kind)


def say(sentence: str, kind: str = "message") -> None:
    """Show a translated sentence on the person's next page, as a "message" or a "note". Programs don't get it."""
    if not is_program():
        leave_word(sentence, kind)


def refuse(refusal: errors.Refused, status: int | None = None, headers: Mapping[str, str] | None = None) -> Any:
    """The one answer to every refusal, in the caller's face and language."""
    status = status or next(code for family, code in STATUS.items() if isinstance(refusal, family))
    response = _refusal_as_json(refusal) if is_program() else _refusal_as_page(refusal, status)
    if response.status_code != 303:
        response.status_code = status
        if refusal.retry_after is not None:  # a redirect with it would itself be put off (RFC 9110, section 10.2.3)
            response.headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, errors.TooFast):
        response.headers["Retry-After"] = str(seconds_until_allowed())
    if isinstance(refusal, errors.Banned):
        response.headers["Retry-After"] = str(refusal.seconds)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers.extend(headers or {})
    response.headers["Cache-Control"] = "no-store"
    return response


def sentence_of(refusal: errors.Refused) -> str:
    """The refusal as a sentence in the caller's language."""
    if isinstance(refusal, InvalidForm):
        return str(refusal)
    return said(refusal.sentence, {name: _for_people(fact) for name, fact in refusal.facts.items()})


def _for_people(fact: Any) -> Any:
    if isinstance(fact, datetime):
        return in_words(fact)
    return span_in_words(int(fact.total_seconds())) if isinstance(fact, timedelta) else fact


def _for_programs(fact: Any) -> Any:
    if isinstance(fact, datetime):
        return fact.isoformat().replace("+00:00", "Z")
    return int(fact.total_seconds()) if isinstance(fact, timedelta) else fact


def _refusal_as_json(refusal: errors.Refused) -> Response:
    answer: dict[str, Any] = {"error": refusal.documented or sentence_of(refusal), "code": refusal.code}
    if isinstance(refusal, InvalidForm):
        answer["fields"] = refusal.fields
    answer |= {name: _for_programs(fact) for name, fact in refusal.facts.items()}
    return jsonify(answer)


def _refusal_as_page(refusal: errors.Refused, status: int) -> Response:
    if isinstance(refusal, errors.Banned):
        return current_app.make_response(_page_of_ban(refusal.ban, sentence_of(refusal), get_locale()))
    if isinstance(refusal, errors.InvalidToken):
        wanted = g.back() if "back" in g else (quote(request.path) if request.method == "GET" else None)
        leave_word(sentence_of(refusal), "note")
        return current_app.make_response(redirect(url_for("accounts.login", next=wanted), 303))
    if "again" in g:
        page, context = g.again
        form = context["form"]
        summary = None
        if isinstance(refusal, InvalidForm):
            for name in refusal.fields.keys() - form.errors.keys():
                form.form_errors = [*form.form_errors, f"{name}: {' '.join(refusal.fields[name])}"]
        elif refusal.field and refusal.field in form:
            form[refusal.field].errors = [sentence_of(refusal)]
        else:
            summary = sentence_of(refusal)
        return current_app.make_response(render_template(page, refusal=summary, **context))
    if "back" in g:
        leave_word(sentence_of(refusal), "refusal")
        return current_app.make_response(redirect(g.back(), 303))
    page = render_template("error.html", sentence=sentence_of(refusal), status=status)
    return current_app.make_response(page)


@lru_cache(256)
def _page_of_ban(ban: Ban, sentence: str, _language: Locale) -> str:
    """The same page, with nothing of a session, to everybody whom this ban keeps out: a flood of them costs little."""
    return render_template("banned.html", ban=ban, sentence=sentence, contact=shop().config.contact)


# Faults and forgeries


class _Fault(errors.Refused):
    """An answer that HTTP itself asks for."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code, self.sentence = code, sentence
        super().__init__()


HTTP_FAULTS: dict[type[HTTPException], tuple[str, str]] = {
    MethodNotAllowed: ("method_not_allowed", N_("This address does not take this method.")),
    RequestEntityTooLarge: ("too_large", N_("The request is too large: 64 kB at most, a picture in it 8 MB.")),
    UnsupportedMediaType: ("unsupported_type", N_("Send JSON (application/json) or a form.")),
}
UNEXPECTED = ("fault", N_("Something went wrong on our side; it is noted. Please try again."))
"""Code and sentence of what should never happen."""


def _refuse_http(fault: HTTPException) -> Any:
    if fault.response is not None or (fault.code or 500) < 400:
        return fault
    if isinstance(fault, NotFound):
        return refuse(errors.NoSuchPage())
    if isinstance(fault, RequestEntityTooLarge) and shop().config.proxies:
        _drain()
    code, sentence = HTTP_FAULTS.get(type(fault), ("malformed", N_("The request is not understood.")))
    headers = {name: value for name, value in fault.get_headers() if name == "Allow"}
    return refuse(_Fault(code, sentence), fault.code, headers)


def _drain() -> None:
    """Read what a proxy has taken in of a body: it knows no answer but 502 if it can't send all of it."""
    left = min(request.content_length or 0, TAKEN_IN)
    while left > 0 and (piece := request.environ["wsgi.input"].read(min(left, 65_536))):
        left -= len(piece)


def _refuse_fast(fault: RateLimitExceeded) -> Any:
    is_guarded = fault.description == errors.TooManyGuesses.code
    return refuse(errors.TooManyGuesses() if is_guarded else errors.TooFast())


def _refuse_csrf(_: CSRFError) -> Any:
    return refuse(errors.FormExpired())


def _redis_is_away(fault: RedisError) -> Any:
    current_app.logger.error("Redis does not answer: %s", fault)
    g.account = None  # the page must not ask Redis again who is looking
    return refuse(errors.Recovering())


def _unexpected(fault: Exception) -> Any:
    current_app.logger.error("an unexpected fault", exc_info=fault)
    g.pop("again", None)  # the page that was to be shown again may be what failed
    g.account = None
    return refuse(_Fault(*UNEXPECTED), 503, {"Retry-After": "5"})


def _check_sender() -> None:
    """Form calls need a CSRF token, since a browser sends their cookie from anywhere. JSON calls never use it."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.routing_exception is not None:
        return
    if is_program():
        if request.mimetype and not request.is_json:
            count_stray()
            raise UnsupportedMediaType
    else:
        try:
            csrf.protect()
        except CSRFError:
            count_stray()
            raise


def bound_body() -> None:
    """A body without a length is read here, up to the limit: the server would cut it there in silence."""
    if request.content_length is None and "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        most = request.max_content_length or 0
        sent = request.environ["wsgi.input"]
        body = sent.read(most + 1)
        if len(body) > most:
            sent.read(DRAINED)  # a caller who is still sending would miss the answer
            raise RequestEntityTooLarge
        request.environ["wsgi.input"] = BytesIO(body)
        request.environ["CONTENT_LENGTH"] = str(len(body))


def pictures_from_anywhere() -> None:
    """Let the page that answers this request show pictures of other hosts. Most pages must not."""
    g.pictures_from = " http: https:"


def send_forms_to(host: str) -> None:
    """Let a form of the page that answers this request lead to another host, if one is named."""
    g.forms_to = f" {host}" if host else ""


def is_public(response: Response) -> bool:
    """Whether the answer is the same for everybody."""
    return "public" in response.headers.get("Cache-Control", "")


def _add_headers(response: Response) -> Response:
    if not is_public(response):
        response.headers["Vary"] = "Accept, Accept-Language, Authorization, Cookie"
        response.headers.setdefault("Cache-Control", "private, no-cache")
    response.headers.extend(GUARDED)
    if current_app.config["SESSION_COOKIE_SECURE"]:
        response.headers.extend([OVER_HTTPS_ALONE])
    response.headers["Content-Security-Policy"] = POLICY % (g.get("forms_to", ""), g.get("pictures_from", ""))
    return response


def init_app(app: Flask) -> None:
    """Give ``app`` its two faces."""
    app.after_request(_add_headers)
    csrf.init_app(app)
    app.before_request(_check_sender)
    app.register_error_handler(errors.Refused, refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(RateLimitExceeded, _refuse_fast)
    app.register_error_handler(CSRFError, _refuse_csrf)
    app.register_error_handler(RedisError, _redis_is_away)
    app.register_error_handler(Exception, _unexpected)

"""The gate: a small WSGI layer in front of Flask that answers a purchase with a no in microseconds, where it is sure.

It knows how the sales stood a moment ago (``stores/snapshots.py``), remembers who showed a genuine token or form, and
counts for the limits (``tally.py``). It can only refuse, and says what Flask would say: the answers are made by Flask
itself, once each. Whatever it isn't sure of goes through.
"""

import math
import time
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flask import Flask, Response, request, session
from flask_wtf.csrf import CSRFError
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from storefront.domain import errors, text
from storefront.domain.account import Login
from storefront.domain.address import caller_of
from storefront.domain.ban import Ban
from storefront.domain.errors import AccountTooNew, AllHeld, Refused, SalePaused, SoldOut
from storefront.domain.ids import repeatable_order_id
from storefront.services import proving, tokens
from storefront.shop import Shop
from storefront.stores.snapshots import Snapshot
from storefront.web import buying, faces, repeating
from storefront.web.bans import refusal_for
from storefront.web.limits import COUNTED, OVER, Passed
from storefront.web.policing import Police
from storefront.web.sessions import login_of
from storefront.web.tally import Tally, Verdict

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BUYING = "/miaosha/"
LARGEST = 2048
"""Bytes of a body, and of what else is remembered, that the gate looks at: what is longer is no ordinary purchase."""

FORMS = 20_000
FORMS_FRESH = 60.0
"""How many forms are remembered, genuine or not, and for how many seconds."""

ANSWERS = 1024
"""How many product names and languages are remembered."""

JUDGED_BY = (
    "HTTP_COOKIE", "CONTENT_TYPE", "HTTP_REFERER", "HTTP_HOST", "wsgi.url_scheme", "HTTP_X_CSRFTOKEN",
    "HTTP_X_CSRF_TOKEN",
)  # fmt: skip
"""By what Flask judges a form, besides its body."""

ASKED_BEHIND = frozenset({SoldOut, AllHeld, SalePaused})
"""Reasons that are told to those alone who hold less than they may."""

Refusal = type[Refused] | AccountTooNew
"""What is told: the same to all, or by when an account may buy."""

K = TypeVar("K")
V = TypeVar("V")
Headers = list[tuple[str, str]]


class Asker(NamedTuple):
    """Who presses the button: an account, with the key that makes a repeat harmless, if there is one.

    Of a program there are its token's claims.
    """

    account: str
    name: str
    key: str
    login: Login
    claims: tokens.Claims | None = None

    @property
    def is_program(self) -> bool:
        """Whether it isn't a person."""
        return self.claims is not None


NOBODY = Asker("", "", "", Login())
"""A program whose one token is expired, foreign, unsigned or not a token at all."""


class Answer(NamedTuple):
    """A ready-made answer."""

    status: str
    headers: Headers
    body: bytes


class Gate:
    """WSGI middleware for one ``app``, whose own WSGI callable it stands in front of."""

    def __init__(self, app: Flask, shop: Shop, police: Police) -> None:
        self._app = app
        self._through: WSGIApplication = app.wsgi_app
        self._shop = shop
        self.tally = app.extensions["tally"] = Tally(shop, police.refused)
        self._claims: dict[bytes, tokens.Claims] = {}
        self._worthless: dict[bytes, bool] = {}
        self._forms: dict[bytes, tuple[Asker | None, float]] = {}
        self._refusals: dict[tuple[Any, ...], Answer] = {}
        self._way_back = lru_cache(ANSWERS)(self._make_way_back)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, or let Flask answer."""
        if environ["REQUEST_METHOD"] == "POST":
            if not environ["PATH_INFO"].startswith(BUYING):
                done = self._through(environ, start_response)
                self._shop.snapshots.outdate()  # whoever cancels an order may buy again at once
                return done
            if answer := self._no(environ):
                start_response(answer.status, answer.headers)  # a list of this answer's own, by ``_with``
                return [answer.body]
        return self._through(environ, start_response)

    def _no(self, environ: "WSGIEnvironment") -> Answer | None:
        """The refusal of a purchase, or None where it isn't sure.

        A program's purchase that goes through is counted for its limits here, so Flask needn't.
        """
        path = environ["PATH_INFO"]
        product = _product(path) if len(path) <= LARGEST else None
        snapshot = self._shop.snapshots.of(product) if product else None
        refusal = snapshot.refusal() if snapshot else None
        if refusal is None and _kind(environ) in faces.FORM_TYPES:
            return None
        asker, gone = self._asker(environ), self._shop.snapshots.gone()
        if product is None or asker is None or gone is None or asker.account in gone:
            return None
        if asker is NOBODY:
            return self._no_good(environ)
        if self._shop.snapshots.has_ended(asker.account, asker.login):
            return None
        if ban := self._shop.snapshots.known_ban_on(asker.account):
            self._note(snapshot, errors.Banned)
            return self._banned(ban, environ.get("HTTP_ACCEPT_LANGUAGE", "")) if asker.is_program else None
        return self._judged(environ, asker, product, snapshot, refusal)

    def _judged(
        self,
        environ: "WSGIEnvironment",
        asker: Asker,
        product: str,
        snapshot: Snapshot | None,
        refusal: Refusal | None,
    ) -> Answer | None:
        """The refusal of a purchase by its limits, or else by what is known of the sale; None where it isn't sure."""
        language = environ.get("HTTP_ACCEPT_LANGUAGE", "")
        if refusal is None and snapshot and asker.claims:
            refusal = self._too_new(snapshot, asker.claims)
        passes = snapshot is None or refusal is None or self._may_hold(snapshot, refusal, asker)
        if passes and asker.claims is None:
            return None
        address, sale = environ.get("REMOTE_ADDR") or "", snapshot.sale if snapshot else ""
        verdict = self.tally.count(asker.account, asker.name, address, at_once=passes, sale=sale)
        if verdict.wait:
            self._note(snapshot, errors.TooFast)
            environ[OVER] = verdict
            return self._too_fast(verdict, language) if asker.is_program else None
        if passes or refusal is None:
            environ[COUNTED] = asker.claims and Passed(asker.claims, verdict.fields)
            return None
        self._note(snapshot, refusal)
        if isinstance(refusal, AccountTooNew):
            wait = [] if refusal.retry_after is None else [("Retry-After", str(refusal.retry_after))]
            return _with(self._refusal(refusal, language), [*verdict.fields, *wait])
        answer = self._refusal(refusal, language) if asker.is_program else self._way_back(product)
        return _with(answer, verdict.fields)

    def _too_new(self, snapshot: Snapshot, claims: tokens.Claims) -> AccountTooNew | None:
        """The refusal of an account that surely may not buy yet, where nothing else is asked before.

        A farm's accounts ask on, and are no banned ones.
        """
        try:
            terms, clock = self._shop.sales.terms_of(snapshot.sale), time.monotonic() * 1000
        except RedisError:
            return None
        least, most = clock + snapshot.least, clock + snapshot.most
        if terms is None or proving.is_needed(terms, suspected=True) or least < snapshot.begins:
            return None
        allowed_from = terms.open_from(claims.seniority)
        if most >= min(allowed_from, snapshot.ends, snapshot.sells if terms.draw else math.inf):
            return None
        put_back = terms.is_put_back(claims.seniority)
        return AccountTooNew(allowed_from, int(least), snapshot.ends, put_back=put_back)

    def _no_good(self, environ: "WSGIEnvironment") -> Answer | None:
        """What a program is told whose token is worthless: a flood of these needs no account, so it must be cheap."""
        address, language = environ.get("REMOTE_ADDR") or "", environ.get("HTTP_ACCEPT_LANGUAGE", "")
        if self._shop.snapshots.ban_on("", caller_of(address)):
            return None
        verdict = self.tally.count("", "", address)
        if verdict.wait:
            return self._too_fast(verdict, language)
        return _with(self._refusal(errors.InvalidToken, language), verdict.fields)

    def _too_fast(self, verdict: Verdict, language: str) -> Answer:
        """What a program is told that may ask again after a while."""
        answer = self._refusal(errors.TooFast, language)
        return _with(answer, [*verdict.fields, ("Retry-After", str(verdict.wait))])

    def _banned(self, ban: Ban, language: str) -> Answer:
        """What a program is told whose account is banned."""
        wait = max(1, math.ceil(ban.until / 1000 - time.time()))
        return _with(self._refusal(ban, language), [("Retry-After", str(wait))])

    def _note(self, snapshot: Snapshot | None, refusal: Refusal) -> None:
        if snapshot is not None:
            self._shop.refusals.note(snapshot.sale, refusal.code)

    def _may_hold(self, snapshot: Snapshot, refusal: Refusal, asker: Asker) -> bool:
        """Whether the asker holds a unit, or repeats a purchase: they are told something else."""
        order = repeatable_order_id(snapshot.sale, asker.account, asker.key) if asker.key else ""
        answered = asker.key if asker.is_program else ""
        try:
            return (refusal in ASKED_BEHIND or bool(order)) and self._shop.snapshots.holds(
                snapshot, asker.account, order, answered
            )
        except RedisError:
            return True

    # Who is asking

    def _asker(self, environ: "WSGIEnvironment") -> Asker | None:
        """Who is asking, if that is beyond doubt and nothing else is wrong with the request."""
        body = _body(environ)
        if body is None or environ.get("SCRIPT_NAME") or len(environ.get("HTTP_ACCEPT_LANGUAGE", "")) > LARGEST:
            return None
        kind = _kind(environ)
        if kind in faces.FORM_TYPES:
            return self._sender(environ, body)
        if "HTTP_COOKIE" in environ or kind not in ("application/json", "") or bool(body) != bool(kind):
            return None
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        known_by = _digest(authorization.encode(), body)
        known = self._claims.get(known_by)
        try:
            key = repeating.read_key(environ.get("HTTP_IDEMPOTENCY_KEY"))
            claims = known or self._read_claims(known_by, authorization, body)
        except Refused:
            return None
        if claims is None or time.time() >= claims.expires:
            return None if key else NOBODY
        return Asker(claims.id, claims.name, key, claims.login, claims)

    def _read_claims(self, known_by: bytes, authorization: str, body: bytes) -> tokens.Claims | None:
        """What the one token of a request claims that holds at most a proof besides; None if that token is worthless.

        Raises a refusal where there isn't exactly that. What a proof is worth is for Flask to say: where there is
        nothing to sell, that changes nothing.

        It is remembered by the request's very bytes, so that who asks again and again costs next to nothing.
        """
        if known_by in self._worthless:
            return None
        scheme, _, bearer = authorization.partition(" ")
        given = {bearer.strip()} if scheme.lower() == "bearer" else set()
        fields = faces.read_json(body) if body else {}
        given |= {token for name, token in fields.items() if name == "token" and isinstance(token, str)}
        surplus = fields.keys() - {"token", "proof"}
        if surplus or len(given) != 1 or not all(given) or not all(isinstance(one, str) for one in fields.values()):
            raise errors.InvalidToken
        lasts = b'"proof"' not in body  # of requests with one, no two are the same
        try:
            claims = tokens.read(given.pop(), self._shop.config.secrets)
        except errors.InvalidToken:
            if lasts:
                _remember(self._worthless, tokens.REMEMBERED, known_by, value=True)
            return None
        if lasts:
            _remember(self._claims, tokens.REMEMBERED, known_by, claims)
        return claims

    def _sender(self, environ: "WSGIEnvironment", body: bytes) -> Asker | None:
        """Who sends a form. Flask judges it, once; the same form sent again within a minute is known."""
        known_by = _digest(*(environ.get(name, "").encode() for name in JUDGED_BY), body)
        sender, until = self._forms.get(known_by, (None, 0.0))
        if time.monotonic() >= until:
            sender = self._form_judged(environ, body)
            _remember(self._forms, FORMS, known_by, (sender, time.monotonic() + FORMS_FRESH))
        return sender

    def _form_judged(self, environ: "WSGIEnvironment", body: bytes) -> Asker | None:
        with self._app.request_context(dict(environ) | {"wsgi.input": BytesIO(body)}):
            try:
                faces.csrf.protect()
                fields, key = request.form.keys(), request.form.get("once", "")
            except (CSRFError, HTTPException):
                return None
            account, _, name = session.get("_user_id", "").partition(" ")
            known = faces.FORM_ONLY | {"proof"}
            if not account or not fields <= known or request.files or len(key) > repeating.LONGEST_KEY:
                return None
            return Asker(account, name, key, login_of(session))

    # What they are told

    def _refusal(self, refusal: Refusal | Ban, accept_language: str) -> Answer:
        """The refusal as Flask tells it to programs, without what is different each time."""
        told = (refusal.sentence, *refusal.facts.values()) if isinstance(refusal, AccountTooNew) else (refusal,)
        known_by = (accept_language, *told)
        answer = self._refusals.get(known_by)
        if answer is None:
            answer = self._make_refusal(refusal, accept_language)
            _remember(self._refusals, ANSWERS, known_by, answer)
        return answer

    def _make_refusal(self, refusal: Refusal | Ban, accept_language: str) -> Answer:
        headers = {"Content-Type": "application/json", "Accept-Language": accept_language}
        with self._app.test_request_context(BUYING, method="POST", headers=headers):
            if isinstance(refusal, Ban):
                told: Refused = refusal_for(refusal)
            else:
                told = refusal if isinstance(refusal, AccountTooNew) else refusal()
            response = self._app.make_response(faces.refuse(told))
            response.headers.pop("Retry-After", None)
            return self._ready(response)

    def _make_way_back(self, product: str) -> Answer:
        """Back to the sale's page, which says why."""
        with self._app.test_request_context(BUYING, method="POST"):
            return self._ready(buying.back_to_the_sale(product))

    def _ready(self, response: Response) -> Answer:
        response = self._app.process_response(response)
        chunks, status, headers = response.get_wsgi_response(request.environ)
        return Answer(status, headers, b"".join(chunks))


@lru_cache(ANSWERS)
def _product(path: str) -> str | None:
    """The product that a path names, as Flask reads it; None if it names none."""
    try:
        return text.normal(path.removeprefix(BUYING).encode("latin-1").decode()) or None
    except UnicodeError:
        return None


def _kind(environ: "WSGIEnvironment") -> str:
    """The body's media type."""
    return str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


def _with(answer: Answer, more: Headers) -> Answer:
    return Answer(answer.status, [*answer.headers, *more], answer.body)


def _digest(*parts: bytes) -> bytes:
    """What stands for these bytes where they are remembered, however long they are."""
    return blake2b(b"\0".join(parts), digest_size=16).digest()


def _remember(known: dict[K, V], most: int, key: K, value: V) -> None:
    """Keep a value among ``most`` others at most; too many are forgotten all at once."""
    if len(known) >= most:
        known.clear()
    known[key] = value


def _body(environ: "WSGIEnvironment") -> bytes | None:
    """The request's body, left to be read again; None for one that is long or has no length."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > LARGEST or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    body = environ["wsgi.input"].read(int(length)) if length != "0" else b""
    environ["wsgi.input"] = BytesIO(body)
    return bytes(body)


def init_app(app: Flask, shop: Shop) -> None:
    """Put the gate in front of ``app``."""
    app.wsgi_app = Gate(app, shop, app.extensions["police"])  # type: ignore[method-assign]

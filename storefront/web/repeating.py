"""Programs' requests under an ``Idempotency-Key``: carried out once, and answered the same when they are repeated.

As in draft-ietf-httpapi-idempotency-key-header. The answer is kept if it is about the shopper's own order: a yes, or a
no that stands for good. What is said of the sale, or of the moment, changed nothing, and is not kept: a repeat is told
how things are then. People need none of this: pressing a button twice leads to the same page.
"""

import json
import re
from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, request
from redis.exceptions import RedisError

from storefront.domain.errors import AlreadyPaid, Cancelled, Expired, KeyMalformed, LimitReached, PurchaseLost
from storefront.stores.answers import Answer, Attempt
from storefront.web.faces import is_program, json_object, refuse, shop
from storefront.web.who import shopper

LONGEST_KEY = 255

STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)" *(?:;[ -~]*)?')
"""A structured field's string (RFC 9651, section 3.3.3); parameters behind it mean nothing here."""

BARE = re.compile(r"[!#-~](?:[ -~]*[!-~])?")
"""What programs sent before the draft, and still do."""

ABOUT_THEIR_ORDER = (LimitReached, AlreadyPaid, Expired, Cancelled, PurchaseLost)
"""Refusals that are told again."""

NOT_ASKED_FOR = frozenset({"token", "proof"})
"""What a request says of its sender, not of what they want: a repeat may come with another."""


def read_key(field: str | None) -> str:
    """The key in a header field; empty for no field. ``"x"`` and ``x`` are the same key. Raises KeyMalformed.

    Also for an empty field: of one that isn't ASCII the web server tells just that it is there.
    """
    if field is None:
        return ""
    field = field.strip(" \t")
    quoted = STRING.fullmatch(field)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else field
    if len(key) > LONGEST_KEY or not (quoted or BARE.fullmatch(field)):
        raise KeyMalformed
    return key


def idempotency_key() -> str:
    """What makes a repeat of this request harmless: a header for programs, a hidden field for people."""
    if is_program():
        return read_key(request.headers.get("Idempotency-Key"))
    key = request.form.get("once", "")
    if len(key) > LONGEST_KEY:
        raise KeyMalformed
    return key


def answered_once(view: Callable[..., Any]) -> Callable[..., Any]:
    """Have a program's request under a key be carried out once. Comes behind the limits, whose refusals aren't kept."""

    @wraps(view)
    def repeatable(**values: Any) -> Any:
        key = idempotency_key()
        if not key or not is_program():
            return view(**values)
        attempt = shop().answers.begin(shopper().id, key, _fingerprint())
        if isinstance(attempt, Answer):
            return _again(attempt)
        try:
            response = current_app.make_response(view(**values))
        except ABOUT_THEIR_ORDER as refusal:
            response = refuse(refusal)
        except BaseException:
            _end(attempt, None)
            raise
        is_final = response.status_code != HTTPStatus.ACCEPTED  # what becomes of an entry to a draw is still open
        _end(attempt, Answer(response.status_code, response.get_data(as_text=True)) if is_final else None)
        return response

    return repeatable


def _fingerprint() -> str:
    """What is asked for: two requests with the same one want the same."""
    fields = {name: value for name, value in json_object().items() if name not in NOT_ASKED_FOR}
    asked = [request.method, request.path, request.query_string.decode("latin-1"), fields]
    return blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=16).hexdigest()


def _end(attempt: Attempt, answer: Answer | None) -> None:
    try:
        shop().answers.end(attempt, answer)
    except RedisError as fault:  # the attempt ends by itself, and a repeat finds the order by its id
        current_app.logger.warning("an answer under an idempotency key is not kept: %s", fault)


def _again(answer: Answer) -> Response:
    response = current_app.response_class(answer.body, answer.status, mimetype="application/json")
    if answer.status >= 400:
        response.headers["Cache-Control"] = "no-store"
    response.headers["Idempotent-Replayed"] = "true"
    return response

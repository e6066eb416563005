"""Pages that many people see alike: made once for all of them, with gaps into which each reader's own words go.

When a sale begins, hundreds load its page within a second, and their pages differ in a name, a token and a few digits.
What is kept is made for a stand-in, who has of the reader only the roles, and with gaps for tokens; so it can't tell
anything of whoever happened to be first. It is kept under all else that it was made of, so it is what each of the
others would get. The clock is part of that, to the second, so nothing is kept for longer.
"""

import secrets
import threading
from collections.abc import Hashable
from typing import NamedTuple

from flask import Flask, current_app, g, get_flashed_messages, render_template, request
from flask_wtf.csrf import generate_csrf
from markupsafe import escape

from storefront.domain.account import Account, Profile
from storefront.web.show import ROOT_OF_ADDRESSES
from storefront.web.who import someone
from storefront.web.words import language

MOST = 64
"""Pages that are kept; too many are forgotten all at once."""

READ = (*ROOT_OF_ADDRESSES, "PATH_INFO", "QUERY_STRING")
"""What templates read of a request that has no body."""


class Own(NamedTuple):
    """What is different in each reader's page, as it stands there."""

    name: str
    initial: str
    token: str
    once: str
    clock: str


GAPS = Own(*(secrets.token_hex(16) for _ in Own._fields))
"""What stands there in a page that is kept. Nobody can guess it, or what they write would be taken for a gap."""


class _Anybody(Profile):
    """The stand-in's profile."""

    initial = GAPS.initial


class Kept:
    """The pages of one application, by all that they were made of."""

    def __init__(self) -> None:
        self.pages: dict[Hashable, str] = {}
        self.making = threading.Lock()


def render(template: str, *, now: float, once: str, **context: Hashable) -> str:
    """As ``render_template``, for a page of which a reader's name, token, key ``once`` and the clock are all their own.

    Whatever else the template shows must follow from ``context``, the reader's roles, the language, the address and
    what waits in the session to be said. ``now`` (Unix seconds) it may show to the second.
    """
    kept: Kept = current_app.extensions["alike"]
    account = someone()
    roles = account and (account.merchant, account.operator)
    address, said = tuple(map(request.environ.get, READ)), tuple(get_flashed_messages(with_categories=True))
    made_of = (template, language(), roles, address, said, int(now), tuple(context.items()))
    page: str | None = kept.pages.get(made_of)
    if page is None:
        with kept.making:  # the others of this second wait for it, which takes less of the machine than making theirs
            page = kept.pages.get(made_of)
            if page is None:
                page = _made(template, account, int(now), context)
                if len(kept.pages) >= MOST:
                    kept.pages.clear()
                kept.pages[made_of] = page
    name, initial = (account.name, account.profile.initial) if account else ("", "")
    own = Own(escape(name), escape(initial), generate_csrf(), once, str(int(now * 1000)))
    for gap, word in zip(GAPS, own, strict=True):
        page = page.replace(gap, word)
    return page


def _made(template: str, reader: Account | None, now: int, context: dict[str, Hashable]) -> str:
    """The page with gaps."""
    account = reader and Account(
        "", _Anybody(GAPS.name, 0, "", ""), "", merchant=reader.merchant, operator=reader.operator
    )
    g.csrf_token = GAPS.token  # Flask-WTF takes it for the one that it made for this request
    try:
        return render_template(template, **context, account=account, now=now, once=GAPS.once, clock=GAPS.clock)
    finally:
        g.pop("csrf_token")


def init_app(app: Flask) -> None:
    """Have ``app`` keep pages."""
    app.extensions["alike"] = Kept()

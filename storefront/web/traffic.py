"""Each request that reaches Flask has an id, a line in the log if it changed something, and a place in the figures.

The id is the one that a proxy in front of the shop gave it (``X-Request-ID``), if there is a proxy and the id is sane;
else a new one. What the gate refuses costs microseconds, and gets none of these: it is counted by sale.
"""

import re
import time

from flask import Flask, Response, g, request

from storefront.config import Config
from storefront.domain import trace
from storefront.logs import trail
from storefront.web.faces import is_public, shop
from storefront.web.limits import are_shared

REQUEST_ID = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._:=+/-]{8,128}")

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NOWHERE = "nowhere"
"""The route of what leads nowhere."""


def init_app(app: Flask, config: Config) -> None:
    """Accompany the requests of ``app``. Comes before everything else that looks at them."""

    def begin() -> None:
        given = request.headers.get(REQUEST_ID, "") if config.proxies else ""
        trace.follow(given if SANE.fullmatch(given) else trace.new_id())
        g.began = time.perf_counter()

    app.before_request(begin)
    app.after_request(_note)
    app.teardown_request(lambda _: trace.follow(""))


def _note(response: Response) -> Response:
    if "began" not in g:  # an answer that is made ready for later
        return response
    seconds = time.perf_counter() - g.began
    if not is_public(response):  # what is the same for everybody may be kept, and told to others
        response.headers[REQUEST_ID] = trace.current()
    method = request.method if request.method in METHODS else "other"
    route, status = request.url_rule.rule if request.url_rule else NOWHERE, response.status_code
    shop().traffic.note(method, route, status, seconds, shares_limits=are_shared())
    if status >= 500 or (method not in SAFE and status < 400):
        told = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
        trail.info("answered", extra=told | ({"account": g.asking} if g.get("asking") else {}))
    return response

"""The two yardsticks: a bare Flask route and a bare WSGI callable, served just as the shop is.

Both answer everything with one small JSON document, about as long as the shop's "sold out", and keep to one core each.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Response

from storefront.web import pinning

pinning.pin()

ANSWER = b'{"error":"This sale has no unit left.","code":"sold_out"}\n'

flask = Flask(__name__)


@flask.route("/", defaults={"_path": ""}, methods=["GET", "POST"])
@flask.route("/<path:_path>", methods=["GET", "POST"])
def answer(_path: str) -> Response:
    """The same for everything."""
    return Response(ANSWER, mimetype="application/json")


def wsgi(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What any framework stands upon, with nothing upon it."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))])
    return [ANSWER]

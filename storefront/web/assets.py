"""Static files: their addresses name their content, so a browser that has one need not ask again.

Text among them is compressed. Pages are not: they hold secrets beside what a stranger may have put into their address,
and the compressed size of such a page tells about its secrets (the attack named BREACH).
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

YEAR = 31_536_000  # seconds
TEXT = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml"})


def version(filename: str) -> str | None:
    """A few letters that change with the file's content; None if there is no such file."""
    path = _path(filename)
    try:
        return _digest(path, path.stat().st_mtime_ns)
    except OSError:
        return None


def _path(filename: str) -> Path:
    return Path(current_app.static_folder or "", filename)


@cache
def _digest(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@cache
def _compressed(path: Path, _version: str) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


def _name_the_content(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and "filename" in values:
        values.setdefault("v", version(values["filename"]))


def _keep(response: Response) -> Response:
    """A file under an address that names its content never changes there. Under another, or an older one, it may."""
    if request.endpoint != "static" or response.status_code not in (200, 304):
        return response
    asked = request.args.get("v")
    if not asked:
        return response
    filename = (request.view_args or {})["filename"]
    if asked != version(filename):
        return response
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    if response.mimetype in TEXT:
        response.vary.add("Accept-Encoding")
        if response.status_code == 200 and request.accept_encodings["gzip"]:
            response.direct_passthrough = False
            response.set_data(_compressed(_path(filename), asked))
            response.content_encoding = "gzip"
            del response.headers["ETag"]  # it is the plain file's
    return response


def init_app(app: Flask) -> None:
    """Let ``url_for("static", …)`` give such addresses."""
    app.url_defaults(_name_the_content)
    app.after_request(_keep)

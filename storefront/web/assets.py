"""Static files: their addresses name their content, so a browser that has one need not ask again."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

YEAR = 31_536_000  # seconds


def version(filename: str) -> str | None:
    """A few letters that change with the file's content; None if there is no such file."""
    path = Path(current_app.static_folder or "", filename)
    try:
        return _digest(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@cache
def _digest(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _name_the_content(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and "filename" in values:
        values.setdefault("v", version(values["filename"]))


def _keep(response: Response) -> Response:
    """A file under an address that names its content never changes there. Under another, or an older one, it may."""
    if request.endpoint == "static" and response.status_code in (200, 304):
        asked = request.args.get("v")
        if asked and asked == version((request.view_args or {})["filename"]):
            response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    return response


def init_app(app: Flask) -> None:
    """Let ``url_for("static", …)`` give such addresses."""
    app.url_defaults(_name_the_content)
    app.after_request(_keep)

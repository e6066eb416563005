"""Serves the description: to programs as JSON, to people as a page."""

from typing import Any

from flask import Blueprint, Response, current_app, render_template

from storefront.web.faces import json_reply, shop
from storefront.web.openapi.document import described

bp = Blueprint("openapi", __name__)


@bp.get("/openapi.json")
def description() -> Response:
    """The description, in the caller's language."""
    return json_reply(_description())


@bp.get("/docs")
def page() -> str:
    """The same to be read."""
    return render_template("docs.html", api=_description())


def _description() -> dict[str, Any]:
    return described(current_app, sales_open_to_anyone=shop().config.sales_open_to == "anyone")

"""Where the payment provider tells the shop what became of payments. Whoever else calls lacks its signature."""

from typing import Any

from flask import Blueprint, request

from storefront.domain.errors import NoSuchPage
from storefront.services import receiving
from storefront.web.faces import json_reply, shop
from storefront.web.limits import limiter

bp = Blueprint("webhooks", __name__)


@bp.post("/webhooks/<provider>")
@limiter.exempt
def receive(provider: str) -> Any:
    """Take in a webhook, judged by its signature and the raw bytes of its body."""
    if provider != shop().payments.name:
        raise NoSuchPage
    headers = {name.lower(): value for name, value in request.headers.items()}
    receiving.receive(shop(), headers, request.get_data())
    return json_reply({"status": "ok"})

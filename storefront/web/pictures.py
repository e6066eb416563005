"""The shop's pictures, as files that never change: browsers and caches may keep them for good."""

from typing import Any

from flask import Blueprint, send_file

from storefront.domain.errors import NoSuchPage
from storefront.web.faces import shop
from storefront.web.limits import limiter

bp = Blueprint("pictures", __name__)

YEAR = 31_536_000  # seconds


@bp.get("/pictures/<file>")
@limiter.exempt
def picture(file: str) -> Any:
    """One file of a picture; its name stands for its content."""
    path = shop().pictures.path(file)
    if path is None:
        raise NoSuchPage
    response = send_file(path, mimetype="image/webp", max_age=YEAR)
    response.cache_control.public = True
    response.cache_control.immutable = True
    return response

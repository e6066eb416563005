"""The flash-sale shop. ``create_app(config)`` makes the web application.

It is imported when it is first asked for: workers, command lines and the local run start in half the time without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storefront.web.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name != "create_app":
        raise AttributeError(name)
    from storefront.web.app import create_app  # noqa: PLC0415 - the point of this function

    return create_app

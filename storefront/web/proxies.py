"""Behind proxies: a caller's address and scheme are what the outermost of them wrote down, and nothing else."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WRITTEN = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")


def init_app(app: Flask, number: int) -> None:
    """Believe so many proxies in front of ``app``."""
    fixed = ProxyFix(app.wsgi_app, x_for=number, x_proto=number, x_host=0, x_port=0, x_prefix=0)

    def unquoted(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """A quote that a caller opened would run on over what the proxies wrote: Werkzeug reads that as empty."""
        for name in WRITTEN:
            if name in environ:
                environ[name] = environ[name].replace('"', "")
        return fixed(environ, start_response)

    app.wsgi_app = unquoted  # type: ignore[method-assign]

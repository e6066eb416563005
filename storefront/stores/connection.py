"""Opens Redis by a URL: one server, or whichever server a group of Sentinels calls the primary now.

``redis+sentinel://[user:password@]host:port,host:port/service[/database]`` names the Sentinels and the service that
they watch; user and password are Redis's own. Every other URL is redis-py's: ``redis://``, ``rediss://``, ``unix://``.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.sentinel import Sentinel

SENTINEL = "redis+sentinel://"
SENTINEL_PORT = 26379


def connect(url: str, **options: Any) -> Redis:
    """A client with a connection pool of its own; connects on first use. ``options`` are redis-py's.

    Raises ValueError, with a sentence, if the URL names no Redis.
    """
    if not url.startswith(SENTINEL):
        return Redis.from_url(url, **options)
    parts = urlsplit(url)
    credentials, _, servers = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not (servers and service and (database or "0").isdigit()):
        raise ValueError(f"it must look like {SENTINEL}host:port,host:port/service/0")
    user, _, password = credentials.partition(":")
    addresses = [_address(server) for server in servers.split(",")]
    account = {"username": unquote(user) or None, "password": unquote(password) or None}
    sentinels: Any = Sentinel(addresses, **options)  # type: ignore[no-untyped-call]  # redis-py's own
    primary: Redis = sentinels.master_for(service, db=int(database or 0), **account)
    return primary


def _address(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon:
        return server, SENTINEL_PORT
    if not port.isdigit():
        raise ValueError(f"{server!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def split_database(url: str) -> tuple[str, int]:
    """A Sentinel URL without its database, and the database: for libraries that take it as an option."""
    base, _, database = url.rpartition("/")
    return (base, int(database)) if database.isdigit() else (url, 0)

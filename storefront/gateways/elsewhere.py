"""Fetching from other hosts, and sending to them: no address that somebody typed reaches into the shop's own network.

Every host is resolved here, every address that comes of it is judged, and the connection goes to just that address: a
name that means something else a moment later gains nothing. No cookies, no credentials, no proxy, few redirects.

Nor does anybody hold the shop up: at a set moment the connection is cut, however busily the other side sends.
"""

import ipaddress
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address
from threading import Lock, Thread, Timer
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Timeout, Url, parse_url

from storefront.domain.errors import AddressNotAllowed, NothingFetched, PictureTooHeavy

CONNECT, READ = 3.0, 5.0
"""Seconds: for a connection, for the next bytes."""

FETCHED, SENT = 15.0, 5.0
"""Seconds: for all of fetching something, and of sending something until its answer's headers are there."""

REDIRECTS = 3
ADDRESSES = 4
"""Of one host, those that are tried."""

PORTS = {"http": 80, "https": 443}
PIECE = 64 * 1024

IP = IPv4Address | IPv6Address
MayConnect = Callable[[IP, int], bool]

FOR_PICTURES = {"User-Agent": "storefront-pictures", "Accept": "image/*", "Accept-Encoding": "identity"}

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")  # carries any IPv4 address inside
_LOOPBACK, _ANYWHERE = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("1.1.1.1")
_CLOUD_HOST = ipaddress.ip_address("168.63.129.16")  # looks public, and is the host below a virtual machine of Azure

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\.?$)(?:{_LABEL}\.)*{_LABEL}\.?", re.IGNORECASE)
"""What DNS may know, underscores included, which some hosts have."""


def is_public(address: IP, port: int) -> bool:
    """Whether this is a web server's door on the public internet: a global unicast address, and a usual port."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped, port)
        if address not in _GLOBAL_UNICAST or address in _SIX_TO_FOUR:
            return False
    known = address.is_global and not address.is_multicast and address != _CLOUD_HOST
    return known and port in PORTS.values()


def is_public_or_local(address: IP, port: int) -> bool:
    """The same, or anything on this machine: for a shop that runs on a developer's own."""
    return address.is_loopback or is_public(address, port)


def fetch(address: str, most: int, may_connect: MayConnect = is_public) -> bytes:
    """What ``address`` gives, ``most`` bytes of it at most.

    Raises AddressNotAllowed, PictureTooHeavy, or NothingFetched, after which it may be tried again.
    """
    try:
        with _within(FETCHED) as deadline:
            for _ in range(REDIRECTS + 1):
                with _answer(_understood(address), may_connect, deadline) as answer:
                    if answer.status in (301, 302, 303, 307, 308):
                        address = urljoin(address, answer.headers.get("Location", ""))
                        continue
                    if answer.status != 200:
                        raise NothingFetched(why=f"HTTP {answer.status}")
                    return _body(answer, most)
    except (HTTPError, OSError, ValueError) as fault:
        raise NothingFetched(why=repr(fault)) from fault
    raise NothingFetched(why="too many redirects")


def send(address: str, body: bytes, headers: Mapping[str, str], may_connect: MayConnect = is_public) -> int:
    """Send ``body`` to ``address`` by POST, and return the status of the answer, of which no more is read.

    A redirect isn't followed. Raises AddressNotAllowed, or NothingFetched if there is no answer in time.
    """
    try:
        with (
            _within(SENT) as deadline,
            _answer(_understood(address), may_connect, deadline, "POST", headers, body) as answer,
        ):
            return int(answer.status)
    except (HTTPError, OSError, ValueError) as fault:
        raise NothingFetched(why=repr(fault)) from fault


def is_surely_refused(address: str, may_connect: MayConnect = is_public) -> bool:
    """Whether ``address`` can't be one to connect to, as far as that can be told without asking anybody for a name."""
    try:
        url = _understood(address)
    except AddressNotAllowed:
        return True
    host = str(url.host).strip("[]")
    try:
        stands_for = ipaddress.ip_address(host)
    except ValueError:  # a name: of one of this machine that is known, of others where they are allowed at best
        stands_for = _LOOPBACK if f".{host}".rstrip(".").endswith(".localhost") else _ANYWHERE
    return not may_connect(stands_for, _port(url))


def _understood(address: str) -> Url:
    try:
        url = parse_url(address)
    except LocationParseError as fault:
        raise AddressNotAllowed from fault
    if url.scheme not in PORTS or not url.host or url.auth is not None:
        raise AddressNotAllowed
    if not url.host.startswith("[") and not _NAME.fullmatch(url.host):
        raise AddressNotAllowed
    return url


def _port(url: Url) -> int:
    return PORTS[str(url.scheme)] if url.port is None else url.port


class _Deadline:
    """When all of it must be over: at that moment its connections are shut, so that whatever waits for them ends.

    Patience with each read would not do, since a byte now and then meets it for ever.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._at = time.monotonic() + seconds
        self._lock = Lock()
        self._connections: list[socket.socket] = []
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def left(self) -> float:
        """Seconds that are left. Raises NothingFetched if there are none."""
        left = self._at - time.monotonic()
        if self.is_over or left <= 0:
            raise NothingFetched(why="not in time")
        return left

    def watch(self, connection: socket.socket) -> None:
        """Shut this one, too. A second handle is kept, for TLS makes another object of the first."""
        with self._lock:
            self._connections.append(connection.dup())
        if self.is_over:
            self._cut()

    def end(self) -> None:
        """There is nothing to shut any more."""
        self._timer.cancel()
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _cut(self) -> None:
        self.is_over = True
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # the other side was first
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _within(seconds: float) -> Iterator[_Deadline]:
    """Raises NothingFetched unless all of it is done in so many seconds: what was cut may look like an answer's end."""
    deadline = _Deadline(seconds)
    try:
        yield deadline
    finally:
        deadline.end()
    if deadline.is_over:
        raise NothingFetched(why=f"not within {seconds:.0f} s")


def _resolved(host: str, port: int, may_connect: MayConnect, deadline: _Deadline) -> list[IP]:
    """The addresses of a host. One among them that isn't allowed condemns all."""
    found = _looked_up(host.strip("[]"), port, deadline.left())
    addresses = list(dict.fromkeys(ipaddress.ip_address(place[0]) for *_, place in found))
    if not addresses or not all(may_connect(address, port) for address in addresses):
        raise AddressNotAllowed
    return addresses[:ADDRESSES]


def _looked_up(host: str, port: int, patience: float) -> list[Any]:
    """What the system knows of a name. It takes no limit, so a thread asks, which ends by itself if it is given up."""
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as fault:
            answer.set_exception(fault)

    Thread(target=ask, name="name", daemon=True).start()
    return answer.result(patience)


@contextmanager
def _answer(
    url: Url,
    may_connect: MayConnect,
    deadline: _Deadline,
    method: str = "GET",
    headers: Mapping[str, str] = FOR_PICTURES,
    body: bytes | None = None,
) -> Iterator[urllib3.BaseHTTPResponse]:
    """The answer to a request, its body unread."""
    host, scheme = str(url.host), str(url.scheme)
    port = _port(url)
    addresses = _resolved(host, port, may_connect, deadline)
    for address in addresses:
        with _pool(scheme, host.strip("[]"), address, port, deadline) as pool:
            try:
                answer = pool.urlopen(
                    method, url.request_uri, body=body, redirect=False, preload_content=False, assert_same_host=False,
                    headers={**headers, "Host": str(url.netloc), "Connection": "close"},
                )  # fmt: skip
            except HTTPError:
                if address is addresses[-1]:
                    raise
                continue
            try:
                yield answer
            finally:
                answer.close()
            return


class _Connection(HTTPConnection):
    """One that ends at a deadline."""

    def __init__(self, *address: Any, deadline: _Deadline, **how: Any) -> None:
        super().__init__(*address, **how)
        self._deadline = deadline

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        self._deadline.watch(connection)
        return connection


class _SecretConnection(_Connection, HTTPSConnection):
    """The same by TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecretPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecretConnection


def _pool(scheme: str, host: str, address: IP, port: int, deadline: _Deadline) -> urllib3.HTTPConnectionPool:
    """A connection to ``address`` alone; the certificate must be that of ``host``."""
    patience = Timeout(connect=CONNECT, read=READ, total=deadline.left())
    if scheme == "http":
        return _Pool(str(address), port, timeout=patience, retries=False, deadline=deadline)
    return _SecretPool(
        str(address), port, timeout=patience, retries=False, server_hostname=host, assert_hostname=host,
        deadline=deadline,
    )  # fmt: skip


def _body(answer: urllib3.BaseHTTPResponse, most: int) -> bytes:
    body = bytearray()
    while piece := answer.read1(PIECE, decode_content=False):
        body += piece
        if len(body) > most:
            raise PictureTooHeavy(most=most // 1024**2)
    return bytes(body)

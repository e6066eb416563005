"""Fetching from other hosts, and sending to them: no address that somebody typed reaches into the shop's own network.

Every host is resolved here, every address that comes of it is judged, and the connection goes to just that address: a
name that means something else a moment later gains nothing. No cookies, no credentials, no proxy, few redirects.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, Url, parse_url

from storefront.domain.errors import AddressNotAllowed, NothingFetched, PictureTooHeavy

CONNECT, READ, TOTAL = 3.0, 5.0, 15.0
"""Seconds: for a connection, for the next bytes, for all of it."""

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
_CLOUD_HOST = ipaddress.ip_address("168.63.129.16")  # looks public, and is the host below a virtual machine of Azure


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
    deadline = time.monotonic() + TOTAL
    try:
        for _ in range(REDIRECTS + 1):
            with _answer(_understood(address), may_connect) as answer:
                if answer.status in (301, 302, 303, 307, 308):
                    address = urljoin(address, answer.headers.get("Location", ""))
                    continue
                if answer.status != 200:
                    raise NothingFetched(why=f"HTTP {answer.status}")
                return _body(answer, most, deadline)
    except (HTTPError, OSError, ValueError) as fault:
        raise NothingFetched(why=repr(fault)) from fault
    raise NothingFetched(why="too many redirects")


def send(address: str, body: bytes, headers: Mapping[str, str], may_connect: MayConnect = is_public) -> int:
    """Send ``body`` to ``address`` by POST, and return the status of the answer, of which no more is read.

    A redirect isn't followed. Raises AddressNotAllowed, or NothingFetched if there is no answer.
    """
    try:
        with _answer(_understood(address), may_connect, "POST", headers, body) as answer:
            return int(answer.status)
    except (HTTPError, OSError, ValueError) as fault:
        raise NothingFetched(why=repr(fault)) from fault


def is_surely_refused(address: str, may_connect: MayConnect = is_public) -> bool:
    """Whether ``address`` can't be one to connect to, as far as that can be told without asking anybody for a name."""
    try:
        url = _understood(address)
        literal = ipaddress.ip_address(str(url.host).strip("[]"))
    except AddressNotAllowed:
        return True
    except ValueError:  # a name
        return False
    return not may_connect(literal, url.port or PORTS[str(url.scheme)])


def _understood(address: str) -> Url:
    url = parse_url(address)
    if url.scheme not in PORTS or not url.host or url.auth is not None:
        raise AddressNotAllowed
    return url


def _resolved(host: str, port: int, may_connect: MayConnect) -> list[IP]:
    """The addresses of a host. One among them that isn't allowed condemns all."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(ipaddress.ip_address(place[0]) for *_, place in found))
    if not addresses or not all(may_connect(address, port) for address in addresses):
        raise AddressNotAllowed
    return addresses[:ADDRESSES]


@contextmanager
def _answer(
    url: Url,
    may_connect: MayConnect,
    method: str = "GET",
    headers: Mapping[str, str] = FOR_PICTURES,
    body: bytes | None = None,
) -> Iterator[urllib3.BaseHTTPResponse]:
    """The answer to a request, its body unread."""
    host, scheme = str(url.host), str(url.scheme)
    port = url.port or PORTS[scheme]
    addresses = _resolved(host, port, may_connect)
    for address in addresses:
        with _pool(scheme, host.strip("[]"), address, port) as pool:
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


def _pool(scheme: str, host: str, address: IP, port: int) -> urllib3.HTTPConnectionPool:
    """A connection to ``address`` alone; the certificate must be that of ``host``."""
    patience = Timeout(connect=CONNECT, read=READ)
    if scheme == "http":
        return urllib3.HTTPConnectionPool(str(address), port, timeout=patience, retries=False)
    return urllib3.HTTPSConnectionPool(
        str(address), port, timeout=patience, retries=False, server_hostname=host, assert_hostname=host
    )


def _body(answer: urllib3.BaseHTTPResponse, most: int, deadline: float) -> bytes:
    body = bytearray()
    while piece := answer.read1(PIECE, decode_content=False):
        body += piece
        if len(body) > most:
            raise PictureTooHeavy(most=most // 1024**2)
        if time.monotonic() > deadline:
            raise NothingFetched(why=f"not within {TOTAL:.0f} s")
    return bytes(body)

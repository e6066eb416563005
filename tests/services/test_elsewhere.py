"""Fetching from other hosts: what is public and willing is had, and no address leads into the shop's own network."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from storefront.domain.errors import AddressNotAllowed, NothingFetched, PictureTooHeavy
from storefront.gateways import elsewhere
from storefront.gateways.elsewhere import IP, fetch, is_public, is_public_or_local, is_surely_refused
from tests.receivers import Dripper

MOST = 100_000
INSIDE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0.0.0.0", "localhost", "LOCALHOST", "10.0.0.1",
    "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.2.1", "224.0.0.1",
    "255.255.255.255", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[fd00:ec2::254]", "[fe80::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "[2001:db8::1]",
]  # fmt: skip


class Stranger(BaseHTTPRequestHandler):
    """Another host. It notes what it was asked."""

    asked: list[dict[str, str]]
    wait: threading.Event

    def do_GET(self) -> None:
        self.asked.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        what, _, more = self.path.removeprefix("/").partition("/")
        if what == "to":
            self._answer(302, b"", {"Location": unquote(more)})
        elif what == "many":
            self._answer(200, b"x" * int(more))
        elif what == "status":
            self._answer(int(more), b"no")
        elif what == "drip":
            self.send_response(200)
            self.end_headers()
            while not self.wait.wait(0.02):
                self.wfile.write(b"x")
        else:
            self._answer(200, b"a picture")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(secret: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A stranger's server on loopback: its port, and what it was asked."""
    asked: list[dict[str, str]] = []
    wait = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Stranger,), {"asked": asked, "wait": wait}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever hangs up is what is tested
    if secret:
        server.socket = secret.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        wait.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def stranger() -> Iterator[tuple[int, list[dict[str, str]]]]:
    with serving() as server:
        yield server


def loopback_at(port: int) -> Callable[[IP, int], bool]:
    """Allows this one door."""
    return lambda address, asked: address.is_loopback and asked == port


@pytest.mark.parametrize("host", INSIDE)
def test_no_address_leads_inside(host: str) -> None:
    with pytest.raises(AddressNotAllowed):
        fetch(f"http://{host}/", MOST)


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://me:secret@1.1.1.1/",
        "http://1.1.1.1:6379/",
        "//1.1.1.1/",
        "x",
    ],
)
def test_only_the_usual_doors_of_web_servers_are_knocked_at(address: str) -> None:
    with pytest.raises(AddressNotAllowed):
        fetch(address, MOST)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(ip_address(address), 443)


NEVER = ["https://[::1", "https:///", "https://a..b/", "https://a%00b.com/", 'https://ex">.com/', "https://me@a.com/"]
DOORS = [f"https://example.com:{port}/" for port in (0, 22, 8443, 65535, 65536, 99999)]


@pytest.mark.parametrize("may_connect", [is_public, is_public_or_local])
def test_what_can_never_be_connected_to_is_told_without_asking_for_a_name(may_connect: elsewhere.MayConnect) -> None:
    assert not [address for address in (*NEVER, *DOORS) if not is_surely_refused(address, may_connect)]
    good = [
        "https://example.com",
        "http://example.com./",
        "https://a_b.example:443/",
        "https://例子.中国:80/",
        "https://1.1.1.1/",
    ]
    assert not [address for address in good if is_surely_refused(address, may_connect)]
    local = ["http://localhost:8123/", "http://x.localhost:1/", "http://[::1]:8123/"]
    assert [is_surely_refused(address, may_connect) for address in local] == [may_connect is is_public] * 3
    assert is_surely_refused("https://notlocalhost:8123/", may_connect)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2/", "http://[::1]/", "//169.254.169.254/latest", "file:///etc/passwd"]
)
def test_a_redirect_leads_no_further_than_an_address(stranger: tuple[int, list[dict[str, str]]], target: str) -> None:
    port, asked = stranger

    def only_here(address: IP, asked_port: int) -> bool:
        return str(address) == "127.0.0.1" and asked_port == port

    with pytest.raises(AddressNotAllowed):
        fetch(f"http://127.0.0.1:{port}/to/{quote(target, safe='')}", MOST, only_here)
    assert len(asked) == 1


def test_one_address_among_several_that_is_not_allowed_condemns_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", (address, 80)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(AddressNotAllowed):
        fetch("http://two.example/", MOST)


def test_a_name_is_resolved_once_and_the_address_that_was_judged_is_connected_to(
    stranger: tuple[int, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, asked = stranger
    answers = iter([[(2, 1, 6, "", ("127.0.0.1", port))]])
    real = socket.getaddrinfo

    def resolve(host: str, *more: object, **how: object) -> object:
        return next(answers) if host == "shifty.example" else real(host, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert fetch(f"http://shifty.example:{port}/a%20b?c=d#e", MOST, loopback_at(port)) == b"a picture"
    assert (asked[0]["host"], asked[0]["path"]) == (f"shifty.example:{port}", "/a%20b?c=d")
    assert not asked[0].keys() & {"cookie", "authorization", "referer"}


def test_a_redirect_within_the_public_is_followed_a_few_times(stranger: tuple[int, list[dict[str, str]]]) -> None:
    port, asked = stranger
    here = partial(fetch, most=MOST, may_connect=loopback_at(port))
    assert here(f"http://127.0.0.1:{port}/to/%2Fto%2F%252Fpicture") == b"a picture"
    asked.clear()
    with pytest.raises(NothingFetched):
        here(f"http://127.0.0.1:{port}/to/")  # to itself
    assert len(asked) == elsewhere.REDIRECTS + 1


def test_no_more_is_read_than_may_be(stranger: tuple[int, list[dict[str, str]]]) -> None:
    port, _ = stranger
    assert len(fetch(f"http://127.0.0.1:{port}/many/{MOST}", MOST, loopback_at(port))) == MOST
    with pytest.raises(PictureTooHeavy):
        fetch(f"http://127.0.0.1:{port}/many/{MOST + 1}", MOST, loopback_at(port))


def test_who_sends_a_byte_at_a_time_is_not_waited_for(
    stranger: tuple[int, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, _ = stranger
    monkeypatch.setattr(elsewhere, "FETCHED", 0.3)
    with pytest.raises(NothingFetched):
        fetch(f"http://127.0.0.1:{port}/drip", MOST, loopback_at(port))


@pytest.mark.parametrize(("scheme", "begins"), [("http", Dripper.ANSWER), ("https", Dripper.HANDSHAKE)])
def test_nor_for_who_does_so_before_anything_is_told(
    scheme: str, begins: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "FETCHED", 0.5)
    monkeypatch.setattr(elsewhere, "SENT", 0.5)
    with Dripper(begins) as dripper:
        address, began = f"{scheme}://127.0.0.1:{dripper.port}/", time.monotonic()
        with pytest.raises(NothingFetched):
            fetch(address, MOST, loopback_at(dripper.port))
        with pytest.raises(NothingFetched):
            elsewhere.send(address, b"{}", {}, loopback_at(dripper.port))
        assert time.monotonic() - began < Dripper.LONG / 10
    assert len(dripper.requests) == 2


def test_nor_for_whoever_tells_what_a_name_means(monkeypatch: pytest.MonkeyPatch) -> None:
    told, began, long = threading.Event(), time.monotonic(), 60
    monkeypatch.setattr(elsewhere, "SENT", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: told.wait(long) and [])
    with pytest.raises(NothingFetched):
        elsewhere.send("http://slow.example/", b"{}", {})
    assert time.monotonic() - began < long / 2
    told.set()


@pytest.mark.parametrize("status", [204, 404, 500])
def test_another_answer_than_a_good_one_may_be_asked_for_again(
    stranger: tuple[int, list[dict[str, str]]], status: int
) -> None:
    port, _ = stranger
    with pytest.raises(NothingFetched):
        fetch(f"http://127.0.0.1:{port}/status/{status}", MOST, loopback_at(port))


def test_a_host_that_is_not_there_may_be_asked_again() -> None:
    with pytest.raises(NothingFetched):
        fetch("http://127.0.0.1:9/", MOST, loopback_at(9))


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_over_https_the_certificate_must_be_the_names_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    secret = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secret.load_cert_chain(certificate, key)
    with serving(secret) as (port, _):
        with pytest.raises(NothingFetched):
            fetch(f"https://localhost:{port}/", MOST, loopback_at(port))  # nobody vouches for it
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(f"https://localhost:{port}/", MOST, loopback_at(port)) == b"a picture"
        with pytest.raises(NothingFetched):
            fetch(f"https://127.0.0.1:{port}/", MOST, loopback_at(port))  # it is another's

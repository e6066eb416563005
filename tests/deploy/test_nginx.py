"""nginx in front of the shop, as deploy/nginx has it: whom it lets in, what it keeps, and what it says by itself."""

import http.client
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local.embedded import LOOPBACK, free_port
from storefront.local.shop import LocalShop
from storefront.services import tokens
from storefront.shop import Shop
from storefront.web.faces import GUARDED, OVER_HTTPS_ALONE, POLICY
from tests.conftest import eventually
from tests.deploy.front import Front, needs_nginx, nginx_before
from tests.web.test_traffic import logged

pytestmark = needs_nginx

LIMIT = 6
"""Requests of one address that the web process behind nginx lets through."""

OLD = "0123456789ab"
"""A version of a file that only an earlier release had."""


@dataclass(frozen=True)
class Behind(Front):
    """nginx, and the one web process behind it; where another should be, nothing listens."""

    web: LocalShop
    files: Path


@pytest.fixture(scope="module")
def front(real_shop: LocalShop, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """nginx, and a web process of the running shop that believes it and has its cookies travel over https alone."""
    folder = tmp_path_factory.mktemp("nginx")
    own = {"STOREFRONT_PROXIES": "1", "STOREFRONT_LIMIT_DEFAULT": f"{LIMIT}/hour", "STOREFRONT_INSECURE_COOKIES": "0"}
    files = folder / "files"
    subprocess.run([sys.executable, root / "deploy" / "keep_files.py", root / "static", files], check=True)
    (files / OLD).mkdir()
    (files / OLD / "style.css").write_text("/* of an earlier release */")
    with (
        LocalShop(folder / "web", env=real_shop.env | own, only=("web",)) as web,
        nginx_before((web.port, free_port()), root, folder, files) as nginx,
    ):
        yield Behind(nginx.secure, nginx.plain, nginx.ca, web, files)


def test_plain_http_is_led_to_tls(front: Behind) -> None:
    led = front.caller("127.0.0.21").get(f"{front.plain}/a?b=c", allow_redirects=False)
    assert (led.status_code, led.headers["Location"]) == (301, f"{front.secure}/a?b=c")


def test_a_file_whose_address_names_its_content_is_kept_for_a_year_and_no_other(front: Behind, root: Path) -> None:
    client, content = front.caller("127.0.0.21"), (root / "static" / "style.css").read_bytes()
    page = client.get(f"{front.secure}/login").text
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert address.startswith("/static/style.css?v=")
    for version, told in ((address.partition("=")[2], content), (OLD, b"/* of an earlier release */")):
        kept = client.get(f"{front.secure}/static/style.css?v={version}")
        assert kept.content == told
        assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert kept.headers["Content-Type"] == "text/css"
    assert client.get(front.secure + address).headers["Content-Encoding"] == "gzip"
    # what isn't kept is the shop's to answer: with what it has, for now
    for asked in ("", "?v=", "?v=ba9876543210", "?v=none", "?v=..", f"?v=../{OLD}"):
        other = client.get(f"{front.secure}/static/style.css{asked}")
        assert (other.content, other.headers["Cache-Control"]) == (content, "no-cache"), asked
    for path in ("../storefront/config.py", "none.css", f"none.css?v={OLD}", "vendor", f"%2e%2e/{OLD}/style.css"):
        assert client.get(f"{front.secure}/static/{path}").status_code == 404


def test_every_answer_guards_its_reader_also_where_nginx_gives_it(front: Behind, root: Path) -> None:
    client = front.caller("127.0.0.27")
    page = client.get(f"{front.secure}/login")
    style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    tag = client.get(front.secure + style).headers["ETag"]
    answers = {
        200: page,
        304: client.get(front.secure + style, headers={"If-None-Match": tag}),
        403: client.get(f"{front.secure}/metrics"),
        404: client.get(f"{front.secure}/static/none.css"),
        413: client.post(f"{front.secure}/login", data=b"x" * (33 * 1024 * 1024)),
    }  # fmt: skip
    front.web.processes["web"].stop()
    try:
        answers[502] = client.get(f"{front.secure}/login")
    finally:
        front.web.processes["web"].start()
        front.web.processes["web"].wait_ready()
    for status, answer in answers.items():
        assert answer.status_code == status
        for name, value in [OVER_HTTPS_ALONE, *GUARDED]:
            if name not in ("Permissions-Policy", "Cross-Origin-Opener-Policy") or status == 200:  # pages' alone
                assert answer.raw.headers.getlist(name) == [value], (status, name)
        assert answer.raw.headers.getlist("Content-Security-Policy") == [POLICY % ("", "")], status
        assert len(answer.headers["X-Request-ID"]) == 32


def test_who_asks_for_another_name_is_told_nothing(front: Behind) -> None:
    plain, secure = urlsplit(front.plain).port, urlsplit(front.secure).port
    assert plain
    assert secure
    trusting = ssl.create_default_context(cafile=str(front.ca))
    for host in ("evil.example", LOOPBACK, "localhost.evil.example", ""):
        for connection in (
            http.client.HTTPConnection(LOOPBACK, plain),
            http.client.HTTPSConnection("localhost", secure, context=trusting),
        ):
            connection.request("GET", "/", headers={"Host": host} if host else {})
            if host:
                with pytest.raises(http.client.RemoteDisconnected):
                    connection.getresponse()
            connection.close()
    with socket.create_connection((LOOPBACK, secure)) as bare, pytest.raises(ssl.SSLError, match="unrecognized"):
        ssl._create_unverified_context().wrap_socket(bare, server_hostname="evil.example")


def test_limits_count_the_real_caller_whoever_they_say_they_are(front: Behind) -> None:
    def asks(address: str) -> list[int]:
        client = front.caller(address)
        return [
            client.get(f"{front.secure}/login", headers={name: f"10.0.0.{number}"}).status_code
            for number, name in enumerate(["X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded"] * 2)
        ]

    assert asks("127.0.0.22") == [200] * LIMIT + [429] * 2
    assert asks("127.0.0.23") == [200] * LIMIT + [429] * 2


def test_a_request_id_is_nginxs_own_and_stands_in_the_log(
    front: Behind, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], real_shop: LocalShop
) -> None:
    client, sale, buyer = front.caller("127.0.0.24"), a_sale(), somebody()
    token = tokens.issue(buyer, shop.config.secret, 60)
    bought = client.post(
        f"{front.secure}/miaosha/{sale.product}", json={"token": token}, headers={"X-Request-ID": "made-up-by-me"}
    )
    assert bought.status_code == 200
    request_id = bought.headers["X-Request-ID"]
    assert len(request_id) == 32
    assert eventually(lambda: logged(front.web, "web", request_id))[0]["route"].startswith("/miaosha/")
    assert eventually(lambda: logged(real_shop, "orders", request_id))[0]["order"] == bought.json()["order"]
    # what the gate refuses has one too
    eventually(lambda: client.post(f"{front.secure}/miaosha/{sale.product}", json={"token": token}).status_code == 409)
    assert len(client.get(f"{front.secure}/static/none").headers["X-Request-ID"]) == 32


def test_how_a_sale_stands_is_asked_for_once_a_second_however_many_watch(
    front: Behind, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale, client = a_sale(), front.caller("127.0.0.25")
    route = ("GET", "/sales/<sale_id>/status")

    def asked() -> int:
        found = shop.traffic.counts().get(route)
        return sum(found.statuses.values()) if found else 0

    before, watched = asked(), 300
    answers = [client.get(f"{front.secure}/sales/{sale.id}/status?nocache={number}") for number in range(watched)]
    seconds = sum(answer.elapsed.total_seconds() for answer in answers)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["units"]["left"] if "units" in answer.json() else 1 for answer in answers} == {1}
    eventually(lambda: asked() > before)
    assert asked() - before <= seconds + 3
    assert all(len(answer.headers["X-Request-ID"]) == 32 for answer in answers)
    assert all(len(answer.raw.headers.getlist("Content-Security-Policy")) == 1 for answer in answers)  # kept ones, too


@pytest.mark.parametrize("size", [100_000, 9 * 1024 * 1024 + 1, 20 * 1024 * 1024])
def test_what_is_too_large_the_shop_refuses_in_the_callers_language(front: Behind, size: int) -> None:
    client = front.caller(f"127.0.1.{len(str(size))}")
    refused = client.post(f"{front.secure}/login", data=b"x" * size, headers={"Content-Type": "application/json"})
    assert refused.status_code == 413
    assert json.loads(refused.text)["code"] == "too_large"
    spoken = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "zh"}
    page = client.post(f"{front.secure}/login", data=b"x" * size, headers=spoken)
    assert page.status_code == 413
    assert "请求太大" in page.text


def test_figures_are_for_the_inside(front: Behind) -> None:
    client = front.caller("127.0.0.26")
    for path in ("/metrics", "/readyz"):
        assert client.get(front.secure + path).status_code == 403
        assert front.caller("127.0.0.1").get(front.secure + path).status_code == 200

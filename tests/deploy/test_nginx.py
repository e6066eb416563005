"""nginx in front of the shop, as deploy/nginx has it: a real one, its names, ports and folders replaced by a test's."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local.embedded import LOOPBACK, free_port
from storefront.local.process import Process
from storefront.local.shop import LocalShop
from storefront.services import tokens
from storefront.shop import Shop
from tests import certificates
from tests.conftest import eventually
from tests.web.test_traffic import logged

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx here (Debian: nginx-light)")

AROUND = """
pid {folder}/nginx.pid;
error_log stderr warn;
worker_processes 1;
{user}
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {shop}
}}
"""
LIMIT = 6
"""Requests of one address that the web process behind nginx lets through."""


@dataclass(frozen=True)
class Front:
    """What runs: the address with and without TLS, and the web process behind."""

    secure: str
    plain: str
    ca: Path
    web: LocalShop

    def caller(self, address: str) -> requests.Session:
        """A client that connects from ``address``, on loopback."""
        client = requests.Session()
        for scheme in ("https://", "http://"):
            client.mount(scheme, From(address))
        client.trust_env = False  # what this machine trusts is no part of the test
        client.verify = str(self.ca)
        return client


class From(HTTPAdapter):
    """Connects from an address."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        """See ``HTTPAdapter``."""
        super().init_poolmanager(*sizes, **options, source_address=(self._address, 0))


@pytest.fixture(scope="module")
def front(real_shop: LocalShop, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """nginx, and a web process of the running shop that believes it."""
    folder = tmp_path_factory.mktemp("nginx")
    env = real_shop.env | {"STOREFRONT_PROXIES": "1", "STOREFRONT_LIMIT_DEFAULT": f"{LIMIT}/hour"}
    plain, secure = free_port(), free_port()
    keystore = certificates.make(folder)
    with LocalShop(folder / "web", env=env, only=("web",)) as web:
        told = configuration(root, folder, {
            "127.0.0.1:8000": f"{LOOPBACK}:{web.port}",
            "listen 80;": f"listen {LOOPBACK}:{plain};",
            "listen 443 ssl http2;": f"listen {LOOPBACK}:{secure} ssl http2;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
            "https://$host$": f"https://$host:{secure}$",
            "shop.example.com;": "localhost;",
            "/etc/letsencrypt/live/shop.example.com/fullchain.pem": str(keystore),
            "/etc/letsencrypt/live/shop.example.com/privkey.pem": str(keystore),
            "/var/cache/nginx/shop": str(folder / "cache"),
            "/srv/shop/current/static/": f"{root / 'static'}/",
        })  # fmt: skip
        nginx = Process("nginx", [str(NGINX), "-c", str(told), "-g", "daemon off;"], lambda _: answers(plain))
        nginx.start()
        try:
            nginx.wait_ready()
            yield Front(f"https://localhost:{secure}", f"http://localhost:{plain}", folder / "certificate.pem", web)
        finally:
            nginx.stop()


def configuration(root: Path, folder: Path, replaced: dict[str, str]) -> Path:
    """A file with the whole configuration: what deploy/ has, with some of it replaced, each of which must be there."""
    text = (root / "deploy" / "nginx" / "shop.conf").read_text()
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    user = "user root;" if Path("/root").owner() == Path("~").expanduser().owner() else ""
    told = folder / "nginx.conf"
    told.write_text(AROUND.format(folder=folder, shop=text, user=user))
    return told


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://{LOOPBACK}:{port}/", timeout=5, allow_redirects=False).status_code == 301
    except requests.RequestException:
        return False


def test_plain_http_is_led_to_tls_and_files_come_from_nginx_for_a_year(front: Front, root: Path) -> None:
    client = front.caller("127.0.0.21")
    led = client.get(f"{front.plain}/a?b=c", allow_redirects=False)
    assert (led.status_code, led.headers["Location"]) == (301, f"{front.secure}/a?b=c")
    name = next(file.name for file in (root / "static").glob("*.css"))
    kept = client.get(f"{front.secure}/static/{name}?v=abc")
    assert kept.content == (root / "static" / name).read_bytes()
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert kept.headers["Content-Encoding"] == "gzip"
    assert kept.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(f"{front.secure}/static/{name}").headers["Cache-Control"] == "no-cache"
    assert client.get(f"{front.secure}/static/../storefront/config.py").status_code == 404
    home = client.get(front.secure)
    assert home.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_limits_count_the_real_caller_whoever_they_say_they_are(front: Front) -> None:
    def asks(address: str) -> list[int]:
        client = front.caller(address)
        return [
            client.get(f"{front.secure}/login", headers={name: f"10.0.0.{number}"}).status_code
            for number, name in enumerate(["X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded"] * 2)
        ]

    assert asks("127.0.0.22") == [200] * LIMIT + [429] * 2
    assert asks("127.0.0.23") == [200] * LIMIT + [429] * 2


def test_a_request_id_is_nginxs_own_and_stands_in_the_log(
    front: Front, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], real_shop: LocalShop
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
    front: Front, shop: Shop, a_sale: Callable[..., Sale]
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


def test_what_is_too_large_is_refused_and_figures_are_for_the_inside(front: Front) -> None:
    client = front.caller("127.0.0.26")
    assert client.post(f"{front.secure}/login", data=b"x" * (9 * 1024 * 1024 + 1)).status_code == 413
    refused = client.post(f"{front.secure}/login", data=b"x" * 100_000, headers={"Content-Type": "application/json"})
    assert refused.status_code == 413
    assert json.loads(refused.text)["code"] == "too_large"
    for path in ("/metrics", "/readyz"):
        assert client.get(front.secure + path).status_code == 403
        assert front.caller("127.0.0.1").get(front.secure + path).status_code == 200

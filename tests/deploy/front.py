"""nginx as deploy/nginx has it: a real one, its names, ports and folders replaced by a test's."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from storefront.local.embedded import LOOPBACK, free_port
from storefront.local.process import Process
from tests import certificates

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx here (Debian: nginx-light)")

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


@dataclass(frozen=True)
class Front:
    """Where nginx is, with and without TLS, and who has signed for it."""

    secure: str
    plain: str
    ca: Path

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


@contextmanager
def nginx_before(ports: Sequence[int], root: Path, folder: Path, files: Path) -> Iterator[Front]:
    """Start nginx in front of the web processes at two ports, with ``files`` as deploy/keep_files.py keeps them."""
    plain, secure = free_port(), free_port()
    keystore = certificates.make(folder)
    told = configuration(root, folder, {
        "127.0.0.1:8001": f"{LOOPBACK}:{ports[0]}",
        "127.0.0.1:8002": f"{LOOPBACK}:{ports[1]}",
        "listen 80 default_server;": f"listen {LOOPBACK}:{plain} default_server;",
        "listen 443 ssl http2 default_server;": f"listen {LOOPBACK}:{secure} ssl http2 default_server;",
        "listen 80;": f"listen {LOOPBACK}:{plain};",
        "listen 443 ssl http2;": f"listen {LOOPBACK}:{secure} ssl http2;",
        "listen [::]:80 default_server;": "",
        "listen [::]:443 ssl http2 default_server;": "",
        "listen [::]:80;": "",
        "listen [::]:443 ssl http2;": "",
        "https://$host$": f"https://$host:{secure}$",
        "shop.example.com;": "localhost;",
        "/etc/letsencrypt/live/shop.example.com/fullchain.pem": str(keystore),
        "/etc/letsencrypt/live/shop.example.com/privkey.pem": str(keystore),
        "/var/cache/nginx/shop": str(folder / "cache"),
        "/srv/shop/files": str(files),
    })  # fmt: skip
    nginx = Process("nginx", [str(NGINX), "-c", str(told), "-g", "daemon off;"], lambda _: answers(plain))
    nginx.start()
    try:
        nginx.wait_ready()
        yield Front(f"https://localhost:{secure}", f"http://localhost:{plain}", folder / "certificate.pem")
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
    """Whether nginx leads people from there to TLS."""
    try:
        found = requests.get(f"http://localhost:{port}/", timeout=5, allow_redirects=False)
    except requests.RequestException:
        return False
    return found.status_code == 301

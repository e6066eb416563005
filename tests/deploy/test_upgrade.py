"""An upgrade while the shop sells, as docs/deploy.md tells it: units restarted one after the other, behind nginx."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest
import requests

from storefront.domain.account import Account
from storefront.domain.sale import Sale
from storefront.local.embedded import free_port
from storefront.local.process import Process
from storefront.local.shop import LocalShop
from storefront.services import tokens
from storefront.shop import Shop
from tests.conftest import eventually
from tests.deploy.front import Front, needs_nginx, nginx_before
from tests.deploy.test_settings import environment_lines

pytestmark = needs_nginx

PARTS = ("storefront", "templates", "static", "deploy", "wsgi.py", "worker.py")
LOOKING, BUYING = 5, 4
"""Callers: enough of them that one is always being answered."""

STYLE = re.compile(r'rel="stylesheet" href="(/static/style\.css\?v=\w+)"')


def release(root: Path, folder: Path, number: int) -> Path:
    """A release's folder. Each says its number in one answer and in one file."""
    made = folder / "releases" / str(number)
    made.mkdir(parents=True)
    for part in PARTS:
        source = root / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, made / part)
    (made / "venv").symlink_to(Path(sys.prefix))
    health = made / "storefront" / "web" / "ops.py"
    health.write_text(health.read_text().replace('{"status": "ok"}', f'{{"status": "ok", "release": {number}}}'))
    with (made / "static" / "style.css").open("a") as style:
        style.write(f"/* release {number} */\n")
    return made


def switched(release: Path, files: Path) -> Path:
    """The link to the release that units start from; its files are there before."""
    subprocess.run([sys.executable, "deploy/keep_files.py", "static", files], cwd=release, check=True)
    link = release.parent.parent / "current"
    subprocess.run(["ln", "-sfn", release, link], check=True)
    return link


def named_in(page: str) -> str:
    """The address of the style sheet that a page names."""
    found = STYLE.search(page)
    assert found
    return found[1]


class Unit:
    """A web unit: what systemd would run, told by the unit's file, with another port and folder."""

    def __init__(self, file: Path, current: Path, env: dict[str, str]) -> None:
        self.port = free_port()
        self._told = file.read_text().replace("\\\n", "")
        told = dict(line.split("=", 1) for line in environment_lines(file) if "_FILE=" not in line)
        self._env, self._current = env | told, current
        self.warnings: list[str] = []
        self.process = Process(
            "web", self._command("ExecStart"), lambda _: True, env=self._env, cwd=current, sink=self._hear
        )

    def _hear(self, line: str) -> None:
        if "WARNING" in line:
            self.warnings.append(line)

    def _command(self, name: str) -> list[str]:
        (line,) = re.findall(rf"^{name}=(.*)$", self._told, re.MULTILINE)
        return shlex.split(line.replace("$$", "$").replace("800%i", str(self.port)))

    def wait(self) -> None:
        """As `systemctl start` does for what the unit has after its start."""
        subprocess.run(self._command("ExecStartPost"), cwd=self._current, env=self._env, check=True)

    def restart(self) -> None:
        """As `systemctl restart`."""
        self.process.stop(grace=30)
        assert self.process.exit_code == 0
        self.process.start()
        self.wait()

    def folders(self) -> set[str]:
        """Where its processes, the web processes among them, take their files from."""
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        ours = [pid for pid in pids if session_of(pid) == self.process.pid]
        assert len(ours) >= 3
        return {str(Path(f"/proc/{pid}/cwd").readlink()) for pid in ours}


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


class Crowd:
    """Callers who go on until the block ends; ``seen`` counts how each of their requests went."""

    def __init__(self, front: Front, purchases: list[tuple[str, str]]) -> None:
        self.seen: Counter[str] = Counter()
        self.lasted, self._began = 0.0, time.monotonic()
        self._front, self._over, self._lock = front, threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._go_on, args=[self._look]) for _ in range(LOOKING)]
        self._threads += [threading.Thread(target=self._go_on, args=[self._buys(*one)]) for one in purchases]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.lasted = time.monotonic() - self._began

    def _go_on(self, act: Callable[[requests.Session], str]) -> None:
        client = self._front.caller("127.0.0.31")
        while not self._over.is_set():
            try:
                found = act(client)
            except requests.RequestException as fault:
                found = f"lost: {fault}"
            with self._lock:
                self.seen[found] += 1

    def _look(self, client: requests.Session) -> str:
        """A page, and the file that it names: it must be that one."""
        page = client.get(f"{self._front.secure}/login")
        if page.status_code != 200:
            return f"page {page.status_code}"
        address = named_in(page.text)
        file = client.get(self._front.secure + address)
        if file.status_code != 200 or "immutable" not in file.headers["Cache-Control"]:
            return f"file {file.status_code}"
        version = address.partition("=")[2]
        return "looked" if hashlib.sha256(file.content).hexdigest().startswith(version) else "another release's file"

    def _buys(self, product: str, token: str) -> Callable[[requests.Session], str]:
        def buy(client: requests.Session) -> str:
            answer = client.post(f"{self._front.secure}/miaosha/{product}", json={"token": token})
            return "bought" if answer.status_code == 200 else f"purchase {answer.status_code}"

        return buy


@pytest.mark.timeout(240)  # a quarter of a minute alone; it starts eight web processes, beside whatever else is tested
def test_an_upgrade_loses_no_request_and_leaves_nothing_of_the_old_release(
    real_shop: LocalShop, shop: Shop, somebody: Callable[..., Account], a_sale: Callable[..., Sale], root: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    files, sale = tmp_path / "files", a_sale(num=100_000, limit=100_000)
    own = {"STOREFRONT_PROXIES": "1", "STOREFRONT_PIN": "0", "STOREFRONT_INSECURE_COOKIES": "0"}
    tokens_of = [tokens.issue(somebody(), shop.config.secret, 600) for _ in range(BUYING)]
    file = root / "deploy" / "systemd" / "shop-web@.service"
    first = release(root, tmp_path, 1)
    current = switched(first, files)
    units = [Unit(file, current, real_shop.env | own) for _ in range(2)]
    with ExitStack() as running:
        for unit in units:
            running.callback(unit.process.stop)
            unit.process.start()
        for unit in units:
            unit.wait()
        front = running.enter_context(nginx_before([unit.port for unit in units], root, tmp_path, files))
        caller = front.caller("127.0.0.32")
        old_style = named_in(caller.get(f"{front.secure}/login").text)
        second = release(root, tmp_path, 2)
        with Crowd(front, [(sale.product, token) for token in tokens_of]) as crowd:
            eventually(lambda: crowd.seen["looked"] > 20 and crowd.seen["bought"] > 20)
            switched(second, files)
            for unit in units:
                unit.restart()
            before = crowd.seen["looked"]
            eventually(lambda: crowd.seen["looked"] > before + 20)
        assert crowd.seen.keys() == {"looked", "bought"}, crowd.seen
        print(f"{crowd.seen}, in {crowd.lasted:.1f} s")  # docs/deploy.md tells such figures
        assert {folder for unit in units for folder in unit.folders()} == {str(second)}
        shutil.rmtree(first)
        assert {caller.get(f"{front.secure}/healthz").json()["release"] for _ in range(6)} == {2}
        for style, number in ((old_style, 1), (named_in(caller.get(f"{front.secure}/login").text), 2)):
            kept = caller.get(front.secure + style)
            assert kept.text.endswith(f"/* release {number} */\n")
            assert "immutable" in kept.headers["Cache-Control"]
        for unit in units:  # each of its two processes said so once, before and after
            assert sum("PAYMENTS MOVE NO MONEY" in line for line in unit.warnings) == 4
    placed = eventually(lambda: (now := shop.sales.get(sale.id)) and now.units.reserved == 0 and now.units)
    assert placed.unpaid == crowd.seen["bought"]

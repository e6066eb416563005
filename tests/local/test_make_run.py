"""`python -m storefront.local`, what `make run` starts: the whole shop, and its sentences."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest
import requests

from storefront.local.embedded import free_port
from tests.conftest import eventually
from tests.local.conftest import PATIENCE, Runner, gone

START = 90.0  # seconds for the whole shop on a loaded machine


def settings(var: Path, **more: object) -> dict[str, str]:
    """The environment of a run: the machine's own without a shop's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STOREFRONT_")}
    return kept | {"VAR": str(var), "WEB_PROCESSES": "1"} | {name: str(value) for name, value in more.items()}


def sentence(process: "subprocess.Popen[str]") -> str:
    """What a run that could not start said on its standard error."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 1
    return errors


def sales(port: int) -> list[dict[str, object]]:
    """The shop's sales; none while it isn't there."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/", headers={"Accept": "application/json"}, timeout=5)
        return list(answer.json()["sales"]) if answer.ok else []
    except requests.ConnectionError:
        return []


def lines_until(process: "subprocess.Popen[str]", part: str) -> list[str]:
    """The lines up to and with the first that contains ``part``."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if part in line:
            return lines
    pytest.fail("\n".join(lines))


@pytest.mark.timeout(300)
def test_a_run_opens_the_shop_with_demo_sales_stops_cleanly_and_finds_its_data_again(
    run: Runner, tmp_path: Path
) -> None:
    port = free_port()
    first = run("-m", "storefront.local", env=settings(tmp_path, PORT=port))
    lines = "\n".join(lines_until(first, "demo sales"))
    assert f"http://127.0.0.1:{port}" in lines
    assert "Three demo sales were added" in lines
    assert "anyone may create them: this run listens on loopback only" in lines
    assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    shown = eventually(lambda: sales(port), START)
    assert all("/pictures/" in str(sale["image"]) for sale in shown)
    names = {sale["name"] for sale in shown}
    assert len(names) == 3

    everything = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGINT)
    _, errors = first.communicate(timeout=START)
    assert (first.returncode, errors) == (0, "")
    assert all(gone(process.pid) for process in everything)

    second = run("-m", "storefront.local", env=settings(tmp_path, PORT=port))
    assert "no demo sale was added" in lines_until(second, "demo sale")[-1]
    assert {sale["name"] for sale in sales(port)} == names
    second.send_signal(signal.SIGTERM)
    assert second.wait(START) == 0


def test_a_port_in_use_is_a_sentence(run: Runner, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence(run("-m", "storefront.local", env=settings(tmp_path, PORT=port)))
    assert f"Port {port} on 127.0.0.1 is in use" in said


def test_a_data_folder_in_use_is_a_sentence(run: Runner, tmp_path: Path) -> None:
    holder = run(
        "-c",
        "import sys; from pathlib import Path; from storefront.local.folder import DataFolder; "
        f"DataFolder(Path({str(tmp_path)!r})); print('held', flush=True); sys.stdin.read()",
    )
    lines_until(holder, "held")
    said = sentence(run("-m", "storefront.local", env=settings(tmp_path, PORT=free_port())))
    assert "Another shop runs in the data folder" in said


def test_a_data_folder_that_cannot_be_made_is_a_sentence(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = sentence(run("-m", "storefront.local", env=settings(tmp_path / "file" / "var", PORT=free_port())))
    assert "can't be used" in said


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("PORT", "http", "PORT is 'http', but must be a number from 1 to 65535"),
        ("PORT", "70000", "PORT is '70000'"),
        ("WEB_PROCESSES", "0", "WEB_PROCESSES is '0'"),
        ("HOST", "no-such-host.invalid", "Check HOST and PORT"),
        ("STOREFRONT_REDIS_URL", "redis://127.0.0.1:1/0", "No Redis answers at redis://127.0.0.1:1/0"),
        ("STOREFRONT_KAFKA", "127.0.0.1:1", "No Kafka broker answers at 127.0.0.1:1"),
    ],
)
def test_a_wrong_setting_is_a_sentence(run: Runner, tmp_path: Path, name: str, value: str, part: str) -> None:
    said = sentence(run("-m", "storefront.local", env=settings(tmp_path, PORT=free_port()) | {name: value}))
    assert part in said

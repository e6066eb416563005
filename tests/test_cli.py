"""The operator's commands, and starting with wrong settings."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from storefront.domain.account import Account
from storefront.shop import Shop

GOOD = {
    "STOREFRONT_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz",
    "STOREFRONT_REDIS_URL": "redis://127.0.0.1:1/0",
    "STOREFRONT_KAFKA": "127.0.0.1:1",
    "STOREFRONT_PICTURES": ".",
}


def test_a_role_is_granted_and_revoked(app: Flask, shop: Shop, somebody: Callable[..., Account]) -> None:
    run, name = app.test_cli_runner().invoke, somebody().name
    assert run(args=["merchant", "grant", name]).exit_code == 0
    assert shop.accounts.get(name).merchant  # type: ignore[union-attr]
    assert run(args=["merchant", "revoke", name]).exit_code == 0
    assert not shop.accounts.get(name).merchant  # type: ignore[union-attr]
    assert run(args=["account", "delete", name]).exit_code == 0
    result = run(args=["merchant", "grant", name])
    assert result.exit_code == 1
    assert f"There is no account named “{name}”." in result.output


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"STOREFRONT_SECRET": None}, "STOREFRONT_SECRET"),
        ({"STOREFRONT_SECRET": "short"}, "shorter than 32"),
        ({"STOREFRONT_SECRET": "change-me-change-me-change-me-change-me"}, "placeholder"),
        ({"STOREFRONT_REDIS_URL": None}, "STOREFRONT_REDIS_URL"),
        ({"STOREFRONT_KAFKA": None}, "STOREFRONT_KAFKA"),
        ({"STOREFRONT_PAYMENT_WINDOW": "soon"}, "STOREFRONT_PAYMENT_WINDOW"),
        ({"STOREFRONT_SALES_OPEN_TO": "all"}, "STOREFRONT_SALES_OPEN_TO"),
        ({"STOREFRONT_LIMIT_LOGIN": "lots"}, "STOREFRONT_LIMIT_LOGIN"),
        ({"STOREFRONT_REDIS_URL": "bla"}, "STOREFRONT_REDIS_URL"),
        ({"STOREFRONT_PICTURES": "no/such/folder"}, "STOREFRONT_PICTURES"),
    ],
)
@pytest.mark.parametrize("door", [["-c", "import wsgi"], ["worker.py", "orders"]], ids=["web", "worker"])
def test_a_wrong_setting_stops_the_start_with_one_sentence(
    root: Path, door: list[str], changed: dict[str, str | None], says: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STOREFRONT_")}
    settings = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    done = subprocess.run(
        [sys.executable, *door],
        env={**kept, **settings},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_command_without_redis_says_so_in_one_sentence(root: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STOREFRONT_")}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "merchant", "grant", "x"],
        env={**kept, **GOOD}, cwd=root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1)
    assert "Redis does not answer" in done.stderr

"""What deploy/ sets are settings that the shop knows, and with which it starts."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from storefront.config import Config, from_environment

SECRETS = {"SECRET": "0123456789abcdef" * 4, "REDIS_URL": "redis://shop:secret@redis:6379/0"}


@pytest.fixture
def compose(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "deploy" / "compose.yaml").read_text())
    return found


def settings_known(root: Path) -> set[str]:
    """The names of the settings, as ``config.py`` reads them."""
    text = (root / "storefront" / "config.py").read_text()
    return set(re.findall(r'env(?:\.\w+\(|, )"([A-Z_]+)"', text))


def started_with(env: dict[str, str], folder: Path, patch: pytest.MonkeyPatch) -> Config:
    """The settings that a process would have which is started in this environment; its files are in ``folder``."""
    for name, value in SECRETS.items():
        (folder / name).write_text(value)
        assert f"STOREFRONT_{name}_FILE" in env
        env[f"STOREFRONT_{name}_FILE"] = str(folder / name)
    for name, value in (env | {"STOREFRONT_PICTURES": str(folder)}).items():
        patch.setenv(name, value)
    return from_environment()


def unit_environment(unit: Path) -> dict[str, str]:
    """What a systemd unit has in its environment, its EnvironmentFile being the one beside it."""
    lines = [*(unit.parent / "shop.env").read_text().splitlines(), *environment_lines(unit)]
    return dict(line.split("=", 1) for line in lines if line.startswith(("STOREFRONT_", "PYTHON")))


def environment_lines(unit: Path) -> Iterator[str]:
    for line in unit.read_text().splitlines():
        if line.startswith("Environment="):
            yield from shlex.split(line.removeprefix("Environment="))


def test_every_setting_that_deploy_names_exists_and_every_setting_is_documented(root: Path) -> None:
    known = settings_known(root)
    assert {"SECRET", "LOG", "KAFKA_PASSWORD", "LIMIT_BUY_ACCOUNT", "BANS"} <= known
    for path in (root / "deploy").rglob("*.*"):
        named = set(re.findall(r"STOREFRONT_([A-Z_]+)", path.read_text()))
        assert {name.removesuffix("_FILE") for name in named} <= known, path
    documented = set(re.findall(r"STOREFRONT_([A-Z_]+)", (root / "docs" / "operations.md").read_text()))
    assert known <= documented


def test_every_container_of_the_shop_starts_with_its_settings(
    compose: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {name: told for name, told in compose["services"].items() if told["image"] == "shop:latest"}
    assert ours.keys() == {"web-1", "web-2", "orders", "expiry"}
    for told in ours.values():
        config = started_with(told["environment"], tmp_path, monkeypatch)
        assert (config.log, config.proxies) == ("json", 1)
        assert set(told["secrets"]) <= compose["secrets"].keys()
        assert set(told["networks"]) <= compose["networks"].keys()
        assert told["depends_on"].keys() <= compose["services"].keys()


@pytest.mark.parametrize("name", ["shop-web.service", "shop-orders@.service", "shop-expiry@.service"])
def test_every_unit_starts_with_its_settings(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = started_with(unit_environment(root / "deploy" / "systemd" / name), tmp_path, monkeypatch)
    assert (config.log, config.proxies, config.replication) == ("json", 1, 3)


def test_whatever_the_image_is_made_of_exists_and_is_let_in(root: Path) -> None:
    let_in = {line[1:] for line in (root / "deploy" / "Dockerfile.dockerignore").read_text().split() if line[0] == "!"}
    copied = [
        name
        for line in (root / "deploy" / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    assert set(copied) == let_in
    assert all((root / name).exists() for name in copied)

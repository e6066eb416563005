"""What deploy/ sets are settings that the shop knows, and with which it starts."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from storefront.config import Config, from_environment

SERVICES = {"web-1", "web-2", "orders", "expiry"}
UNITS = ("shop-web@.service", "shop-orders@.service", "shop-expiry@.service")
SECRETS = {"SECRET": "0123456789abcdef" * 4, "REDIS_URL": "redis://shop:secret@redis:6379/0"}


@pytest.fixture
def compose(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "deploy" / "compose.yaml").read_text())
    return found


def settings_known(root: Path) -> set[str]:
    """The names of the settings, as ``config.py`` reads them."""
    text = (root / "storefront" / "config.py").read_text()
    return set(re.findall(r'env(?:\.\w+\(|, )"([A-Z_]+)"', text)) | set(re.findall(r'"(STRIPE_[A-Z_]+)": ', text))


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
    """What a systemd unit has in its environment: its EnvironmentFile, the one beside it, has the last word."""
    lines = [*environment_lines(unit), *(unit.parent / "shop.env").read_text().splitlines()]
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
    assert ours.pop("files")["network_mode"] == "none"  # it only copies
    assert ours.keys() == SERVICES
    for told in ours.values():
        config = started_with(told["environment"], tmp_path, monkeypatch)
        assert (config.log, config.proxies) == ("json", 1)
        assert set(told["secrets"]) <= compose["secrets"].keys()
        assert set(told["networks"]) <= compose["networks"].keys()
        assert told["depends_on"].keys() <= compose["services"].keys()


def test_containers_take_real_money_with_the_file_for_stripe_and_no_other_setting(
    compose: dict[str, Any], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = yaml.safe_load((root / "deploy" / "compose.stripe.yaml").read_text())
    assert more["services"].keys() == SERVICES
    files = {"STRIPE_KEY": "rk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}
    for name, told in more["services"].items():
        env = compose["services"][name]["environment"] | told["environment"]
        for setting, value in files.items():
            secret = setting.lower()
            assert secret in told["secrets"]
            assert env[f"STOREFRONT_{setting}_FILE"] == f"/run/secrets/{secret}"
            assert more["secrets"][secret] == {"file": f"./secrets/{secret}"}
            (tmp_path / secret).write_text(value)
            env[f"STOREFRONT_{setting}_FILE"] = str(tmp_path / secret)
        config = started_with(env, tmp_path, monkeypatch)
        assert (config.payments, config.stripe_key, config.stripe_webhook_secret) == ("stripe", *files.values())
    for name in SERVICES - {"orders"}:  # these ask Stripe
        networks = {*compose["services"][name]["networks"], *more["services"][name].get("networks", [])}
        assert "outside" in networks, name


@pytest.mark.parametrize("name", UNITS)
def test_units_reach_what_only_root_can_read_by_their_credentials(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = root / "deploy" / "systemd"
    told = {
        "kafka-password": "among friends",
        "kafka-ca.pem": "pem",
        "stripe-key": "rk_1",
        "stripe-webhook-secret": "whsec_1",
    }
    for file, content in told.items():
        (tmp_path / file).write_text(content)
    lines = [*environment_lines(folder / "kafka.conf"), *environment_lines(folder / "stripe.conf")]
    dropped = {key: value.replace("%d", str(tmp_path)) for key, value in (line.split("=", 1) for line in lines)}
    lent = re.findall(r"^LoadCredential=(.*):/etc/shop/(.*)$", "".join(
        (folder / conf).read_text() for conf in ("kafka.conf", "stripe.conf")
    ), re.MULTILINE)  # fmt: skip
    assert lent == [(file, file) for file in told]
    chosen = {"STOREFRONT_PAYMENTS": "stripe"}
    for line in (folder / "shop.env").read_text().splitlines():
        if line.startswith("# STOREFRONT_"):
            key, value = line.removeprefix("# ").split("=", 1)
            assert not value.startswith("/"), "no file that the service can't read"
            chosen[key] = value
    config = started_with(unit_environment(folder / name) | dropped | chosen, tmp_path, monkeypatch)
    assert (config.kafka_security, config.kafka_username, config.kafka_password) == (
        "SASL_SSL",
        "shop",
        "among friends",
    )
    assert config.kafka_cafile == str(tmp_path / "kafka-ca.pem")
    assert (config.payments, config.stripe_key, config.stripe_webhook_secret) == ("stripe", "rk_1", "whsec_1")


@pytest.mark.parametrize("name", UNITS)
def test_units_run_the_release_that_they_were_started_from(root: Path, name: str) -> None:
    text = (root / "deploy" / "systemd" / name).read_text()
    assert "WorkingDirectory=/srv/shop/current\n" in text
    assert all("$$(pwd -P)/venv/bin/python" in line for line in re.findall(r"^ExecStart.*=.*$", text, re.MULTILINE))
    assert "ExecReload" not in text  # of a main process that stays in the old release


def test_a_command_has_the_secrets_of_the_units(root: Path, tmp_path: Path) -> None:
    etc, credentials, release = tmp_path / "etc", tmp_path / "credentials", tmp_path / "release"
    (release / "venv" / "bin").mkdir(parents=True)
    for folder in (etc, credentials):
        folder.mkdir()
        for name in ("secret", "redis-url", "kafka-password", "stripe-key"):
            (folder / name).write_text(name)
    script = tmp_path / "shop-flask"
    script.write_text((root / "deploy" / "systemd" / "shop-flask").read_text().replace("/etc/shop/", f"{etc}/"))
    stand_in = tmp_path / "systemd-run"
    stand_in.write_text('#!/bin/sh\nfor word; do case $word in --*) echo "$word";; esac; done\n'
                        'while [ "$1" != /bin/sh ]; do shift; done\nexec "$@"\n')  # fmt: skip
    flask = release / "venv" / "bin" / "flask"
    flask.write_text('#!/bin/sh\nprintf "<%s>" "$@"\necho\nenv | grep STOREFRONT_ | sort\n')
    for program in (script, stand_in, flask):
        program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CREDENTIALS_DIRECTORY": str(credentials)}
    done = subprocess.run(
        [script, "audit", "a b"], cwd=release, env=env, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [line for line in done if "LoadCredential" in line] == [
        f"--property=LoadCredential={name}:{etc}/{name}"
        for name in ("secret", "redis-url", "kafka-password", "stripe-key")
    ]
    assert done[-5:] == [
        "<--app><wsgi><audit><a b>",
        f"STOREFRONT_KAFKA_PASSWORD_FILE={credentials}/kafka-password",
        f"STOREFRONT_REDIS_URL_FILE={credentials}/redis-url",
        f"STOREFRONT_SECRET_FILE={credentials}/secret",
        f"STOREFRONT_STRIPE_KEY_FILE={credentials}/stripe-key",
    ]


@pytest.mark.parametrize("name", UNITS)
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

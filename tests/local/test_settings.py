"""What a local shop is given, and what it fills in."""

from pathlib import Path

import pytest

from storefront.local import settings
from storefront.local.embedded import free_port
from storefront.local.faults import CannotStart
from storefront.local.shop import LocalShop


def prepared(var: Path, env: dict[str, str] | None = None, host: str = "127.0.0.1") -> dict[str, str]:
    """The environment that a shop's processes would get."""
    shop = LocalShop(var, env=env, host=host)
    shop.prepare()
    shop.release()
    return shop.env


def test_the_embedded_redis_serves_the_limiter_and_the_timers_from_other_databases(tmp_path: Path) -> None:
    env = prepared(tmp_path)
    server = env["STOREFRONT_REDIS_URL"].removesuffix("/0")
    assert server.startswith("redis://127.0.0.1:")
    assert env["STOREFRONT_LIMITER_URL"] == f"{server}/1"
    assert env["STOREFRONT_RQ_URL"] == f"{server}/2"


def test_a_secret_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    first = prepared(tmp_path)["STOREFRONT_SECRET"]
    assert len(first) == 64
    assert prepared(tmp_path)["STOREFRONT_SECRET"] == first
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_given_secret_is_used_and_none_is_made(tmp_path: Path) -> None:
    assert prepared(tmp_path, {"STOREFRONT_SECRET": "given"})["STOREFRONT_SECRET"] == "given"
    assert not (tmp_path / "secret").exists()


def test_a_secret_given_as_a_file_is_left_to_the_shop_to_read(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("given")
    env = prepared(tmp_path / "var", {"STOREFRONT_SECRET_FILE": str(tmp_path / "mine")})
    assert "STOREFRONT_SECRET" not in env


def test_on_loopback_anyone_may_create_sales_over_plain_http(tmp_path: Path) -> None:
    env = prepared(tmp_path)
    assert (env["STOREFRONT_SALES_OPEN_TO"], env["STOREFRONT_INSECURE_COOKIES"]) == ("anyone", "1")


def test_what_is_given_wins(tmp_path: Path) -> None:
    env = prepared(tmp_path, {"STOREFRONT_SALES_OPEN_TO": "merchants", "STOREFRONT_INSECURE_COOKIES": "0"})
    assert (env["STOREFRONT_SALES_OPEN_TO"], env["STOREFRONT_INSECURE_COOKIES"]) == ("merchants", "0")


def test_off_loopback_nothing_is_opened_by_itself(tmp_path: Path) -> None:
    env = prepared(tmp_path, host="0.0.0.0")
    assert "STOREFRONT_SALES_OPEN_TO" not in env
    assert "STOREFRONT_INSECURE_COOKIES" not in env


def test_the_surrounding_environment_does_not_leak_into_a_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREFRONT_REDIS_URL", "redis://127.0.0.1:1/0")
    assert prepared(tmp_path)["STOREFRONT_REDIS_URL"] != "redis://127.0.0.1:1/0"


def test_real_servers_are_used_as_they_are_named(tmp_path: Path) -> None:
    with LocalShop(tmp_path / "real", only=("redis", "broker")) as real:
        env = {"STOREFRONT_REDIS_URL": f"{real.redis_url[:-1]}5", "STOREFRONT_KAFKA": real.kafka}
        shop = LocalShop(tmp_path / "var", env=env)
        shop.prepare()
        shop.release()
    assert set(shop.processes) == {"orders", "expiry", "web"}
    assert {name: shop.env[name] for name in env} == env
    assert "STOREFRONT_LIMITER_URL" not in shop.env
    assert "STOREFRONT_RQ_URL" not in shop.env


@pytest.mark.parametrize("name", [settings.REDIS_URL, settings.KAFKA])
@pytest.mark.parametrize("value", ["nonsense", "PORT"])
def test_a_real_server_that_does_not_answer_is_a_sentence_with_its_variable(
    tmp_path: Path, name: str, value: str
) -> None:
    address = value.replace("PORT", f"127.0.0.1:{free_port()}")
    if name == settings.REDIS_URL and value == "PORT":
        address = f"redis://:hidden@{address}/0"
    with pytest.raises(CannotStart, match=name) as caught:
        prepared(tmp_path, {name: address})
    assert "hidden" not in str(caught.value)


def test_an_unreadable_settings_file_is_a_sentence_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"STOREFRONT_KAFKA_FILE names .*, which can't be read"):
        prepared(tmp_path, {"STOREFRONT_KAFKA_FILE": str(tmp_path / "nothing")})

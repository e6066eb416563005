"""The STOREFRONT_ settings of a local shop: what it is given, and what it fills in by itself."""

import re
from collections.abc import Mapping
from pathlib import Path

from storefront.config import Config
from storefront.gateways.access import Access
from storefront.local.embedded import LOOPBACK, broker_answers, redis_answers
from storefront.local.faults import CannotStart

PREFIX = "STOREFRONT_"
REDIS_URL = "STOREFRONT_REDIS_URL"
KAFKA = "STOREFRONT_KAFKA"
SECRET = "STOREFRONT_SECRET"  # noqa: S105 - a name, not a secret
PICTURES = "STOREFRONT_PICTURES"
SALES_OPEN_TO = "STOREFRONT_SALES_OPEN_TO"
INSECURE_COOKIES = "STOREFRONT_INSECURE_COOKIES"
PIN = "STOREFRONT_PIN"
CROWD = "STOREFRONT_CROWD"


def of_shop(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in an environment; an empty one counts as not given."""
    return {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}


def value_of(settings: Mapping[str, str], name: str) -> str | None:
    """A setting's value, also where NAME_FILE names a file that holds it; None if neither is given."""
    if file := settings.get(f"{name}_FILE"):
        try:
            return Path(file).read_text().strip()
        except OSError as fault:
            raise CannotStart(f"{name}_FILE names {file}, which can't be read ({fault.strerror}).") from fault
    return settings.get(name)


def real_redis(settings: Mapping[str, str]) -> str | None:
    """The Redis that the settings name, None if they name none. Raises CannotStart if it doesn't answer."""
    url = value_of(settings, REDIS_URL)
    if url is None:
        return None
    try:
        answers = redis_answers(url)
    except ValueError as fault:
        raise CannotStart(f"{REDIS_URL} is not the address of a Redis: {fault}.") from fault
    if not answers:
        raise CannotStart(
            f"No Redis answers at {without_password(url)} ({REDIS_URL}). "
            "Start it, correct the address, or unset the variable to use the embedded one."
        )
    return url


def real_kafka(settings: Mapping[str, str]) -> str | None:
    """The Kafka that the settings name, None if they name none. Raises CannotStart if it doesn't answer."""
    servers = value_of(settings, KAFKA)
    if servers is None:
        return None
    try:
        answers = broker_answers(servers, access(settings))
    except ValueError as fault:
        raise CannotStart(f"{KAFKA} is not the address of a Kafka: {fault}.") from fault
    if not answers:
        raise CannotStart(
            f"No Kafka broker answers at {servers} ({KAFKA}). "
            "Start it, correct the address, or unset the variable to use the embedded one."
        )
    return servers


def access(settings: Mapping[str, str]) -> Access:
    """How the settings say that Kafka's clients get in."""

    def given(name: str, otherwise: str = "") -> str:
        return value_of(settings, f"{KAFKA}_{name}") or otherwise

    return Access(
        given("SECURITY", Config.kafka_security),
        given("SASL_MECHANISM", Config.kafka_sasl_mechanism),
        given("USERNAME"),
        given("PASSWORD"),
        given("CAFILE"),
    )


def for_embedded_redis(port: int) -> dict[str, str]:
    """The settings that lead to an embedded Redis: the shop's data, the limiter's and the timers' apart."""
    server = f"redis://{LOOPBACK}:{port}"
    return {REDIS_URL: f"{server}/0", "STOREFRONT_LIMITER_URL": f"{server}/1", "STOREFRONT_RQ_URL": f"{server}/2"}


def for_loopback() -> dict[str, str]:
    """What only a shop that listens on loopback alone may do: sales by anyone, cookies over plain http.

    All its shoppers come from one address, which makes them no crowd.
    """
    return {SALES_OPEN_TO: "anyone", INSECURE_COOKIES: "1", CROWD: ""}


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    return re.sub(r"//[^@/]*@", "//", url)

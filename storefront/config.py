"""The shop's settings. The only reader of the environment; ``docs/operations.md`` lists every variable.

What is required has no default and stops the start with its name.
"""

from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from environs import EnvError, FileAwareEnv, validate
from limits import parse_many

SECRET_LENGTH = 32
KAFKA_SECURITIES = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
WELL_KNOWN_SECRETS = ("change", "secret", "example", "default", "dev", "test", "password")


class BadConfig(Exception):
    """A setting is missing or wrong. The message names it and says what to do."""


@dataclass(frozen=True)
class Config:
    """Every setting. Durations are in seconds unless their name says otherwise."""

    secret: str
    redis_url: str
    limiter_url: str
    rq_url: str
    kafka: str
    pictures: str
    secret_before: str = ""
    """What ``secret`` was until lately: what is signed with it still counts."""
    kafka_security: str = "PLAINTEXT"
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"
    kafka_username: str = ""
    kafka_password: str = ""
    kafka_cafile: str = ""
    topic_prefix: str = ""
    partitions: int = 4
    replication: int = 1
    replicas: int = 0
    payment_window: int = 3600
    offer_window: int = 300
    sales_open_to: str = "merchants"
    token_lifetime: int = 86_400
    secure_cookies: bool = True
    password_memory: int = 64  # MiB a hash: RFC 9106, the second recommended option
    send_timeout: float = 2.0
    payments: str = "sandbox"
    stripe_key: str = field(default="", repr=False)
    stripe_webhook_secret: str = field(default="", repr=False)
    stripe_api: str = ""
    stripe_pages: str = "https://checkout.stripe.com"
    gate: bool = True
    pin: bool = False
    proxies: int = 0
    allowed: tuple[str, ...] = ()
    contact: str = ""
    bans: str = "400/day;150/hour;50/5minutes"
    bans_address: str = "4000/day;1500/hour;500/5minutes"
    proof_cost: int = 2000
    register_proof: bool = False
    log: str = "text"
    limit_default: str = "6000/minute"
    crowd: str = "3/day"
    probation: int = 604_800
    limit_register: str = "60/minute;600/hour"
    limit_login: str = "10/minute"
    limit_login_strangers: str = "30/hour;100/day"
    limit_sales: str = "3/second;60/minute"
    limit_buy_account: str = "5/second"
    limit_buy_address: str = "500/second"

    @property
    def secrets(self) -> tuple[str, ...]:
        """With what a signature may be made: the first signs, the others are only believed."""
        return (self.secret, self.secret_before) if self.secret_before else (self.secret,)

    @property
    def doubt_ms(self) -> int:
        """How old a reservation without an order must be before the sweep takes it back: well past the send timeout."""
        return int(self.send_timeout * 1000) * 2 + 1000


def _secret_flaw(secret: str) -> str | None:
    if len(secret) < SECRET_LENGTH:
        return f"is shorter than {SECRET_LENGTH} characters"
    if secret.lower().startswith(WELL_KNOWN_SECRETS) or len(set(secret)) < 8:
        return "looks like a placeholder"
    return None


def _secret(env: FileAwareEnv, name: str, *default: str) -> str:
    secret = env.str(name, *default)
    if (secret or not default) and (flaw := _secret_flaw(secret)):
        raise BadConfig(f"STOREFRONT_{name} {flaw}. Set it to random text, for example from: openssl rand -hex 32")
    return secret


def _limit(env: FileAwareEnv, name: str, default: str) -> str:
    given = env.str(name, default)
    try:
        parse_many(given)
    except ValueError as fault:
        raise BadConfig(
            f"STOREFRONT_{name} is “{given}”, which is no limit. Write it like: 10/minute;100/hour"
        ) from fault
    return given


def _limits_or_none(env: FileAwareEnv, name: str, default: str) -> str:
    return _limit(env, name, default) if env.str(name, default) else ""


def _networks(given: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(one, strict=False)) for one in given.replace(",", " ").split())
    except ValueError as fault:
        raise BadConfig(
            f"STOREFRONT_ALLOWED is “{given}”: {fault}. Write networks like: 192.0.2.0/24, 2001:db8::/32"
        ) from fault


def _redis_url(given: str) -> str:
    if not given.startswith(("redis://", "rediss://", "redis+sentinel://", "unix://")):
        raise BadConfig(
            f"STOREFRONT_REDIS_URL is “{given}”; it must begin with redis://, rediss://, redis+sentinel:// or unix://"
        )
    return given


def _kafka_access(env: FileAwareEnv) -> dict[str, str]:
    security = env.str("KAFKA_SECURITY", Config.kafka_security, validate=validate.OneOf(KAFKA_SECURITIES))
    mechanism = env.str("KAFKA_SASL_MECHANISM", Config.kafka_sasl_mechanism, validate=validate.OneOf(SASL_MECHANISMS))
    username, password = env.str("KAFKA_USERNAME", ""), env.str("KAFKA_PASSWORD", "")
    if security.startswith("SASL") and not (username and password):
        raise BadConfig(f"STOREFRONT_KAFKA_SECURITY is {security}: set STOREFRONT_KAFKA_USERNAME and _PASSWORD, too.")
    if username and not security.startswith("SASL"):
        raise BadConfig("STOREFRONT_KAFKA_USERNAME takes STOREFRONT_KAFKA_SECURITY=SASL_SSL (or SASL_PLAINTEXT).")
    cafile = env.str("KAFKA_CAFILE", "")
    if cafile and not Path(cafile).is_file():
        raise BadConfig(f"STOREFRONT_KAFKA_CAFILE is “{cafile}”, which is no file.")
    return {
        "kafka_security": security,
        "kafka_sasl_mechanism": mechanism,
        "kafka_username": username,
        "kafka_password": password,
        "kafka_cafile": cafile,
    }


def _folder(given: str) -> str:
    if not Path(given).is_dir():
        raise BadConfig(
            f"STOREFRONT_PICTURES is “{given}”, which is no folder. Make it, or mount what the web hosts share."
        )
    return given


PROVIDERS = ("sandbox", "sandbox-hosted", "stripe")

STRIPE_LONGEST = 23 * 3600
"""Seconds of a payment window, at most: Stripe's pages are open for half an hour longer, and for a day at most."""


def _payments(env: FileAwareEnv, window: int) -> dict[str, str]:
    """The settings of the payment provider."""
    chosen = {"payments": env.str("PAYMENTS", Config.payments, validate=validate.OneOf(PROVIDERS))}
    if chosen["payments"] != "stripe":
        return chosen
    for name, beginnings in {"STRIPE_KEY": ("sk_", "rk_"), "STRIPE_WEBHOOK_SECRET": ("whsec_",)}.items():
        chosen[name.lower()] = env.str(name)
        if not chosen[name.lower()].startswith(beginnings):
            either = " or ".join(beginnings)
            raise BadConfig(f"STOREFRONT_{name} must begin with {either}; Stripe's dashboard shows it.")
    for name, default in {"STRIPE_API": Config.stripe_api, "STRIPE_PAGES": Config.stripe_pages}.items():
        chosen[name.lower()] = given = env.str(name, default).rstrip("/")
        if given and not given.startswith(("http://", "https://")):
            raise BadConfig(f"STOREFRONT_{name} is “{given}”; it must begin with https:// or http://")
    if window > STRIPE_LONGEST:
        raise BadConfig(f"STOREFRONT_PAYMENT_WINDOW is {window}; with Stripe it can be {STRIPE_LONGEST} at most.")
    return chosen


def other_database(url: str, number: int) -> str:
    """The address of another database of the Redis at ``url``, which may be any that ``stores/connection.py`` knows."""
    address, _, query = url.partition("?")
    options = [option for option in query.split("&") if option and not option.startswith("db=")]
    scheme, _, place = address.partition("://")
    if scheme == "unix":
        options.append(f"db={number}")
    else:
        servers, _, path = place.partition("/")
        service = path.partition("/")[0] if scheme == "redis+sentinel" else ""
        address = "/".join(part for part in (f"{scheme}://{servers}", service, str(number)) if part)
    return "?".join(part for part in (address, "&".join(options)) if part)


def from_environment() -> Config:
    """The settings in the environment. Raises BadConfig with one sentence that names the variable.

    A variable ``STOREFRONT_X_FILE`` names a file that holds the value of ``STOREFRONT_X`` (for secrets).
    """
    env = FileAwareEnv(prefix="STOREFRONT_")
    try:
        secret = _secret(env, "SECRET")
        redis_url = _redis_url(env.str("REDIS_URL"))
        positive = validate.Range(min=1)
        payment_window = env.int("PAYMENT_WINDOW", Config.payment_window, validate=positive)
        return Config(
            secret=secret,
            secret_before=_secret(env, "SECRET_BEFORE", Config.secret_before),
            redis_url=redis_url,
            limiter_url=env.str("LIMITER_URL", other_database(redis_url, 1)),
            rq_url=env.str("RQ_URL", other_database(redis_url, 2)),
            kafka=env.str("KAFKA"),
            pictures=_folder(env.str("PICTURES")),
            **_kafka_access(env),
            topic_prefix=env.str("TOPIC_PREFIX", Config.topic_prefix),
            partitions=env.int("PARTITIONS", Config.partitions, validate=positive),
            replication=env.int("REPLICATION", Config.replication, validate=positive),
            replicas=env.int("REPLICAS", Config.replicas, validate=validate.Range(min=0)),
            payment_window=payment_window,
            **_payments(env, payment_window),
            offer_window=env.int("OFFER_WINDOW", Config.offer_window, validate=positive),
            sales_open_to=env.str(
                "SALES_OPEN_TO", Config.sales_open_to, validate=validate.OneOf(["merchants", "anyone"])
            ),
            token_lifetime=env.int("TOKEN_LIFETIME", Config.token_lifetime, validate=positive),
            secure_cookies=not env.bool("INSECURE_COOKIES", False),
            password_memory=env.int("PASSWORD_MEMORY", Config.password_memory, validate=positive),
            send_timeout=env.float("SEND_TIMEOUT", Config.send_timeout, validate=validate.Range(min=0.1, max=30)),
            gate=env.bool("GATE", Config.gate),
            pin=env.bool("PIN", Config.pin),
            proxies=env.int("PROXIES", Config.proxies, validate=validate.Range(min=0, max=9)),
            allowed=_networks(env.str("ALLOWED", "")),
            contact=env.str("CONTACT", Config.contact),
            bans=_limits_or_none(env, "BANS", Config.bans),
            bans_address=_limits_or_none(env, "BANS_ADDRESS", Config.bans_address),
            proof_cost=env.int("PROOF_COST", Config.proof_cost, validate=validate.Range(min=1, max=1_000_000)),
            register_proof=env.bool("REGISTER_PROOF", Config.register_proof),
            log=env.str("LOG", Config.log, validate=validate.OneOf(["text", "json"])),
            limit_default=_limit(env, "LIMIT_DEFAULT", Config.limit_default),
            crowd=_limits_or_none(env, "CROWD", Config.crowd),
            probation=env.int("PROBATION", Config.probation, validate=positive),
            limit_register=_limit(env, "LIMIT_REGISTER", Config.limit_register),
            limit_login=_limit(env, "LIMIT_LOGIN", Config.limit_login),
            limit_login_strangers=_limit(env, "LIMIT_LOGIN_STRANGERS", Config.limit_login_strangers),
            limit_sales=_limit(env, "LIMIT_SALES", Config.limit_sales),
            limit_buy_account=_limit(env, "LIMIT_BUY_ACCOUNT", Config.limit_buy_account),
            limit_buy_address=_limit(env, "LIMIT_BUY_ADDRESS", Config.limit_buy_address),
        )
    except EnvError as fault:
        raise BadConfig(f"{str(fault).rstrip('.')}. docs/operations.md lists every setting.") from fault

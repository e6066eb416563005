"""The shop: its stores and gateways, opened once per process from the settings."""

from typing import Any

from storefront.config import BadConfig, Config
from storefront.domain.address import Networks, read_network
from storefront.domain.draw import Entry
from storefront.domain.errors import Recovering
from storefront.domain.records import Requested
from storefront.gateways.access import Access
from storefront.gateways.aside import Aside
from storefront.gateways.ends import LedgerEnds
from storefront.gateways.ledger import Ledger
from storefront.gateways.payments import PaymentProvider
from storefront.gateways.sandbox import HostedSandbox, Sandbox
from storefront.gateways.together import Together
from storefront.stores.accounts import Accounts
from storefront.stores.answers import Answers
from storefront.stores.bans import BanList
from storefront.stores.changes import Changes
from storefront.stores.drafts import Drafts
from storefront.stores.glances import Glances
from storefront.stores.known import KnownAddresses
from storefront.stores.memory import Memory
from storefront.stores.notices import Notices
from storefront.stores.orders import Orders
from storefront.stores.pictures import Awaited, Pictures
from storefront.stores.positions import Positions
from storefront.stores.proofs import Proofs
from storefront.stores.refusals import Refusals
from storefront.stores.sales import Sales
from storefront.stores.snapshots import PATIENCE, Snapshots
from storefront.stores.traffic import Traffic
from storefront.stores.waitlist import Waitlist
from storefront.stores.webhooks import Webhooks


def access_of(config: Config) -> Access:
    """How this shop's processes get into Kafka."""
    return Access(
        config.kafka_security, config.kafka_sasl_mechanism, config.kafka_username, config.kafka_password,
        config.kafka_cafile,
    )  # fmt: skip


class Shop:
    """Everything a use case needs. Opening it connects to nothing; the first use does. Raises BadConfig."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.allowed = Networks(tuple(map(read_network, config.allowed)))
        try:
            self.memory = Memory(config.redis_url, config.replicas)
        except ValueError as fault:
            raise BadConfig(f"STOREFRONT_REDIS_URL names no Redis: {fault}") from fault
        self.accounts = Accounts(self.memory)
        self.sales = Sales(self.memory)
        self.glances = Glances(self.sales)
        self.snapshots = Snapshots(Memory(config.redis_url, timeout=PATIENCE))
        self.orders = Orders(self.memory)
        self.answers = Answers(self.memory)
        self.bans = BanList(self.memory)
        self.known_addresses = KnownAddresses(self.memory)
        self.refusals = Refusals(self.memory)
        self.traffic = Traffic(self.memory)
        self.waitlist = Waitlist(self.memory)
        self.changes = Changes(self.memory)
        self.proofs = Proofs(self.memory)
        self.notices = Notices(self.memory)
        self.pictures = Pictures(config.pictures)
        self.drafts = Drafts(config.pictures)
        self.awaited = Awaited(self.memory)
        self.webhooks = Webhooks(self.memory)
        self.positions = Positions(self.memory)
        self.ledger = Ledger(
            config.kafka,
            config.topic_prefix,
            config.partitions,
            config.replication,
            config.send_timeout,
            access_of(config),
        )
        self.requests: Together[Requested, bool] = Together(config.doubt_ms / 1000)
        self.entries: Together[Entry, bool] = Together(config.doubt_ms / 1000)
        self.ends = LedgerEnds(self.ledger)
        self.aside: Aside[Any] = Aside("aside")
        self.payments = _provider(config, self.memory)

    def is_open(self) -> bool:
        """Whether the shop's memory is whole: every partition of the ledger is applied under the epoch in force."""
        return self.positions.is_open(self.ledger.partitions)

    def require_open(self) -> None:
        """Raise Recovering if something that wasn't found may merely not be found yet."""
        if not self.is_open():
            raise Recovering

    def close(self) -> None:
        """Let go of the connections."""
        self.ends.close()
        self.ledger.close()
        self.snapshots.close()
        self.memory.redis.close()


def _provider(config: Config, memory: Memory) -> PaymentProvider:
    if config.payments == "stripe":
        # its library takes half a second and 30 MB, which the sandbox does without
        from storefront.gateways.stripe_checkout import StripeCheckout  # noqa: PLC0415 - see above

        return StripeCheckout(memory.redis, config)
    kind = HostedSandbox if config.payments == "sandbox-hosted" else Sandbox
    return kind(memory.redis, config.secret)

"""Bans by hand: operators see who is banned, lift bans, and add some."""

from ipaddress import IPv6Network

from storefront.domain.account import Account
from storefront.domain.address import HOME, caller_of, is_network, read_network
from storefront.domain.ban import ACCOUNT, ADDRESS, Ban
from storefront.domain.errors import InvalidToken, NetworkTooWide, NoSuchAccount, NotAnOperator, NotBanned
from storefront.shop import Shop

WIDEST = {4: 8, 6: 16}
"""Bits that a network must have at least to be banned: what is wider is surely a slip."""


def require_operator(account: Account | None) -> Account:
    """The account, if it is an operator's. Raises InvalidToken for nobody, NotAnOperator."""
    if account is None:
        raise InvalidToken
    if not account.operator:
        raise NotAnOperator
    return account


def listed(shop: Shop) -> list[Ban]:
    """The bans in force, the newest in front."""
    return shop.bans.now()


def ban(shop: Shop, whom: str, minutes: int, why: str, by: str) -> Ban:
    """Ban an address, a network, or the account of this name, for so many minutes.

    An address of IPv6 stands for its network of 64 bits. Raises NoSuchAccount, or NetworkTooWide.
    """
    kind, key, name = _whom(shop, whom)
    now = shop.memory.now_ms()
    new = Ban(key, kind, name, since=now, until=now + minutes * 60_000, why=why, by=by)
    shop.bans.write([new])
    shop.snapshots.outdate()
    return new


def lift(shop: Shop, whom: str) -> Ban:
    """End a ban. ``whom`` as it is listed, by name, address or id. Raises NotBanned.

    What led to it must be forgotten besides (``policing.Police.forgive``).
    """
    found = next((one for one in listed(shop) if whom in (one.name, one.whom)), None)
    if found is None:
        raise NotBanned(whom=whom)
    shop.bans.write([Ban(found.whom, found.kind, found.name, since=found.since, until=0, sale=found.sale)])
    shop.snapshots.outdate()
    return found


def _whom(shop: Shop, given: str) -> tuple[str, str, str]:
    """Kind, key and name of whom an operator means: what reads as an address is one, else it is an account's name."""
    if not is_network(given):
        if account := shop.accounts.get(given):
            return ACCOUNT, account.id, account.name
        raise NoSuchAccount(name=given)
    network = read_network(given)
    if isinstance(network, IPv6Network):
        if mapped := network.network_address.ipv4_mapped:
            network = read_network(f"{mapped}/{max(0, network.prefixlen - 96)}")
        elif network.prefixlen > HOME:
            network = network.supernet(new_prefix=HOME)
    if network.prefixlen < WIDEST[network.version]:
        raise NetworkTooWide
    key = caller_of(str(network.network_address)) if network.num_addresses == 1 else str(network)
    return ADDRESS, key, key

"""Where requests come from, as limits and bans see it: what counts as one caller, and which networks are named."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

HOME = 64
"""Bits of an IPv6 address that tell callers apart: a single customer has at least all addresses behind them (RFC 6177,
section 2)."""

WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([\d.]+):\d+")

UNKNOWN = "unknown"
"""The caller whose address the server doesn't tell."""

Network = IPv4Network | IPv6Network


@lru_cache(65_536)
def caller_of(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the network of 64 bits of an IPv6 one.

    What is no address stands for itself.
    """
    found = _read(address)
    if found is None or isinstance(found, IPv4Address):
        return str(found or address) or UNKNOWN
    return str(ip_network((found, HOME), strict=False))


WIDER = {56: 10, 48: 100}
"""Bits of the IPv6 networks that a provider may give to one customer (RFC 6177), and how many homes each counts for: a
carrier of phones has as many customers in it."""


def networks_around(address: str) -> list[tuple[str, int]]:
    """The caller at an address and the networks they may have whole, each with the number of homes it stands for."""
    found = _read(address)
    if not isinstance(found, IPv6Address):
        return [(caller_of(address), 1)]
    wider = ((str(ip_network((found, bits), strict=False)), homes) for bits, homes in WIDER.items())
    return [(caller_of(address), 1), *wider]


def is_network(text: str) -> bool:
    """Whether this reads as an address or a network."""
    try:
        read_network(text)
    except ValueError:
        return False
    return True


def read_network(text: str) -> Network:
    """A network, or one address. Raises ValueError."""
    return ip_network(text.strip(), strict=False)


class Networks:
    """Any of several networks."""

    def __init__(self, networks: tuple[Network, ...] = ()) -> None:
        self.networks = networks
        self._has = lru_cache(65_536)(self._look)

    def __contains__(self, address: str) -> bool:
        return bool(self.networks) and self._has(address)

    def _look(self, address: str) -> bool:
        found = _read(address)
        return found is not None and any(found in network for network in self.networks)


def _read(address: str) -> IPv4Address | IPv6Address | None:
    """The address, without the port that some proxies write behind it."""
    with_port = WITH_PORT.fullmatch(address)
    try:
        found = ip_address((with_port[1] or with_port[2]) if with_port else address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found

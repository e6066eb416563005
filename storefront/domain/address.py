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

"""Who is one caller, and which networks an address is in."""

import pytest

from storefront.domain.address import Networks, caller_of, read_network


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("no address", "no address"),
        ("", "unknown"),
    ],
)
def test_one_caller(address: str, caller: str) -> None:
    assert caller_of(address) == caller


def test_an_address_is_found_in_its_networks() -> None:
    named = Networks((read_network("192.0.2.0/24"), read_network("2001:db8::1")))
    inside = ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9", "2001:db8::1"]
    outside = ["192.0.3.0", "2001:db8::2", "", "no address"]
    assert [address in named for address in inside + outside] == [True] * 4 + [False] * 4
    assert "192.0.2.1" not in Networks()

from __future__ import annotations

from ipaddress import ip_network

import pytest

from weft.egress.address import AddressPolicy
from weft.egress.error import AddressRefusedError

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
REFUSED = {
    "0.0.0.0": "an unspecified",
    "0.1.2.3": "an unspecified",
    "10.0.0.1": "a private",
    "100.64.0.1": "a provider's internal",
    "100.100.100.200": "a provider's internal",
    "127.0.0.1": "a loopback",
    "127.255.255.254": "a loopback",
    "168.63.129.16": "a cloud's internal",
    "169.254.169.254": "a link-local",
    "172.16.0.1": "a private",
    "172.31.255.255": "a private",
    "192.0.0.192": "a reserved",
    "192.0.2.1": "a documentation",
    "192.88.99.1": "a relay",
    "192.168.1.1": "a private",
    "198.18.0.1": "a benchmarking",
    "198.51.100.7": "a documentation",
    "203.0.113.9": "a documentation",
    "224.0.0.1": "a multicast",
    "239.255.255.250": "a multicast",
    "240.0.0.1": "a reserved",
    "255.255.255.255": "a reserved",
    "::": "an unspecified",
    "::1": "a loopback",
    "::7f00:1": "a reserved",
    "::ffff:127.0.0.1": "a loopback",
    "::ffff:10.0.0.1": "a private",
    "::ffff:a9fe:a9fe": "a link-local",
    "::ffff:0:127.0.0.1": "a reserved",
    "64:ff9b::7f00:1": "a loopback",
    "64:ff9b::a9fe:a9fe": "a link-local",
    "64:ff9b:1::7f00:1": "a reserved",
    "100::1": "a reserved",
    "2001::1": "a tunnel",
    "2001:db8::1": "a documentation",
    "2001:2::1": "a reserved",
    "2002:7f00:1::": "a tunnel",
    "2002:a9fe:a9fe::1": "a tunnel",
    "3fff::1": "a documentation",
    "5f00::1": "a reserved",
    "fc00::1": "a private",
    "fd00:ec2::254": "a private",
    "fe80::1": "a link-local",
    "fe80::1%eth0": "a link-local",
    "fec0::1": "a reserved",
    "ff02::1": "a multicast",
    "example.com": "no valid",
    "": "no valid",
}
ODD = ["127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0", "134744072"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert AddressPolicy().refusal(address) is None


@pytest.mark.parametrize(("address", "word"), REFUSED.items(), ids=list(REFUSED))
def test_other_addresses_may_not(address: str, word: str) -> None:
    assert AddressPolicy().refusal(address) == word


def test_all_of_them_may_where_that_is_set_but_nothing_that_is_no_address() -> None:
    policy = AddressPolicy(allow_private=True)

    assert {address for address in REFUSED if policy.refusal(address)} == {"example.com", ""}


def test_single_networks_may_be_opened_also_in_the_guise_of_another_version() -> None:
    policy = AddressPolicy(allowed=[ip_network("10.1.0.0/16"), ip_network("fd00::/8")])

    allowed = ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::1", "1.1.1.1"]
    assert [policy.refusal(address) for address in allowed] == [None] * 5
    assert [policy.refusal(address) for address in ("10.2.0.1", "fc00::1")] == ["a private"] * 2


@pytest.mark.parametrize("host", ODD)
@pytest.mark.parametrize("allow", [False, True])
def test_odd_spellings_of_addresses_are_refused_whatever_they_mean(host: str, allow: bool) -> None:
    with pytest.raises(AddressRefusedError, match="spells its address"):
        AddressPolicy(allow_private=allow).check_host(host, "http://x")


@pytest.mark.parametrize("host", ["fe80::1%eth0", "fe80::1%25eth0"])
def test_zones_are_refused_also_where_all_addresses_are_open(host: str) -> None:
    with pytest.raises(AddressRefusedError):
        AddressPolicy(allow_private=True).check_host(host, "http://x")


def test_a_literal_address_is_refused_with_a_sentence_that_says_what_to_do() -> None:
    with pytest.raises(AddressRefusedError) as caught:
        AddressPolicy().check_host("10.0.0.1", "http://10.0.0.1:8080")

    assert str(caught.value) == (
        "http://10.0.0.1:8080 is at a private address, which flows may not reach; "
        "if they shall, set http.allow_private_addresses"
    )


def test_names_are_left_to_the_resolver() -> None:
    AddressPolicy().check_host("localhost", "http://localhost")

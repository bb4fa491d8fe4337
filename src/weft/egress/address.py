"""Which addresses flows may reach.

The tables are the special-purpose registries, with one address added that a cloud answers on. Python's own
``is_global`` is asked as well, but does not suffice: it depends on the version and lets multicast pass.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from weft.egress.config import EgressConfig
from weft.egress.error import AddressRefusedError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), word)
    for network, word in (
        ("0.0.0.0/8", "an unspecified"),
        ("10.0.0.0/8", "a private"),
        ("100.64.0.0/10", "a provider's internal"),
        ("127.0.0.0/8", "a loopback"),
        ("168.63.129.16/32", "a cloud's internal"),
        ("169.254.0.0/16", "a link-local"),
        ("172.16.0.0/12", "a private"),
        ("192.0.0.0/24", "a reserved"),
        ("192.0.2.0/24", "a documentation"),
        ("192.31.196.0/24", "a reserved"),
        ("192.52.193.0/24", "a reserved"),
        ("192.88.99.0/24", "a relay"),
        ("192.168.0.0/16", "a private"),
        ("192.175.48.0/24", "a reserved"),
        ("198.18.0.0/15", "a benchmarking"),
        ("198.51.100.0/24", "a documentation"),
        ("203.0.113.0/24", "a documentation"),
        ("224.0.0.0/4", "a multicast"),
        ("240.0.0.0/4", "a reserved"),
    )
)
_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), word)
    for network, word in (
        ("::/128", "an unspecified"),
        ("::1/128", "a loopback"),
        ("fe80::/10", "a link-local"),
        ("fc00::/7", "a private"),
        ("ff00::/8", "a multicast"),
        # Tunnels lead to where only their other end decides.
        ("2001::/32", "a tunnel"),
        ("2002::/16", "a tunnel"),
        ("2001::/23", "a reserved"),
        ("2001:db8::/32", "a documentation"),
        ("2620:4f:8000::/48", "a reserved"),
        ("3fff::/20", "a documentation"),
    )
)
_V6_PUBLIC = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressPolicy:
    """Says of an address whether flows may reach it.

    Args:
        allow_private: All of them may be reached.
        allowed: Networks that may be reached although they are not public.
    """

    def __init__(self, *, allow_private: bool = False, allowed: Iterable[Network] = ()) -> None:
        self._allow_private = allow_private
        self._allowed = tuple(allowed)

    @classmethod
    def of(cls, config: EgressConfig) -> AddressPolicy:
        """The policy that a configuration describes."""
        return cls(allow_private=config.allow_private_addresses, allowed=config.allowed_networks)

    def refusal(self, text: str) -> str | None:
        """What kind of address keeps flows from it, e.g. ``a loopback``; ``None`` if nothing does."""
        try:
            address = _unwrap(ip_address(text))
        except ValueError:
            return "no valid"
        if self._allow_private or any(address in network for network in self._allowed):
            return None
        if isinstance(address, IPv4Address):
            word = next((word for network, word in _V4 if address in network), None)
        else:
            word = next((word for network, word in _V6 if address in network), None)
            if word is None and address not in _V6_PUBLIC:
                word = "a reserved"
        return word or (None if address.is_global else "a reserved")

    def check_host(self, host: str, origin: str) -> None:
        """Look at a host that spells an address; names are for the resolver.

        Raises:
            AddressRefusedError: The address may not be reached, or is spelled so that programs read it
                differently (``127.1``, ``0x7f000001``, ``2130706433``, with a zone).
        """
        try:
            address = ip_address(host)
        except ValueError:
            if "%" in host or _is_odd_spelling(host):
                raise AddressRefusedError(
                    f"{origin} spells its address in a way that is not read the same everywhere; "
                    "write an IPv4 address as four decimal numbers"
                ) from None
            return
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise AddressRefusedError(f"{origin} names a zone of this machine; leave it out")
        word = self.refusal(host)
        if word is not None:
            raise AddressRefusedError(refused(origin, word))


def refused(origin: str, word: str) -> str:
    """The sentence for somebody whose request was refused."""
    return (
        f"{origin} is at {word} address, which flows may not reach; "
        "if they shall, set http.allow_private_addresses"
    )


def _unwrap(address: Address) -> Address:
    """The IPv4 address that really is meant by some IPv6 addresses."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_odd_spelling(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return True

"""What outgoing requests may do."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressConfig:
    """Where flows may send requests and how long they wait; the defaults are Dify's own.

    Source: Dify workflow engine, limits of HTTP request nodes.
    """

    allow_private_addresses: bool = False
    """Let flows reach this machine, its networks, and whatever else is not a public address."""
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that flows may reach although they are not public."""
    connect_seconds: float = 10.0
    """Wait for a connection, finding the address and TLS included; a request may ask for less."""
    read_seconds: float = 600.0
    """Longest silence of the other side; a request may ask for less."""
    write_seconds: float = 600.0
    """Longest time for the other side to take a piece; a request may ask for less."""
    max_text_bytes: int = MIB
    """For those who send requests: how much of a response that is text to read."""
    max_file_bytes: int = 10 * MIB
    """For those who send requests: how much of a response that is a file to read."""
    max_redirects: int = 20
    max_connections: int = 1000
    """Connections open at once; further requests wait for one as part of `connect_seconds`."""
    user_agent: str = "weft"

"""One request to one address, and what its failure means."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from weft.egress.address import AddressPolicy
from weft.egress.config import EgressConfig
from weft.egress.error import EgressError, EgressTimeoutError, InvalidUrlError
from weft.egress.redirect import Hop
from weft.egress.resolver import GuardedResolver, Resolve
from weft.egress.url import origin_of

_PIECE_BYTES = 64 * 1024
_KEEP_SECONDS = 3.0
"""How long an idle connection is kept; shorter than servers do, which close theirs without a word."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each wait of a request may be, in seconds."""

    connect: float
    read: float
    write: float


class Transport:
    """Sends requests over connections to checked addresses.

    Args:
        config: What requests may do.
        resolve: Finds the addresses of names.
    """

    def __init__(self, config: EgressConfig, resolve: Resolve) -> None:
        self._policy = AddressPolicy.of(config)
        self._session = open_session(self._policy, resolve, max_connections=config.max_connections)

    async def send(self, hop: Hop, waits: Waits, *, verify_tls: bool) -> aiohttp.ClientResponse:
        """Send one request; redirects are left to the caller.

        Raises:
            EgressError: There is no response; the narrower classes say why.
        """
        origin = origin_of(hop.url)
        self._policy.check_host(hop.url.raw_host or "", origin)
        try:
            return await self._session.request(
                hop.method,
                hop.url,
                headers=hop.headers,
                data=_Body(hop.body, waits.write) if hop.body else None,
                skip_auto_headers=("Content-Type",),
                allow_redirects=False,
                ssl=verify_tls,
                timeout=aiohttp.ClientTimeout(total=None, connect=waits.connect, sock_read=waits.read),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise explain(error, hop.url, waits) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


async def pieces_of(response: aiohttp.ClientResponse, waits: Waits) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises:
        EgressError: It broke off.
    """
    try:
        async for piece in response.content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise explain(error, response.url, waits) from error


def open_session(policy: AddressPolicy, resolve: Resolve, *, max_connections: int) -> aiohttp.ClientSession:
    """A session that knows no cookies, no proxies and no passwords of this machine, and reaches only what the
    policy allows.

    Every address is looked at twice: after the name was resolved, for a clear message, and again in front of
    the socket that is connected to it, so that nothing in between can slip past.
    """

    def open_socket(info: tuple[int, int, int, str, tuple[str | int, ...]]) -> socket.socket:
        family, kind, protocol, _, address = info
        if policy.refusal(str(address[0])) is not None:
            raise PermissionError(errno.EACCES, "flows may not reach this address")
        return socket.socket(family, kind, protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=GuardedResolver(policy, resolve),
            socket_factory=open_socket,
            # What was checked is used for this connection and never again.
            use_dns_cache=False,
            limit=max_connections,
            keepalive_timeout=_KEEP_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_send_once,),
        trust_env=False,
        auto_decompress=False,
    )


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request a second time when its connection breaks."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokenError(str(error)) from error


class _BrokenError(aiohttp.ClientError):
    """The connection broke before there was an answer."""


class _Body(aiohttp.Payload):
    """A body sent piece by piece, each of which has to be taken in time."""

    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self._size = len(data)
        self._bytes = data
        self._seconds = seconds

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text, for whoever debugs aiohttp."""
        return self._bytes.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send everything."""
        whole = memoryview(self._bytes)
        for begin in range(0, len(whole), _PIECE_BYTES):
            async with asyncio.timeout(self._seconds):
                await writer.write(whole[begin : begin + _PIECE_BYTES])
        async with asyncio.timeout(self._seconds):
            await writer.drain()


def explain(error: Exception, url: URL, waits: Waits) -> EgressError:
    """Our error for one of aiohttp's; addresses behind names are not told."""
    origin = origin_of(url)
    match error:
        case aiohttp.ConnectionTimeoutError():
            return EgressTimeoutError(f"{origin} could not be connected to within {waits.connect:g} s")
        case aiohttp.ServerTimeoutError():
            return EgressTimeoutError(f"{origin} sent nothing for {waits.read:g} s")
        case TimeoutError():
            return EgressTimeoutError(f"{origin} took nothing of the request for {waits.write:g} s")
        case aiohttp.ClientConnectorDNSError():
            return EgressError(f"the host of {origin} was not found; check how the address is written")
        case aiohttp.ClientConnectorCertificateError():
            return EgressError(
                f"the certificate of {origin} is not trusted: {_reason(error.certificate_error)}"
            )
        case aiohttp.ClientConnectorError():
            return EgressError(f"{origin} cannot be reached: {_reason(error.os_error)}")
        case aiohttp.InvalidURL():
            return InvalidUrlError(f"{origin} is no address that a request can be sent to")
        case aiohttp.ClientResponseError():
            reason = error.message.partition("\n")[0].rstrip(":")[:100]
            return EgressError(f"{origin} answered something that is not HTTP: {reason}")
        case aiohttp.ClientPayloadError():
            return EgressError(f"the connection to {origin} broke in the middle of the response")
        case _:
            return EgressError(f"the connection to {origin} broke before there was a response")


def _reason(error: Exception) -> str:
    """What the system says, without the address in it."""
    number = getattr(error, "errno", None)
    message = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    if isinstance(message, str):
        return message
    if isinstance(number, int):
        return os.strerror(number).lower()
    return type(error).__name__

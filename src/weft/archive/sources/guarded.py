"""The way to servers whose address came with a request: through the guard of `weft.egress`.

Whoever may ask for a pull may name any address. Without a guard the server would carry requests into its own
network, and tell by its answers what is there.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2

from weft.client import ExchangeTransport, Incoming, Outgoing, Timeouts
from weft.egress import (
    AddressRefusedError,
    Egress,
    EgressConfig,
    EgressError,
    EgressRequest,
    EgressResponse,
    EgressTimeoutError,
    ResponseTooLargeError,
    TooManyRedirectsError,
    open_egress,
)
from weft.errors import InvalidRequestError

CONFIG = EgressConfig(max_redirects=0)
"""Only public addresses; and a redirect would carry a key to a place that nobody has named."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_BETWEEN_COOKIES = re.compile(r", *(?=[^\s=;,]+=)")
"""The commas of dates in cookies are followed by a blank before any equals sign."""

_REPLACED = frozenset({"set-cookie", "content-encoding", "content-length", "transfer-encoding"})
"""Headers that do not fit the unpacked body, and the one that comes several times."""


class GuardedTransport(ExchangeTransport):
    """Carries the client's requests to public addresses alone, and reads so much of an answer and no more.

    What the client reads as a stream, such as a file, comes as one.

    Args:
        egress: The way out, which is closed along with the transport; one to public addresses unless given.
    """

    def __init__(self, egress: Egress | None = None) -> None:
        self._egress = egress or open_egress(CONFIG)

    async def exchange(self, request: Outgoing) -> Incoming:
        """Send a request and read its whole answer.

        Raises:
            InvalidRequestError: The address is not a public one, or is spelled oddly.
        """
        sent = _sent(request)
        try:
            async with self._egress.request(sent) as response:
                body = await response.read(MAX_ANSWER_BYTES)
        except EgressError as error:
            raise _translated(error) from error
        return Incoming(response.status, response.headers, body, _cookies(response))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; its answer is a stream, which gives the connection back when it is closed.

        Raises:
            InvalidRequestError: The address is not a public one, or is spelled oddly.
        """
        wait = request.extensions.get("timeout", {})
        outgoing = Outgoing(
            request.method,
            str(request.url),
            dict(request.headers),
            await request.aread(),
            Timeouts(connect=wait.get("connect"), read=wait.get("read"), write=wait.get("write")),
        )
        opened = AsyncExitStack()
        try:
            answer = await opened.enter_async_context(self._egress.request(_sent(outgoing)))
        except EgressError as error:
            raise _translated(error) from error
        headers = [(name, value) for name, value in answer.headers.items() if name not in _REPLACED]
        headers += [("set-cookie", value) for value in _cookies(answer)]
        return httpx2.Response(
            answer.status, headers=headers, stream=_Stream(answer, opened), request=request
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._egress.close()


class _Stream(httpx2.AsyncByteStream):
    """A body on its way."""

    def __init__(self, answer: EgressResponse, opened: AsyncExitStack) -> None:
        self._answer = answer
        self._opened = opened

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.iter(MAX_ANSWER_BYTES):
                yield piece
        except EgressError as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        await self._opened.aclose()


def _sent(request: Outgoing) -> EgressRequest:
    waits = request.timeouts
    return EgressRequest(
        method=request.method,
        url=request.url,
        headers=list(request.headers.items()),
        body=request.body or b"",
        connect_seconds=waits.connect,
        read_seconds=waits.read,
        write_seconds=waits.write,
    )


def _cookies(answer: EgressResponse) -> list[str]:
    return [one for one in _BETWEEN_COOKIES.split(answer.headers.get("set-cookie", "")) if one]


def _translated(error: EgressError) -> httpx2.HTTPError | InvalidRequestError:
    """The failure as the client's HTTP library would name it, or as one that no second try mends."""
    match error:
        case AddressRefusedError():
            return InvalidRequestError(
                "dify_api_url: the server is not at a public address, or its address is spelled oddly; to "
                "pull from this machine or its network, set archive.pull_private_addresses, or describe the "
                "server as a source in the settings",
                {"dify_api_url": "not a public address"},
            )
        case TooManyRedirectsError():
            return InvalidRequestError(
                "dify_api_url: the server redirects elsewhere; give the address that it redirects to",
                {"dify_api_url": "redirects elsewhere"},
            )
        case EgressTimeoutError():
            return httpx2.ReadTimeout(str(error))
        case ResponseTooLargeError():
            return httpx2.ReadError(str(error))
        case _:
            return httpx2.ConnectError(str(error))

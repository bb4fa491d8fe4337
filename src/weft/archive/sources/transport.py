"""aiohttp below the typed client: at 50 requests at once it takes a fraction of the CPU.

The client decides what to send and what an answer means; this module only carries bytes. It keeps what the
client relies on: one `TransportError`-to-be for each way in which a connection can fail, the timeouts of each
request, and bodies as they came, cookies and redirects left to the client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
from yarl import URL

from weft.client import ExchangeTransport, Incoming, Network, Outgoing, Timeouts

_KEPT_OUT = frozenset({b"host", b"connection", b"accept-encoding", b"transfer-encoding", b"content-length"})
"""Headers that aiohttp writes itself."""
_PIECE = 64 * 1024


class AiohttpTransport(ExchangeTransport):
    """Carries the client's requests over aiohttp.

    Args:
        network: Proxy, certificates and number of connections, as the client takes them; proxies are of
            the kinds ``http`` and ``https``.
    """

    def __init__(self, network: Network | None = None) -> None:
        self._network = network or Network()
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}
        self._waits: dict[Timeouts, aiohttp.ClientTimeout] = {}

    async def exchange(self, request: Outgoing) -> Incoming:
        """Send a request and read its whole answer."""
        session = self._session or self._open()
        url = URL(request.url, encoded=True)
        try:
            answer = await session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                proxy=self._proxy(url.scheme, url.raw_host or ""),
                timeout=self._patience(request.timeouts),
            )
            body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error) from error
        headers: dict[str, str] = {}
        for name, value in answer.headers.items():
            name = name.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        cookies = answer.headers.getall("Set-Cookie") if "set-cookie" in headers else ()
        return Incoming(answer.status, headers, body, cookies)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for the head of its answer."""
        session = self._session or self._open()
        wait = request.extensions.get("timeout", {})
        try:
            answer = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in request.headers.raw
                    if name.lower() not in _KEPT_OUT
                ],
                data=None if request.method == "GET" else await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy(request.url.scheme, request.url.host),
                timeout=_waits(wait.get("connect"), wait.get("pool"), wait.get("read")),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error) from error
        headers = [
            (name, value)
            for name, value in answer.raw_headers
            # The body is unpacked already.
            if name.lower() not in (b"content-encoding", b"content-length")
            or (name.lower() == b"content-length" and "Content-Encoding" not in answer.headers)
        ]
        return httpx2.Response(answer.status, headers=headers, stream=_Body(answer), request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _proxy(self, scheme: str, host: str) -> str | None:
        """The proxy for a host; what the environment says is read once, as aiohttp would for each request."""
        network = self._network
        if network.proxy is not None or not network.trust_environment:
            return network.proxy
        if (scheme, host) not in self._proxies:
            found = None if proxy_bypass(host) else getproxies().get(scheme)
            self._proxies[scheme, host] = found
        return self._proxies[scheme, host]

    def _patience(self, timeouts: Timeouts) -> aiohttp.ClientTimeout:
        found = self._waits.get(timeouts)
        if found is None:
            found = self._waits[timeouts] = _waits(timeouts.connect, timeouts.pool, timeouts.read)
        return found

    def _open(self) -> aiohttp.ClientSession:
        network = self._network
        verify = network.verify()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=network.max_connections,
                keepalive_timeout=network.idle_seconds,
                ssl=verify,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Content-Type", "Accept"),
        )
        return self._session


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, read on demand; closing early drops the connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.content.iter_chunked(_PIECE):
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


def _waits(connect: float | None, pool: float | None, read: float | None) -> aiohttp.ClientTimeout:
    """The client's phases in those of aiohttp, which takes waiting for a connection and connecting as one."""
    both = None if connect is None or pool is None else connect + pool
    return aiohttp.ClientTimeout(total=None, connect=both, sock_connect=connect, sock_read=read)


def _translated(error: Exception) -> httpx2.HTTPError:
    """The failure as the client's HTTP library would name it."""
    said = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx2.ConnectTimeout(said)
    if isinstance(error, TimeoutError):
        return httpx2.ReadTimeout(said)
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx2.ConnectError(said)
    return httpx2.ReadError(said)

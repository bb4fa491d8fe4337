"""The only module that touches the HTTP library: sends requests, opens streams, translates failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import httpx2

from weft.client._async.exchange import ExchangeTransport
from weft.client._call import Call
from weft.client._core import Reply
from weft.client._exchange import CookieHeaders, FixedHeaders, Outgoing, query_text
from weft.client._network import Network, hide_cookies_in_logs
from weft.client._retry import Timeouts, retry_after, server_time
from weft.client._secret import Secret, hide
from weft.errors import ConfigError, TransportError
from weft.version import __version__

pause = asyncio.sleep

_NO_HEADERS: Mapping[str, str] = {}


class Connection:
    """Connections to one server, kept open between requests.

    Args:
        base: What all paths are appended to.
        timeouts: Seconds to wait in each phase.
        network: Proxy, certificates and connections.
        transport: Takes the place of the network.
        now: Tells the time.
        headers: Sent with every request.
        secrets: What an answer must not show, should the server echo it.

    Raises:
        ConfigError: The proxy or the certificates cannot be used.
    """

    def __init__(
        self,
        base: str,
        *,
        timeouts: Timeouts,
        network: Network,
        transport: httpx2.AsyncBaseTransport | None,
        now: Callable[[], datetime],
        headers: Mapping[str, str],
        secrets: Callable[[], Sequence[Secret]],
    ) -> None:
        self._base = base
        self._now = now
        self._secrets = secrets
        hide_cookies_in_logs()
        self._timeouts = timeouts
        self._timeouts_of_runs = replace(timeouts, read=timeouts.run)
        self._patience = _timeout(self._timeouts)
        self._patience_for_runs = _timeout(self._timeouts_of_runs)
        fixed = {"User-Agent": f"weft/{__version__}", **headers}
        self._fixed = FixedHeaders(fixed)
        self._short = transport if isinstance(transport, ExchangeTransport) else None
        try:
            self._http = httpx2.AsyncClient(
                headers=fixed,
                transport=transport,
                verify=network.verify() if transport is None else True,
                proxy=network.proxy,
                trust_env=network.trust_environment,
                limits=httpx2.Limits(
                    max_connections=network.max_connections,
                    max_keepalive_connections=network.max_idle,
                    keepalive_expiry=network.idle_seconds,
                ),
            )
        except (ValueError, ImportError, httpx2.InvalidURL) as error:
            # Its address is not shown, as it may hold a password.
            raise ConfigError(f"the proxy cannot be used: {type(error).__name__}") from None
        self._cookies = CookieHeaders(self._http.cookies)

    async def send(self, call: Call[object], headers: Mapping[str, str] = _NO_HEADERS) -> Reply:
        """Send a request and read its whole answer.

        Raises:
            TransportError: There was none.
        """
        if self._short is not None and call.upload is None:
            return await self._exchange(self._short, call, headers)
        answer = await self.open(call, headers=headers)
        try:
            return await answer.read_all()
        finally:
            await answer.aclose()

    async def open(
        self,
        call: Call[object],
        *,
        accept: str = "application/json",
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Answer:
        """Send a request and wait for the head of its answer; the caller closes it.

        Raises:
            TransportError: There was none.
        """
        sent = {"Accept": accept, **headers, **call.headers}
        if call.body is not None:
            sent["Content-Type"] = "application/json"
        upload = call.upload
        if upload is not None and not isinstance(upload.content, bytes):
            upload.content.seek(0)  # it may be a second try
        request = self._http.build_request(
            call.method,
            self._base + call.path,
            params=call.query or None,
            content=call.body,
            data=call.form or None,
            files=None if upload is None else {"file": (upload.filename, upload.content, upload.mime_type)},
            headers=sent,
            timeout=self._patience_for_runs if call.waits_for_run else self._patience,
        )
        try:
            response = await self._http.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise self._failure(call, error) from error
        return Answer(call, response, self)

    async def _exchange(
        self, transport: ExchangeTransport, call: Call[object], headers: Mapping[str, str]
    ) -> Reply:
        sent = self._fixed.joined({"Accept": "application/json"}, headers, call.headers)
        if call.body is not None:
            sent["Content-Type"] = "application/json"
        address = self._base + call.path
        if cookies := self._cookies.text(address):
            sent["Cookie"] = cookies
        request = Outgoing(
            call.method,
            f"{address}?{query_text(call.query)}" if call.query else address,
            sent,
            call.body,
            self._timeouts_of_runs if call.waits_for_run else self._timeouts,
        )
        try:
            answer = await transport.exchange(request)
        except httpx2.HTTPError as error:
            raise self._failure(call, error) from error
        set_now = self._cookies.take(address, answer) if answer.cookies else {}
        return self._reply(answer.status, answer.headers, answer.body, set_now)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def forget_cookies(self) -> None:
        """Send none of the cookies that the server has set so far."""
        self._http.cookies.clear()

    def _read(self, response: httpx2.Response, body: bytes) -> Reply:
        cookies = {}
        if "set-cookie" in response.headers:
            cookies = {cookie.name: cookie.value or "" for cookie in response.cookies.jar}
        return self._reply(response.status_code, dict(response.headers), body, cookies)

    def _reply(
        self, status: int, headers: Mapping[str, str], body: bytes, cookies: Mapping[str, str]
    ) -> Reply:
        if status >= 300:
            text = body.decode(errors="surrogateescape")
            body = hide(text, self._secrets()).encode(errors="surrogateescape")
        wait = None
        if "retry-after" in headers:
            wait = retry_after(headers["retry-after"], server_time(headers.get("date"), self._now()))
        return Reply(status, headers, body, wait, cookies)

    def _failure(self, call: Call[object], error: httpx2.HTTPError) -> TransportError:
        said = hide(str(error), self._secrets())
        return TransportError(f"{call}: no answer: {type(error).__name__}: {said}".rstrip(": "))


class Answer:
    """An answer whose body is still to be read."""

    def __init__(self, call: Call[object], response: httpx2.Response, connection: Connection) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._call = call
        self._response = response
        self._connection = connection
        self._chunks = response.aiter_bytes()

    async def read_all(self) -> Reply:
        """The whole answer; secrets are masked in errors, should the server have echoed them.

        Raises:
            TransportError: The connection failed on the way.
        """
        try:
            body = await self._response.aread()
        except httpx2.HTTPError as error:
            raise self._connection._failure(self._call, error) from error
        return self._connection._read(self._response, body)

    async def chunk(self) -> bytes | None:
        """The next piece of the body, or ``None`` at its end.

        Raises:
            TransportError: The connection failed on the way.
        """
        try:
            return await anext(self._chunks, None)
        except httpx2.HTTPError as error:
            raise self._connection._failure(self._call, error) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        await self._response.aclose()


def _timeout(timeouts: Timeouts) -> httpx2.Timeout:
    return httpx2.Timeout(
        connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool
    )

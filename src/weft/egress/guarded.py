"""Requests with everything around them: checked headers, redirects, cookies between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp

from weft.egress.config import EgressConfig
from weft.egress.error import EgressError, TooManyRedirectsError
from weft.egress.header import Header, usable_headers, without
from weft.egress.redirect import REDIRECTS, Hop, next_hop
from weft.egress.request import EgressRequest
from weft.egress.resolver import Resolve, SystemResolve
from weft.egress.response import EgressResponse
from weft.egress.transport import Transport, Waits, pieces_of
from weft.egress.url import origin_of, parse_url


class GuardedEgress:
    """Sends requests to what flows may reach; to be opened in the event loop that uses it.

    Args:
        config: What requests may do.
        resolve: Finds the addresses of names; the system's own way unless given.
    """

    def __init__(self, config: EgressConfig, resolve: Resolve | None = None) -> None:
        self.config = config
        self._names = SystemResolve()
        self._transport = Transport(config, resolve or self._names)

    @asynccontextmanager
    async def request(self, request: EgressRequest) -> AsyncIterator[EgressResponse]:
        """Send a request; see `weft.egress.Egress`."""
        waits = self._waits(request)
        hop = self._first_hop(request)
        cookies: aiohttp.CookieJar | None = None
        for _ in range(self.config.max_redirects + 1):
            sent = hop if cookies is None else _with_cookies(hop, cookies)
            response = await self._transport.send(sent, waits, verify_tls=request.verify_tls)
            try:
                location = response.headers.get("Location", "") if response.status in REDIRECTS else ""
                if not location:
                    yield EgressResponse(
                        status=response.status,
                        origin=origin_of(hop.url),
                        headers=_joined(response),
                        pieces=pieces_of(response, waits),
                    )
                    return
                # A page that sets a cookie and points to itself expects to see it again.
                cookies = cookies or aiohttp.CookieJar(unsafe=True)
                cookies.update_cookies(response.cookies, hop.url)
                hop = next_hop(hop, response.status, location, request.credentials)
            finally:
                response.close()
        raise TooManyRedirectsError(f"{origin_of(hop.url)} comes after {self.config.max_redirects} redirects")

    async def close(self) -> None:
        """Give back connections and threads."""
        await self._transport.close()
        self._names.close()

    def _first_hop(self, request: EgressRequest) -> Hop:
        if not request.method.isascii() or not request.method.isalpha():
            raise EgressError(f"{request.method!r} is no HTTP method")
        url, authorization = parse_url(request.url)
        headers: list[Header] = usable_headers(request.headers, user_agent=self.config.user_agent)
        if authorization is not None and not any(name.lower() == "authorization" for name, _ in headers):
            headers.append(("Authorization", authorization))
        return Hop(request.method, url, tuple(headers), request.body)

    def _waits(self, request: EgressRequest) -> Waits:
        config = self.config
        return Waits(
            _at_most(request.connect_seconds, config.connect_seconds),
            _at_most(request.read_seconds, config.read_seconds),
            _at_most(request.write_seconds, config.write_seconds),
        )


def _with_cookies(hop: Hop, jar: aiohttp.CookieJar) -> Hop:
    pairs = [f"{name}={cookie.coded_value}" for name, cookie in jar.filter_cookies(hop.url).items()]
    given = [value for name, value in hop.headers if name.lower() == "cookie"]
    if not pairs:
        return hop
    return replace(hop, headers=(*without(hop.headers, {"cookie"}), ("Cookie", "; ".join([*given, *pairs]))))


def _at_most(asked: float | None, most: float) -> float:
    return min(asked, most) if asked is not None and asked > 0 else most


def _joined(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers

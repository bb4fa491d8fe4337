"""A request and its whole answer as plain values, for transports that carry them without the HTTP library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from weft.client._retry import Timeouts

if TYPE_CHECKING:
    import httpx2

MAX_PATHS = 256
"""For which the header is remembered."""
_PLAIN = re.compile(r"[\w.~-]+=[\w.~-]*", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request, ready to be sent."""

    method: str
    url: str
    """With its query, quoted."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    timeouts: Timeouts
    """`run` is none of the transport's business: where it applies, `read` is as long."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole answer; its body is unpacked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; of a header that came several times the values with commas between them."""
    body: bytes = field(repr=False)
    cookies: Iterable[str] = field(default=(), repr=False)
    """The values of ``Set-Cookie``, one for each."""


def query_text(query: Mapping[str, str]) -> str:
    """A query string; what needs no quoting, as ids and numbers, is not looked at letter by letter."""
    pairs = [f"{name}={value}" for name, value in query.items()]
    return "&".join(pairs) if all(map(_PLAIN, pairs)) else urlencode(query)


class FixedHeaders:
    """What goes along with every request, a key among it, which therefore does not show itself."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def __repr__(self) -> str:
        return f"FixedHeaders({list(self._headers)!r})"

    def joined(self, *others: Mapping[str, str]) -> dict[str, str]:
        """These and others, of which the later ones win."""
        found = dict(self._headers)
        for other in others:
            found.update(other)
        return found


class CookieHeaders:
    """The cookies of a client as header text, worked out anew only when there are others.

    Args:
        cookies: All cookies that the server has set so far; it may change at any time.
    """

    def __init__(self, cookies: httpx2.Cookies) -> None:
        self._cookies = cookies
        self._state: tuple[object, ...] = ()
        self._texts: dict[str, str] = {}

    def text(self, address: str) -> str:
        """The value of the Cookie header for an address without query; empty when it gets none."""
        state = _state(self._cookies.jar)
        if not state:
            return ""
        if state != self._state or len(self._texts) >= MAX_PATHS:
            self._state = state
            self._texts.clear()
        known = self._texts.get(address)
        if known is None:
            import httpx2  # whoever has cookies has loaded it

            request = httpx2.Request("GET", address)
            self._cookies.set_cookie_header(request)
            known = self._texts[address] = request.headers.get("cookie", "")
        return known

    def take(self, address: str, answer: Incoming) -> dict[str, str]:
        """Keep the cookies of an answer; returns them."""
        import httpx2

        headers = [("Set-Cookie", value) for value in answer.cookies]
        response = httpx2.Response(
            answer.status, headers=headers, request=httpx2.Request("GET", address), content=b""
        )
        self._cookies.extract_cookies(response)
        return {cookie.name: cookie.value or "" for cookie in response.cookies.jar}


def _state(jar: CookieJar) -> tuple[object, ...]:
    return tuple((one.domain, one.path, one.name, one.value, one.is_expired()) for one in jar)

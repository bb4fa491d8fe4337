"""What tools need of the network. Whoever calls a tool says who reaches out for it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

_SAMPLE_BYTES = 2048
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_.:\-]{2,30})""", re.IGNORECASE)
_ENCODINGS = re.compile(
    r"(utf|us-ascii|ascii|iso|latin|windows-125|cp125|gb|big5|shift|sjis|euc|koi8|tis|macintosh)[a-z0-9_.:-]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What is sent."""

    url: str = field(repr=False)
    """Absolute, with its query."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    timeout: float = 60.0
    """Seconds for the whole exchange."""
    max_bytes: int = 1024 * 1024
    """Of the body that comes back, unpacked."""
    credentials: frozenset[str] = frozenset()
    """Names of headers, lower case, that a redirect to another host goes without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What comes back."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes = field(default=b"", repr=False)

    @property
    def content_type(self) -> str:
        """The media type alone, lower case; empty if nobody says."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text, in the encoding that it or its headers name, else UTF-8."""
        named = _CHARSET.search(self.headers.get("content-type", "").encode())
        if named is None and self.content_type.endswith("html"):
            named = _CHARSET.search(self.body[:_SAMPLE_BYTES])
        charset = named[1].decode() if named is not None else "utf-8"
        return self.body.decode(charset if _is_known(charset) else "utf-8", errors="replace")


def _is_known(charset: str) -> bool:
    """Whether that is an encoding of texts as they are found in the network, and no other codec."""
    if not _ENCODINGS.fullmatch(charset):
        return False
    try:
        codecs.lookup(charset)
    except LookupError:
        return False
    return True


class Http(Protocol):
    """Sends requests, and refuses those to addresses that flows may not reach."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send a request and wait for the whole reply; redirects are followed.

        Any status is a reply.

        Raises:
            WeftError: The address is refused, nobody answered in time, or the reply is too large.
        """
        ...

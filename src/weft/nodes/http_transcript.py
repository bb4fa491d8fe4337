"""A request as text, for the record of the run, without what must stay secret."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from urllib.parse import quote, quote_plus, urlsplit

from weft.nodes.http_field import Headers
from weft.variables import mask_secret

_KEYS = frozenset({"authorization", "proxy-authorization"})
_HIDDEN = "*" * 20


def transcribe(
    method: str, url: str, headers: Headers, body: str, length: int, *, hidden: Collection[str]
) -> str:
    """The request line, the headers and the body.

    Args:
        method: In capitals.
        url: With its parameters.
        headers: Those that the flow gave.
        body: As it is shown.
        length: Bytes of the body as it is sent.
        hidden: Headers, in lower case, whose value is not shown.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    for name, value in headers.items():
        is_hidden = name.lower() in hidden or name.lower() in _KEYS
        lines.append(f"{name}: {_HIDDEN if is_hidden else value}")
    if length:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", body])


def mask_secrets(text: str, secrets: Sequence[str]) -> str:
    """The text without secrets, also where they were written as part of an address, a form or JSON."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        masked = mask_secret(secret)
        for spelling in _spellings(secret):
            text = text.replace(spelling, masked)
    return text


def _spellings(secret: str) -> list[str]:
    whole = quote(secret, safe="", errors="replace")
    spellings = {
        secret,
        whole,
        quote(secret, errors="replace"),
        quote_plus(secret, errors="replace"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    return sorted(spellings, key=len, reverse=True)

"""Headers that a request may bring, and those that it may not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from weft.egress.error import EgressError

Header = tuple[str, str]

CREDENTIALS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "apikey", "x-auth-token"}
)
"""Headers that are for one origin only, whoever sends them."""
_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "identity"})
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_VALUES = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def usable_headers(headers: Iterable[Header], *, user_agent: str) -> list[Header]:
    """The headers that are sent, those of the connection left out and the usual ones added.

    Raises:
        EgressError: A name or a value cannot be sent.
    """
    kept: list[Header] = []
    for name, value in headers:
        if not _NAME.fullmatch(name):
            raise EgressError(
                f"{name!r} cannot be the name of a header; it may have letters, digits and hyphens"
            )
        if _NOT_IN_VALUES.search(value):
            raise EgressError(
                f"the value of the header {name!r} holds a line break or another control character; remove it"
            )
        if name.lower() == "accept-encoding":
            kept.append((name, _known_codings(value)))
        elif name.lower() not in _OF_THE_CONNECTION:
            kept.append((name, value))
    names = {name.lower() for name, _ in kept}
    usual = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
    return kept + [(name, value) for name, value in usual.items() if name.lower() not in names]


def without(headers: Iterable[Header], names: Iterable[str]) -> list[Header]:
    """The headers whose names, in lower case, are not among `names`."""
    dropped = frozenset(names)
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _known_codings(value: str) -> str:
    codings: Sequence[str] = [
        coding.strip() for coding in value.split(",") if coding.split(";")[0].strip().lower() in _CODINGS
    ]
    return ", ".join(codings) or "identity"

"""Reading an address so that what is checked is what is connected to."""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import quote, unquote_to_bytes

from yarl import URL

from weft.egress.error import InvalidUrlError

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?", re.I
)
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATH_SAFE = "%/:@!$&'()*+,;=-._~"
_QUERY_SAFE = _PATH_SAFE + "?[]"


def parse_url(text: str) -> tuple[URL, str | None]:
    """Take an address apart.

    What is escaped in path and query stays as it is, letter for letter, because signatures cover it; only
    what no request line can hold is escaped.

    Returns:
        The address without user, password and fragment, and the value of an ``Authorization`` header made of
        the user and password, if there are any.

    Raises:
        InvalidUrlError: It is no ``http`` or ``https`` address, or one that programs read differently.
    """
    match = _ADDRESS.match(text)
    if match is None:
        raise InvalidUrlError("the address does not start with http:// or https://")
    if _CONTROL.search(text):
        raise InvalidUrlError("the address holds a line break or another control character; remove it")
    userinfo, _, place = match["authority"].rpartition("@")
    if "\\" in match["authority"] or "@" in userinfo or any(map(str.isspace, match["authority"])):
        raise InvalidUrlError(
            "the host of the address cannot be told: there is a backslash, a space or a second @ before it"
        )
    scheme = match["scheme"].lower()
    try:
        base = URL(f"{scheme}://{place}/")
        if not base.raw_host:
            raise InvalidUrlError("the address names no host")
        path = _quote(match["path"], _PATH_SAFE) or "/"
        query = "" if match["query"] is None else "?" + _quote(match["query"], _QUERY_SAFE)
        url = URL(f"{base.origin()}{path}{query}", encoded=True)
    except ValueError as error:
        raise InvalidUrlError(
            "the host or the port of the address is none; check how it is written"
        ) from error
    return url, _basic(userinfo) if userinfo else None


def origin_of(url: URL) -> str:
    """Scheme, host and port, the part of an address that may be told."""
    return str(url.origin())


def _quote(part: str, safe: str) -> str:
    # The escapes of bytes that were no UTF-8, as a header may hold them, go out as those bytes.
    return quote(_STRAY_PERCENT.sub("%25", part), safe=safe, errors="surrogateescape")


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return "Basic " + b64encode(pair).decode("ascii")

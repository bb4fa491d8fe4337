"""Links to files for those who have no key: signed, and good for minutes.

Source: Dify service API, signed addresses of files.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection
from typing import Literal

from weft.clock import Clock

LinkKind = Literal["file-preview", "image-preview"]

LINK_SECONDS = 300
"""How long a link is good for."""

_DIGITS = re.compile("[0-9]{1,12}")
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_LINK = re.compile(
    rf"/files/(?P<id>{_UUID})/(?P<kind>file-preview|image-preview)"
    r"\?timestamp=(?P<timestamp>[0-9]{1,12})&nonce=(?P<nonce>[0-9a-f]{1,64})&sign=(?P<sign>[\w-]{43}=)",
    re.ASCII,
)
"""A link inside a text, from its path on."""
_BASE_CHARS = 300
_IN_ADDRESS = re.compile(r"[^\s\"'<>()\[\]]*")


def _nonce() -> str:
    return secrets.token_hex(16)


class FileLinks:
    """Makes and checks links.

    Args:
        secret: What they are signed with.
        clock: The time.
        base: What a link begins with, e.g. ``https://chat.example.org``, without a slash at its end; it may
            be set later.
        nonce: Makes something that no two links share, in hexadecimal digits.
    """

    def __init__(
        self, secret: str, *, clock: Clock, base: str = "", nonce: Callable[[], str] = _nonce
    ) -> None:
        self.base = base
        self._secret = secret.encode()
        self._clock = clock
        self._nonce = nonce

    def sign(self, file_id: str) -> str:
        """A link to a file, good from now on."""
        timestamp, nonce = str(int(self._clock.now().timestamp())), self._nonce()
        sign = self._sign("file-preview", file_id, timestamp, nonce)
        return f"{self.base}/files/{file_id}/file-preview?timestamp={timestamp}&nonce={nonce}&sign={sign}"

    def check(self, kind: LinkKind, file_id: str, timestamp: str, nonce: str, sign: str) -> bool:
        """Whether we made this link, and not too long ago."""
        if not self._is_ours(kind, file_id, timestamp, nonce, sign):
            return False
        return self._clock.now().timestamp() - int(timestamp) <= LINK_SECONDS

    def find(self, text: str) -> set[str]:
        """Ids of the files that the links in a text lead to, which we made at any time."""
        if "/files/" not in text:
            return set()
        return {match["id"] for match in _LINK.finditer(text) if self._made(match)}

    def renew(self, text: str, file_ids: Collection[str]) -> str:
        """The text with new links to these files in the place of links to them that we made.

        A link that somebody else wrote stays as it is: whoever can make a text must not get a link by it.
        """
        pieces, end = [], 0
        for match in _LINK.finditer(text) if file_ids else ():
            if match["id"] in file_ids and self._made(match):
                pieces += [text[end : _begin(text, match.start(), end)], self.sign(match["id"])]
                end = match.end()
        return "".join([*pieces, text[end:]])

    def _made(self, match: re.Match[str]) -> bool:
        return self._is_ours(match["kind"], match["id"], match["timestamp"], match["nonce"], match["sign"])

    def _is_ours(self, kind: str, file_id: str, timestamp: str, nonce: str, sign: str) -> bool:
        if _DIGITS.fullmatch(timestamp) is None:
            return False
        expected = self._sign(kind, file_id, timestamp, nonce)
        return hmac.compare_digest(expected.encode(), sign.encode(errors="replace"))

    def _sign(self, kind: str, file_id: str, timestamp: str, nonce: str) -> str:
        message = f"{kind}|{file_id}|{timestamp}|{nonce}".encode(errors="replace")
        return urlsafe_b64encode(hmac.digest(self._secret, message, "sha256")).decode()


def _begin(text: str, path: int, least: int) -> int:
    """Where the address begins whose path begins there; that is its path if it has no host."""
    before = text[max(least, path - _BASE_CHARS) : path]
    at = max(before.rfind("http://"), before.rfind("https://"))
    return path if at < 0 or _IN_ADDRESS.fullmatch(before, at) is None else path - len(before) + at

"""Keys, passwords and tokens: held so that they never show themselves, and taken out of what is shown."""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from weft.errors import ConfigError

MASK = "***"
SHORTEST_ANYWHERE = 6
"""Letters of a secret that is hidden in the middle of words too."""
SHORTEST_WORD = 3
"""Letters of a secret that is hidden wherever it is a word of its own."""

_SECRET_LOOKS = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # a JWT, perhaps cut off
    r"|(?<![\w-])(?:app|dataset)-[A-Za-z0-9]{16,}"
    r'|(?<="password":")(?:[^"\\]|\\.)+|(?<="password": ")(?:[^"\\]|\\.)+'
    r'|(?<=_token":")(?:[^"\\]|\\.)+|(?<=_token": ")(?:[^"\\]|\\.)+'
    r"|(?<=://)[^\s/@:\"']*:[^\s/@\"']+(?=@)"  # user and password in an address
)
_NOT_A_NAME = r"""(?!\\?["']\s*:)"""
"""A member of an object is called like this; that is no secret."""
_PLACES = (
    rf"""(?P<quote>\\?["'`])SECRET(?=\\?["'`]){_NOT_A_NAME}"""
    r"""|(?P<lead>(?i:\b(?:bearer|basic)\s+)|://(?:[^\s/@:"']*:)?(?=[^\s/@]*@)|=|%3D"""
    r"""|(?i:pass(?:word|wd|phrase)?|pwd|secret|token|key)\\?["'`]?\s*(?:[:=]|is\b|was\b)?\s*\\?["'`(]?)"""
    rf"SECRET(?!\w){_NOT_A_NAME}"
)
_WORD = rf"""(?<!\w)(?<!":)(?<!": )SECRET(?!\w){_NOT_A_NAME}"""
"""Not a number of a member either, or an answer could not be read any more."""
_STRUCTURE = re.compile(r'[\s"\'\\,:{}\[\]<>]')


class Secret:
    """A text that is written nowhere but on the wire."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return f"'{MASK}'"


NO_SECRET = Secret("")


class ApiKey(Secret):
    """An app key.

    Raises:
        ConfigError: It is empty or cannot stand in a header.
    """

    __slots__ = ()

    def __init__(self, text: str) -> None:
        text = text.strip()
        if not text:
            raise ConfigError("the API key is empty; give an app key such as 'app-...'")
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ConfigError("the API key has blanks or characters that no key has; copy it again")
        super().__init__(text)

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self._text}"


def hide(text: str, secrets: Iterable[Secret] = ()) -> str:
    """The text without these secrets, and without anything that looks like a key or a token.

    A secret of six letters or more is taken out wherever it stands, however it is escaped. A shorter one
    would take its letters out of every word that a person is to read, and out of the names that a program
    is to find: it is taken out where a secret stands (behind ``Bearer``, in the user part of an address, as a
    value of a query, a form or a cookie, in quotes, behind a word such as "password"), and from three letters
    on wherever it is a word of its own.
    """
    known = frozenset(secret.reveal() for secret in secrets if secret)
    if known:
        anywhere, in_place = _patterns(known)
        if anywhere is not None:
            text = anywhere.sub(MASK, text)
        if in_place is not None:
            text = in_place.sub(lambda found: f"{found['quote'] or found['lead'] or ''}{MASK}", text)
    return _SECRET_LOOKS.sub(MASK, text)


def _patterns(known: frozenset[str]) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """What finds those of these secrets that are hidden anywhere, and those that are only in some places."""
    long = {one for one in known if _is_telling(one)}
    anywhere = _any_of(long)
    short = known - long
    if not short:
        return re.compile(anywhere), None
    words = {one for one in short if len(one) >= SHORTEST_WORD}
    places = _PLACES.replace("SECRET", _any_of(short))
    if words:
        places += "|" + _WORD.replace("SECRET", _any_of(words))
    return re.compile(anywhere) if long else None, re.compile(places)


def _is_telling(secret: str) -> bool:
    """Whether nothing else is spelled like it, not even a part of a word."""
    if len(secret) >= SHORTEST_ANYWHERE:
        return True
    return len(secret) >= SHORTEST_WORD and not secret.isalnum() and _STRUCTURE.search(secret) is None


def _any_of(secrets: Iterable[str]) -> str:
    """An expression for any of these in any spelling; the longest first, as one may be a part of another."""
    found = {spelling for secret in secrets for spelling in _spellings(secret)}
    return f"(?:{'|'.join(map(re.escape, sorted(found, key=lambda one: (-len(one), one))))})"


def _spellings(text: str) -> set[str]:
    """A text as it is, and as JSON, Python, pages and addresses write it."""
    found = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    found |= {html.escape(text), html.escape(text, quote=False)}
    with contextlib.suppress(UnicodeEncodeError):
        found |= {quote(text), quote(text, safe=""), quote_plus(text)}
    return found

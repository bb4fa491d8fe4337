"""Keys, passwords and tokens: held so that they never show themselves, and taken out of what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weft.errors import ConfigError

MASK = "***"

_SECRET_LOOKS = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # a JWT, perhaps cut off
    r"|(?<![\w-])(?:app|dataset)-[A-Za-z0-9]{16,}"
    r'|(?<="password":")(?:[^"\\]|\\.)+|(?<="password": ")(?:[^"\\]|\\.)+'
    r'|(?<=_token":")(?:[^"\\]|\\.)+|(?<=_token": ")(?:[^"\\]|\\.)+'
)


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
    """The text without these secrets, and without anything that looks like a key or a token."""
    for secret in secrets:
        if secret:
            text = text.replace(secret.reveal(), MASK)
    return _SECRET_LOOKS.sub(MASK, text)

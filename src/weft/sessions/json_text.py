"""Plain data as JSON text and back, the same on every database.

The text is kept in text columns: JSON writes NUL as an escape, which such a column holds on Postgres too,
where a column of its JSON types would not.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import cast

import msgspec

from weft.errors import StoreError


def dump_json(value: object) -> str:
    """JSON text; letters of all alphabets stay readable.

    Args:
        value: Plain data; `weft.sessions.plain.plain` makes it.
    """
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        # Lone surrogates and integers of more than 64 bits; escaped, JSON can hold the former too.
        return json.dumps(value, separators=(",", ":"))


def load_json(text: str) -> object:
    """The value of a JSON text.

    Raises:
        StoreError: It is none.
    """
    try:
        return cast(object, msgspec.json.decode(text))
    except msgspec.DecodeError:
        pass
    try:
        return cast(object, json.loads(text))
    except ValueError as error:
        raise StoreError(f"a stored session holds text that is no JSON: {error}") from error


def load_object(text: str | None) -> dict[str, object]:
    """The JSON object of a text; empty for nothing and for anything else."""
    found = None if text is None else load_json(text)
    return found if isinstance(found, dict) else {}


def digest(text: str) -> str:
    """Equal for equal texts and, as far as anybody will ever see, for no others."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def storable(text: str) -> str:
    """The text with U+FFFD in the place of what a text column cannot hold: NUL and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")

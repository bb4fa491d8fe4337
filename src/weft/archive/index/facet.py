"""Words that stand for properties of a message, so that filters are a part of the match."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Literal

from weft.archive.index.token import FACET

Property = Literal["app", "user", "org", "model", "source", "status", "rating", "conversation", "error"]

EVERY = FACET
"""The word that every message has."""
_LETTERS: dict[Property, str] = {
    "app": "a",
    "user": "u",
    "org": "o",
    "model": "m",
    "source": "s",
    "status": "t",
    "rating": "r",
    "conversation": "c",
    "error": "e",
}


@lru_cache(maxsize=1 << 16)
def facet(name: Property, value: str) -> str:
    """The word for this property and value; a hash, since a value may hold signs at which words are cut."""
    digest = blake2b(value.encode("utf-8", "replace"), digest_size=10).hexdigest()
    return f"{FACET}{_LETTERS[name]}{digest}"

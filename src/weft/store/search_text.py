"""What the search index knows of a row: its texts in one line, and the pieces that a keyword is looked up by.

The index answers whether a text contains a keyword, to the letter. So texts and keywords are lower case
before they come here, lowered by whoever answers the same question without the index.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from weft.store.codec import storable

_T = TypeVar("_T")

PIECE: Final = 3
"""Characters that are looked up together."""
MAX_CHARS: Final = 262_144
"""Longer texts are left out of the index and searched as they are."""

_SEPARATOR: Final = "\x1f"
_MARK: Final = "\x1e"
_STAND_IN: Final = "\ufffd"
_UNCERTAIN: Final = frozenset((_SEPARATOR, _MARK, _STAND_IN))
_FACETS: Final = {"succeeded": "s", "failed": "f", "stopped": "t", "partial-succeeded": "p"}


def is_certain(keyword: str) -> bool:
    """Whether the index finds a keyword exactly where it stands; else the texts have to be read.

    One with characters that no database holds is not the index's to answer: they are stored as U+FFFD.
    """
    return bool(keyword) and _UNCERTAIN.isdisjoint(storable(keyword))


def join(parts: Sequence[str | None]) -> str:
    """The texts of a row in one, so that nothing is found across their borders."""
    cleaned = (_clean(part or "") for part in parts)
    # Two separators at the end: the last characters, too, begin a piece.
    return _SEPARATOR.join(cleaned) + _SEPARATOR * (PIECE - 1)


def facet(status: str) -> str | None:
    """A piece that stands in the text of every run of a status, if runs that have ended have that status."""
    letter = _FACETS.get(status)
    return None if letter is None else f"{_MARK}{letter}{_MARK}"


def run_text(status: str, parts: Sequence[str | None]) -> str:
    """The text of a run that has ended."""
    return (facet(status) or "") + _SEPARATOR + join(parts)


def quoted(keyword: str) -> str:
    """The keyword as a phrase of SQLite's query language."""
    return '"' + keyword.replace('"', '""') + '"'


def grams(text: str) -> list[int]:
    """Numbers of all pieces of a text: three characters each, or fewer in scripts whose words are short."""
    found = {_number(text[at : at + PIECE]) for at in range(len(text) - PIECE + 1)}
    if not text.isascii():
        for length in (1, 2):
            pieces = (text[at : at + length] for at in range(len(text) - length + 1))
            found.update(_number(piece) for piece in pieces if _is_dense(piece))
    return sorted(found)


def wanted_grams(keyword: str) -> list[int]:
    """Numbers that every text with that keyword has; none when such texts cannot be told by numbers."""
    if len(keyword) >= PIECE:
        return sorted({_number(keyword[at : at + PIECE]) for at in range(len(keyword) - PIECE + 1)})
    return [_number(keyword)] if _is_dense(keyword) else []


def following(prefix: str) -> str | None:
    """The least text that comes after all texts with that prefix, by code points; `None` if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at]) + 1
        if code <= 0x10FFFF:
            # Surrogates are no characters.
            return prefix[:at] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
    return None


def portions(ids: Sequence[_T], size: int = 500) -> Iterator[Sequence[_T]]:
    """The same in lists that a statement can take."""
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


def _clean(text: str) -> str:
    for character in (_SEPARATOR, _MARK):
        if character in text:
            text = text.replace(character, _STAND_IN)
    return text


def _is_dense(piece: str) -> bool:
    return all(ord(character) > 0x7F for character in piece)


def _number(piece: str) -> int:
    return zlib.crc32(piece.encode()) - 0x80000000

"""Searching for beginnings of words, with the names of the words that they stand for.

SQLite looks at every message with one of the words when it is asked for a beginning. With the words named it
finds the newest matches alone, which is quick unless there are very many words. Then the newest messages are
looked at first: few words are named for these, because the words of each are known (`recent`).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence

MOST_ENDINGS = 4000
"""Words that a beginning may stand for; with more, all that match are looked at."""
MANY_ENDINGS = 250
"""Words from which on the newest messages are looked at first."""
STEPS = (100, 400, 2_000)
"""So many of the newest messages; of more the words are not known. The last step only pays where the words
cannot all be named."""
_LAST_CHARACTER = chr(0x10FFFF)
_WORDS = "SELECT text FROM word WHERE text BETWEEN ? AND ? LIMIT ?"
_RECENT = """SELECT id, words FROM recent WHERE id BETWEEN
    max(:low, (SELECT value FROM meta WHERE key = 'recent')) AND :high ORDER BY id DESC LIMIT :count"""

Endings = Callable[[str], Sequence[str]]


class EveryEnding:
    """The words of an index that begin so, or none when there are too many to name."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.are_many = False
        """Whether a beginning stood for many words."""
        self.are_too_many = False
        """Whether it stood for more than can be named."""

    def __call__(self, beginning: str) -> Sequence[str]:
        """The words that begin so, in order."""
        values = (beginning, beginning + _LAST_CHARACTER, MOST_ENDINGS + 1)
        found = self._connection.execute(_WORDS, values).fetchall() if beginning else []
        self.are_many = self.are_many or len(found) > MANY_ENDINGS
        self.are_too_many = self.are_too_many or len(found) > MOST_ENDINGS
        return [] if len(found) > MOST_ENDINGS else [word for (word,) in found]


def iter_recent(
    connection: sqlite3.Connection, steps: Sequence[int], low: int, high: int
) -> Iterator[tuple[int, Endings]]:
    """Some of the newest messages, and then more of them.

    Args:
        steps: How many.
        low: The lowest row that is asked for.
        high: The highest one.

    Yields:
        The row from which on they are, and the words in them that begin so.
    """
    known = connection.execute("SELECT value FROM meta WHERE key = 'recent'").fetchone()
    if known is None:
        return
    for count in steps:
        values = {"low": low, "high": high, "count": count}
        rows = connection.execute(_RECENT, values).fetchall()
        text = " ".join(words for _, words in rows)
        is_all = len(rows) < count
        yield (max(low, known[0]) if is_all else rows[-1][0]), _endings_in(text)
        if is_all:
            return


def _endings_in(text: str) -> Endings:
    def endings(beginning: str) -> Sequence[str]:
        # The beginning itself, where nothing begins so: no word at all would stand for any.
        return sorted({beginning, *re.findall(rf"(?<!\S){re.escape(beginning)}\S*", text)})

    return endings

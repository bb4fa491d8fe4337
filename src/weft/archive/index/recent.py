"""The words of the newest messages, to be looked at before all others; see `weft.archive.index.ending`.

Every message whose row is ``meta.recent`` or above has its words in ``recent``.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from weft.archive.index.row_number import LAST
from weft.archive.index.token import cutter

Texts = tuple[int, str, str, str, str]
"""The number of the words' row, question, answer and title, and the words for properties."""
KEPT = 2_000
"""Messages whose words are known at least; they may become twice as many."""
_PUT = "INSERT OR REPLACE INTO recent VALUES (?, ?)"
_BEGIN = "INSERT OR REPLACE INTO meta VALUES ('recent', ?)"
_FIRST = "SELECT id FROM recent ORDER BY id DESC LIMIT 1 OFFSET ?"


class Recent:
    """Keeps the table up to date."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        found = connection.execute("SELECT value FROM meta WHERE key = 'recent'").fetchone()
        self._first = int(found[0]) if found else 0

    def add(self, texts: Iterable[Texts]) -> None:
        """Note the words of messages that are new enough."""
        words = _words([text for text in texts if LAST - text[0] >= self._first])
        if not words:
            return
        self._connection.executemany(_PUT, words)
        count = self._connection.execute("SELECT count(*) FROM recent").fetchone()[0]
        if count > 2 * KEPT:
            self._first = self._connection.execute(_FIRST, (KEPT - 1,)).fetchone()[0]
            self._connection.execute("DELETE FROM recent WHERE id < ?", (self._first,))
            self._connection.execute(_BEGIN, (self._first,))

    def remove(self, id: int) -> None:
        """Forget a message."""
        if id >= self._first:
            self._connection.execute("DELETE FROM recent WHERE id = ?", (id,))


class Newest:
    """Hands texts on and keeps the last of them, until it is known which are the newest of all."""

    def __init__(self, hand_on: Callable[[list[Texts]], None]) -> None:
        self._hand_on = hand_on
        self._texts: deque[Texts] = deque(maxlen=KEPT)

    def put(self, texts: list[Texts]) -> None:
        """Take texts, the newest first."""
        self._texts.extend(reversed(texts[:KEPT]))
        self._hand_on(texts)

    def note(self, connection: sqlite3.Connection) -> None:
        """Make the table of a file that has all messages."""
        known = {LAST - text[0]: text for text in self._texts}
        found: list[Texts] = []
        first = LAST
        for (id,) in connection.execute("SELECT id FROM message ORDER BY id DESC"):
            if id not in known:
                break
            found.append(known[id])
            first = id
        else:
            first = 0  # these are all that there are
        connection.executemany(_PUT, _words(found))
        connection.execute(_BEGIN, (first,))


def _words(texts: Sequence[Texts]) -> list[tuple[int, str]]:
    said = ((number, f"{query}\n{answer}\n{name}") for number, query, answer, name, _ in texts)
    return [(LAST - number, words) for number, words in cutter().words_of_each(said)] if texts else []

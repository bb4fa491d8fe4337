"""The words of an index that is made anew, put into their file by a thread of its own.

SQLite gives Python's lock back while it works on a statement. With some thousand rows in one statement the
thread hardly ever asks for it, so a second core cuts texts into words while the first one reads.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from itertools import chain
from pathlib import Path
from queue import Queue
from threading import Thread

from weft.archive.index.recent import Texts
from weft.archive.index.schema import create_words, finish_words
from weft.archive.index.writing import PUT_TEXT
from weft.errors import ArchiveError

ROWS = 6_000
"""Of one statement; SQLite takes 32,766 values."""
FEW = 64
"""Rows for which a large statement is not worth while."""
MOST_CHARACTERS = 12 * 1024 * 1024
"""After which rows are written though they are fewer."""
_NO_ROW = (None,) * 5
_INSERT = """INSERT INTO words (rowid, query, answer, name, facets)
    SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"""


class WordsFile:
    """Takes texts, and makes the full-text index of them.

    As a context manager it stops the thread and closes the file at the end, whatever happened.
    """

    def __init__(self, path: Path) -> None:
        self._connection = create_words(path)
        self._waiting: list[Texts] = []
        self._characters = 0
        self._queue: Queue[list[Texts] | None] = Queue(1)
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="weft-index-words", daemon=True)

    def __enter__(self) -> WordsFile:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._failure = self._failure or InterruptedError()
            self._connection.interrupt()
            self._queue.put(None)
            self._thread.join()
        self._connection.close()

    def put(self, texts: list[Texts]) -> None:
        """Take texts; waits while the thread is behind.

        Raises:
            sqlite3.DatabaseError: What was taken before could not be written.
        """
        self._waiting += texts
        self._characters += _characters(texts)
        count = len(self._waiting)
        if self._characters >= MOST_CHARACTERS:
            self._hand_over(count)
        elif count >= ROWS:
            self._hand_over(count - count % ROWS)

    def end(self) -> None:
        """Take no more; the thread brings its work to an end meanwhile."""
        self._hand_over(len(self._waiting))
        self._queue.put(None)

    def finish(self) -> sqlite3.Connection:
        """Wait until everything is written.

        Returns:
            The file, open until this object is left.

        Raises:
            sqlite3.DatabaseError: It could not be written.
        """
        self._thread.join()
        self._check()
        return self._connection

    def _hand_over(self, count: int) -> None:
        for start in range(0, count, ROWS):
            self._check()
            self._queue.put(self._waiting[start : min(start + ROWS, count)])
        self._waiting = self._waiting[count:]
        self._characters = _characters(self._waiting)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        texts: list[Texts] | None = []
        is_done = False
        try:
            self._connection.execute("BEGIN")
            while (texts := self._queue.get()) is not None and self._failure is None:
                self._write(texts)
            if self._failure is None:
                finish_words(self._connection)
                self._connection.execute("COMMIT")
            is_done = True
        except sqlite3.Error as error:
            self._failure = self._failure or error
        finally:
            if not is_done and self._failure is None:
                self._failure = ArchiveError("the words of the search index cannot be written; run it again")
            while texts is not None:  # nobody may wait for ever for this thread
                texts = self._queue.get()

    def _write(self, texts: list[Texts]) -> None:
        if len(texts) <= FEW:
            self._connection.executemany(PUT_TEXT, texts)
            return
        padding = (_NO_ROW,) * (ROWS - len(texts))
        self._connection.execute(_statement(ROWS), tuple(chain.from_iterable((*texts, *padding))))


@lru_cache(maxsize=1)
def _statement(rows: int) -> str:
    return _INSERT.format(rows=",".join(["(?,?,?,?,?)"] * rows))


def _characters(texts: list[Texts]) -> int:
    return sum([len(answer) for _, _, answer, _, _ in texts])

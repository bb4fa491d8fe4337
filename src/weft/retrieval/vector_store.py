"""Vectors on disk, by what they were made of, so that no text is embedded twice."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from weft.errors import ConfigError
from weft.retrieval.vector import Packed

_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    dataset TEXT NOT NULL,
    model TEXT NOT NULL,
    hash BLOB NOT NULL,
    length REAL NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (dataset, model, hash)
) WITHOUT ROWID
"""


class VectorStore:
    """A file with the vectors of all datasets; whoever deletes it loses nothing but time.

    Methods block for milliseconds and may be called from any thread.

    Args:
        path: The file, made when first needed; ``None`` keeps all in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def load(self, dataset: str, model: str, hashes: Iterable[bytes]) -> dict[bytes, Packed]:
        """Those of the wanted vectors that are there, by the hash of their text.

        Raises:
            ConfigError: The file cannot be used.
        """
        wanted = set(hashes)
        query = "SELECT hash, length, data FROM vectors WHERE dataset = ? AND model = ?"
        with self._using() as connection:
            rows = connection.execute(query, (dataset, model))
            return {key: Packed(data, length) for key, length, data in rows if key in wanted}

    def save(self, dataset: str, model: str, vectors: Mapping[bytes, Packed]) -> None:
        """Keep vectors by the hash of their text.

        Raises:
            ConfigError: The file cannot be used.
        """
        rows = [(dataset, model, key, row.length, row.data) for key, row in vectors.items()]
        with self._using() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)

    def prune(self, dataset: str, model: str, keep: Collection[bytes]) -> None:
        """Forget vectors of texts that are gone, once there are more of them than of the others.

        Raises:
            ConfigError: The file cannot be used.
        """
        with self._using() as connection, connection:
            query = "SELECT hash FROM vectors WHERE dataset = ? AND model = ?"
            gone = [key for (key,) in connection.execute(query, (dataset, model)) if key not in keep]
            if len(gone) > len(keep):
                delete = "DELETE FROM vectors WHERE dataset = ? AND model = ? AND hash = ?"
                connection.executemany(delete, [(dataset, model, key) for key in gone])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._opened is None:
                    self._opened = self._open()
                yield self._opened
            except (OSError, sqlite3.Error) as error:
                raise ConfigError(
                    f"the file of vectors {self._path or ''} cannot be used: {error}; "
                    "make room for it, or delete it: it is made again"
                ) from error

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        name = ":memory:" if self._path is None else str(self._path)
        connection = sqlite3.connect(name, timeout=30.0, check_same_thread=False)
        try:
            # A vector that is lost in a power cut is made again.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLE)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

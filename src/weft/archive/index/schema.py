"""The tables of ``logs/.weft/search.db``, and how it is opened.

The file can be deleted at any time: everything in it comes from the conversations and is made again. A
message's row number grows with its instant, which is why the newest matches come first without sorting.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 1
"""Of the tables; a file of another version is made anew."""
FILE = "search.db"
WAIT_SECONDS = 30.0

_SLOTS_BITS = 20
MICROSECOND = 1_000_000

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE day (path TEXT PRIMARY KEY, manifest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY, day TEXT NOT NULL, conversation_id TEXT NOT NULL, file TEXT NOT NULL,
    sha256 TEXT NOT NULL, packed_sha256 TEXT, messages INTEGER NOT NULL, UNIQUE (day, conversation_id)
);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
    message_id TEXT NOT NULL, hash INTEGER NOT NULL,
    org INTEGER NOT NULL, app INTEGER NOT NULL, user INTEGER NOT NULL, model INTEGER NOT NULL,
    source INTEGER NOT NULL, currency INTEGER NOT NULL, failed INTEGER NOT NULL, rating INTEGER NOT NULL,
    message_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL,
    cost_whole INTEGER NOT NULL, cost_part INTEGER NOT NULL, latency INTEGER NOT NULL,
    latency_class INTEGER NOT NULL
);
CREATE TABLE tombstone (id INTEGER PRIMARY KEY);
CREATE TABLE rollup (
    day INTEGER NOT NULL, org INTEGER NOT NULL, app INTEGER NOT NULL, model INTEGER NOT NULL,
    source INTEGER NOT NULL, currency INTEGER NOT NULL, {sums},
    PRIMARY KEY (day, org, app, model, source, currency)
) WITHOUT ROWID;
CREATE TABLE user_rollup (
    day INTEGER NOT NULL, org INTEGER NOT NULL, app INTEGER NOT NULL, model INTEGER NOT NULL,
    source INTEGER NOT NULL, currency INTEGER NOT NULL, user INTEGER NOT NULL, {sums},
    PRIMARY KEY (day, org, app, model, source, currency, user)
) WITHOUT ROWID;
CREATE TABLE latency (
    day INTEGER NOT NULL, org INTEGER NOT NULL, app INTEGER NOT NULL, model INTEGER NOT NULL,
    source INTEGER NOT NULL, class INTEGER NOT NULL, messages INTEGER NOT NULL,
    PRIMARY KEY (day, org, app, model, source, class)
) WITHOUT ROWID;
CREATE TABLE latency_block (
    block INTEGER NOT NULL, org INTEGER NOT NULL, app INTEGER NOT NULL, model INTEGER NOT NULL,
    source INTEGER NOT NULL, class INTEGER NOT NULL, messages INTEGER NOT NULL,
    PRIMARY KEY (block, org, app, model, source, class)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    query, answer, name, facets, content='', tokenize='unicode61 remove_diacritics 2'
);
"""
SUMS = (
    "messages",
    "conversations",
    "message_tokens",
    "answer_tokens",
    "errors",
    "likes",
    "dislikes",
    "cost_whole",
    "cost_part",
)
INDEXES = """
CREATE INDEX message_conversation ON message (conversation, number);
"""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file."""
    sums = ", ".join(f"{name} INTEGER NOT NULL" for name in SUMS)
    connection.executescript(TABLES.format(sums=sums))


def finish(connection: sqlite3.Connection) -> None:
    """Make the indexes, and mark the file as whole."""
    connection.executescript(INDEXES)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file.

    Raises:
        sqlite3.OperationalError: It is not there.
    """
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=WAIT_SECONDS
    )
    if read_only:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA cache_size = -16384")
    else:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -32768")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


def connect_bulk(path: Path) -> sqlite3.Connection:
    """Make a file that nobody reads before it is whole, and that is thrown away when it is not."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("PRAGMA cache_size = -65536")
    create(connection)
    # Parts are written once and merged once, at the end.
    for name, value in (("automerge", 0), ("crisismerge", 1900), ("hashsize", 48 * 1024 * 1024)):
        connection.execute("INSERT INTO words(words, rank) VALUES (?, ?)", (name, value))
    return connection


def first_row(at: int) -> int:
    """The lowest row number of a message of this instant.

    Args:
        at: Microseconds since 1970.
    """
    seconds, part = divmod(at, MICROSECOND)
    return (seconds << _SLOTS_BITS) + part


def last_row_of_second(row: int) -> int:
    """The highest row number of the second that a row number belongs to."""
    return row | ((1 << _SLOTS_BITS) - 1)

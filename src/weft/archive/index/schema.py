"""The tables of ``logs/.weft/search.db``, and how it is opened.

The file can be deleted at any time: everything in it comes from the conversations and is made again. It is
made anew in two files at once, that of the rows and that of the words, which become one at the end: SQLite
writes a file with one thread only.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from weft.archive.index.rollup import TABLES as ROLLUPS
from weft.archive.index.token import AFTER_OWN, FACET, TOKENIZER

VERSION = 3
"""Of the tables; a file of another version is made anew."""
FILE = "search.db"
WAIT_SECONDS = 30.0

_ROWS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE day (path TEXT PRIMARY KEY, manifest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY, day TEXT NOT NULL, conversation_id TEXT NOT NULL, file TEXT NOT NULL,
    sha256 TEXT NOT NULL, packed_sha256 TEXT, messages INTEGER NOT NULL
);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
    message_id TEXT NOT NULL, hash INTEGER NOT NULL,
    org INTEGER NOT NULL, app INTEGER NOT NULL, user INTEGER NOT NULL, model INTEGER NOT NULL,
    source INTEGER NOT NULL, currency INTEGER NOT NULL, failed INTEGER NOT NULL, rating INTEGER NOT NULL,
    message_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL,
    cost_whole INTEGER NOT NULL, cost_part INTEGER NOT NULL, latency INTEGER NOT NULL,
    latency_class INTEGER NOT NULL, run INTEGER
);
CREATE TABLE tombstone (id INTEGER PRIMARY KEY);
CREATE TABLE recent (id INTEGER PRIMARY KEY, words TEXT NOT NULL);
CREATE TABLE run (
    day INTEGER NOT NULL, key INTEGER NOT NULL, hash INTEGER NOT NULL, PRIMARY KEY (day, key)
) WITHOUT ROWID;
CREATE TABLE usage (
    run INTEGER NOT NULL, model INTEGER NOT NULL, currency INTEGER NOT NULL, is_first INTEGER NOT NULL,
    message_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL,
    cost_whole INTEGER NOT NULL, cost_part INTEGER NOT NULL, PRIMARY KEY (run, model, currency)
) WITHOUT ROWID;
CREATE VIEW spent AS SELECT
    m.id, m.at, m.conversation, m.org, m.app, m.source, m.model AS own_model,
    coalesce(u.model, m.model) AS model,
    coalesce(u.currency, m.currency) AS currency, m.user, coalesce(u.is_first, 1) AS messages,
    m.number = 0 AND coalesce(u.is_first, 1) AS conversations,
    coalesce(u.message_tokens, m.message_tokens) AS message_tokens,
    coalesce(u.answer_tokens, m.answer_tokens) AS answer_tokens,
    m.failed AND coalesce(u.is_first, 1) AS errors, m.rating,
    m.rating = 1 AND coalesce(u.is_first, 1) AS likes, m.rating = 2 AND coalesce(u.is_first, 1) AS dislikes,
    coalesce(u.cost_whole, m.cost_whole) AS cost_whole, coalesce(u.cost_part, m.cost_part) AS cost_part,
    iif(coalesce(u.is_first, 1), m.latency_class, 0) AS class
FROM message m LEFT JOIN usage u ON u.run = m.run;
CREATE VIEW said AS SELECT
    id, at, conversation, org, app, model, source, currency, user, 1 AS messages, number = 0 AS conversations,
    message_tokens, answer_tokens, failed AS errors, rating, rating = 1 AS likes, rating = 2 AS dislikes,
    cost_whole, cost_part, latency_class AS class
FROM message;
"""
"""`said` has a row for each message; `spent` has one for each model and currency that its run used, where
that is known, and counts it once for each model."""
_WORDS = """
CREATE TABLE word (text TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(query, answer, name, facets, content='', tokenize='{tokenizer}');
"""
_INDEXES = """
CREATE UNIQUE INDEX conversation_of_day ON conversation (day, conversation_id);
CREATE INDEX message_conversation ON message (conversation, number);
CREATE INDEX message_run ON message (run) WHERE run IS NOT NULL;
"""
_COPY = "INSERT INTO main.{name} SELECT * FROM made.{name}"
_UNTIL_DONE = (("automerge", 0), ("crisismerge", 1900), ("hashsize", 48 * 1024 * 1024))
"""Parts are written once and merged once, at the end."""
_AFTERWARDS = (("automerge", 4), ("crisismerge", 16), ("hashsize", 1024 * 1024))


def create_rows(path: Path) -> sqlite3.Connection:
    """Make a file for the rows of an index that is made anew."""
    connection = _connect_bulk(path)
    connection.executescript(_ROWS + ROLLUPS)
    return connection


def create_words(path: Path) -> sqlite3.Connection:
    """Make a file for the words of an index that is made anew; the rows come to it at the end."""
    connection = _connect_bulk(path)
    connection.executescript(_WORDS.format(tokenizer=TOKENIZER))
    connection.executemany("INSERT INTO words(words, rank) VALUES (?, ?)", _UNTIL_DONE)
    return connection


def finish_rows(connection: sqlite3.Connection) -> None:
    """Make what need not be kept in order row by row."""
    connection.executescript(_INDEXES)


def finish_words(connection: sqlite3.Connection) -> None:
    """Bring the parts of the full-text index together, and note its words."""
    connection.execute("INSERT INTO words(words) VALUES ('optimize')")
    connection.executemany("INSERT INTO words(words, rank) VALUES (?, ?)", _AFTERWARDS)
    connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, row)")
    connection.execute("INSERT INTO word SELECT term FROM vocabulary WHERE term < ?", (FACET,))
    connection.execute("INSERT INTO word SELECT term FROM vocabulary WHERE term >= ?", (AFTER_OWN,))


def join(connection: sqlite3.Connection, rows: Path) -> None:
    """Bring the rows from their file to the words, and mark the file as whole."""
    connection.execute("ATTACH ? AS made", (str(rows),))
    # Tables that are empty and alike are copied page by page, their indexes too.
    connection.executescript(_ROWS + ROLLUPS + _INDEXES)
    connection.execute("BEGIN")
    names = connection.execute("SELECT name FROM made.sqlite_schema WHERE type = 'table'").fetchall()
    for (name,) in names:
        connection.execute(_COPY.format(name=name))
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    connection.execute("DETACH made")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file.

    Raises:
        sqlite3.OperationalError: It is not there.
    """
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    if read_only and not path.with_name(f"{path.name}-wal").exists() and not os.access(path.parent, os.W_OK):
        uri += "&immutable=1"  # a file in WAL mode is else only read where others could be made beside it
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


def _connect_bulk(path: Path) -> sqlite3.Connection:
    """Make a file that nobody reads before it is whole, and that is thrown away when it is not."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # What is deleted need not be written over: there was nothing in the file before.
    for setting in (
        *("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "secure_delete = OFF"),
        *("cache_size = -32768", "temp_store = MEMORY"),
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection

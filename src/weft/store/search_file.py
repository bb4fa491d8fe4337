"""The search index beside a SQLite database: a file of its own, which can be thrown away and made anew.

It holds no text, only where which three characters stand (FTS5, trigrams). A run's number says app and time,
so that matches come in the log's order and an app's or a week's are a range; the number of a message says
conversation, so that those are found without a look at any row.

What is to be indexed stands in the database's queue (`search_queue`). A step here takes the next rows of it,
and they leave the queue after the index is on disk; so whatever is not in the queue is in the index. Every
row says up to which number of the queue it is known, so that a step that is done twice does nothing twice.

A text that is taken out is only crossed out at first: its pieces stay in the file. When there is much of
that, `tidy` takes it out for good, a little at a time; killed in between, it goes on where it was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from weft.errors import StoreError
from weft.store.search_text import MAX_CHARS, join, run_text
from weft.store.sqlite import checkpoint, prepare_file

APP_SHIFT = 49
"""A number's bits from there on are the app."""
GROUP_SHIFT = 8
"""Those of a run between are its time, in units of 1,024 microseconds; the rest tell apart what was then."""
TIME_SHIFT = 10
TALK_SHIFT = 16
"""Those of a message between are its conversation; the rest count its texts."""
_MOST_APPS = 1 << 14
_SETTLING = 600_000_000 >> TIME_SHIFT << GROUP_SHIFT
"""Ten minutes before the newest run, in numbers: few runs end after that, behind the border."""
_BATCH_CHARS = 200_000
"""Text in one step; about a tenth of a second's work."""
CROSSED_OUT = 0.05
"""Share of all texts that are crossed out, from which on they are taken out by themselves."""
_MERGED_PAGES = 500
"""Of one step of tidying; about a tenth of a second's work."""
_CHECKPOINT_SECONDS = 1.0
"""How long to wait for readers, who keep the log from being emptied."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, generation TEXT NOT NULL, done INTEGER NOT NULL);
INSERT OR IGNORE INTO state VALUES (1, '', 0);
CREATE TABLE IF NOT EXISTS apps (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, border INTEGER NOT NULL, changes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS talks (number INTEGER PRIMARY KEY, id TEXT NOT NULL, texts INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS ix_talks ON talks (id);
CREATE TABLE IF NOT EXISTS run_rows (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, known INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS talk_rows (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, known INTEGER NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS run_text USING fts5(
    text, tokenize = 'trigram case_sensitive 1', content = '', detail = full, columnsize = 0);
CREATE VIRTUAL TABLE IF NOT EXISTS talk_text USING fts5(
    text, tokenize = 'trigram case_sensitive 1', content = '', detail = full, columnsize = 0);
CREATE VIRTUAL TABLE IF NOT EXISTS run_pieces USING fts5vocab('run_text', 'row');
CREATE VIRTUAL TABLE IF NOT EXISTS talk_pieces USING fts5vocab('talk_text', 'row');
CREATE TABLE IF NOT EXISTS tidying (id INTEGER PRIMARY KEY, texts INTEGER NOT NULL, stage INTEGER NOT NULL);
INSERT OR IGNORE INTO tidying VALUES (1, 0, 0);
"""
_CLEAR = (
    "UPDATE tidying SET stage = 0, texts = texts + (SELECT count(*) FROM run_rows)"
    " + (SELECT count(*) FROM talk_rows)",
    "INSERT INTO run_text (run_text) VALUES ('delete-all')",
    "INSERT INTO talk_text (talk_text) VALUES ('delete-all')",
    "DELETE FROM run_rows",
    "DELETE FROM talk_rows",
    "DELETE FROM talks",
    "DELETE FROM apps",
)


def _of_both(statement: str) -> dict[str, str]:
    return {kind: statement.replace("KIND", kind) for kind in ("run", "talk")}


_FIND = _of_both("SELECT number, known FROM KIND_rows WHERE id = ?")
_FORGET = _of_both("DELETE FROM KIND_rows WHERE number = ?")
_REMEMBER = _of_both("INSERT INTO KIND_rows VALUES (?, ?, ?)")
_MERGE = _of_both("INSERT INTO KIND_text (KIND_text, rank) VALUES ('merge', ?)")
_PUT_IN = _of_both("INSERT INTO KIND_text (rowid, text) VALUES (?, ?)")
_TAKE_OUT = _of_both("INSERT INTO KIND_text (KIND_text, rowid, text) VALUES ('delete', ?, ?)")
_MERGING = (
    ("run", -_MERGED_PAGES),
    ("run", _MERGED_PAGES),
    ("talk", -_MERGED_PAGES),
    ("talk", _MERGED_PAGES),
)
"""A negative number begins to merge everything, positive ones go on with it."""
_NEXT_STAGE = "UPDATE tidying SET stage = ? WHERE stage = ?"
_DRAW = """
UPDATE apps SET changes = changes + (?1 <= border), border = max(border, ?2) WHERE number = ?3"""
_RUN = """
SELECT app_id, created_at, status, inputs, outputs, session_id FROM runs
LEFT JOIN (SELECT id AS user_id, session_id FROM end_users) ON user_id = end_user_id
WHERE id = ? AND finished_at IS NOT NULL AND triggered_from = 'app-run'
"""
_MESSAGE = "SELECT app_id, conversation_id, query, answer FROM messages WHERE id = ?"
_CONVERSATION = """
SELECT app_id, name, introduction, session_id FROM conversations
LEFT JOIN (SELECT id AS user_id, session_id FROM end_users) ON user_id = end_user_id
WHERE id = ?
"""


class StaleIndexError(StoreError):
    """The index does not belong to this database as it is, and has to be made anew."""


class Queued(NamedTuple):
    """A row of the queue."""

    id: int
    kind: str
    row_id: str
    app_id: str
    owner_id: str
    was: str | None
    """JSON of the texts before the change, `None` for a row that is new."""


class Batch(msgspec.Struct, frozen=True):
    """What a step has done."""

    ids: tuple[int, ...]
    """Rows of the queue that need not be there any more."""
    rows: tuple[str, ...]
    """What they were about."""
    skipped: tuple[Queued, ...]
    """Those of them whose texts are not in the index."""
    done: int
    """The newest row of the queue that the index has ever seen."""


class SearchFile:
    """The index of one database.

    Args:
        path: Its file.
        database: The database's file.
        busy_timeout: Seconds to wait for another process that writes.
    """

    def __init__(self, path: Path, database: Path, *, busy_timeout: float) -> None:
        self.path = path
        self._database = database
        self._timeout = busy_timeout

    def prepare(self) -> None:
        """Make the file when it is absent or no index.

        Raises:
            StoreError: It cannot be written.
        """
        try:
            try:
                self._create()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                for suffix in ("", "-wal", "-shm"):
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
                self._create()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"search index {self.path}: {error}; make it writable or delete it") from error

    def _create(self) -> None:
        prepare_file(self.path)
        with closing(self._open(self.path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tidying'").fetchone() is None:
                connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}; COMMIT;")

    def index(self, limit: int) -> Batch:
        """Put the next texts of the queue into the index, on disk.

        Args:
            limit: Rows of the queue, at most.

        Raises:
            StaleIndexError: `restart` has to be called first.
            StoreError: The index or the database cannot be used now.
        """
        with self._writing() as index, self._reading() as database:
            # The database is looked at after the index was locked, so that no other process knows more.
            self._check(index, database)
            rows = database.execute(
                "SELECT id, kind, row_id, app_id, owner_id, was FROM search_queue WHERE kind <> 'mark' "
                "ORDER BY id LIMIT ?",
                (limit,),
            )
            newest = _newest(database)
            step = _Step(index, database, newest)
            ids = []
            for row in map(Queued._make, rows.fetchall()):
                if step.chars > _BATCH_CHARS:
                    break
                step.take(row)
                ids.append(row.id)
            step.draw_borders()
            if step.crossed_out:
                index.execute("UPDATE tidying SET texts = texts + ?", (step.crossed_out,))
            if ids:
                index.execute("UPDATE state SET done = ?", (newest,))
            return Batch(tuple(ids), tuple(step.seen), tuple(step.skipped.values()), newest)

    def tidy(self, least: float) -> bool:
        """Take a little of what is crossed out out of the file; false when there is nothing to do.

        First the pieces are merged, which leaves the crossed out ones behind, then the file is written anew
        and its log emptied. Searches go on all the while; only others who index wait.

        Args:
            least: Share of crossed out texts, 0 to 1, below which nothing is begun.

        Raises:
            StoreError: The file cannot be used now; the next call goes on.
        """
        with self._changing() as index:
            texts, stage = index.execute("SELECT texts, stage FROM tidying").fetchone()
            if stage == 0:
                known = index.execute(
                    "SELECT (SELECT count(*) FROM run_rows) + (SELECT count(*) FROM talk_rows)"
                ).fetchone()[0]
                if not texts or texts < least * (texts + known):
                    return False
                index.execute("UPDATE tidying SET texts = 0")  # what comes from now on is for the next time
            return self._tidy(index, stage)

    def _tidy(self, index: sqlite3.Connection, stage: int) -> bool:
        """One step; stages are: begin, merge the one, begin, merge the other, write anew, empty the log."""
        if stage < len(_MERGING):
            kind, pages = _MERGING[stage]
            index.execute("BEGIN IMMEDIATE")
            before = index.total_changes
            index.execute(_MERGE[kind], (pages,))
            # As the documentation of FTS5 has it: fewer than two changes mean that nothing is left to merge.
            if pages < 0 or index.total_changes - before < 2:
                index.execute(_NEXT_STAGE, (stage + 1, stage))
            index.execute("COMMIT")
            return True
        if stage == len(_MERGING):
            index.execute("VACUUM")
            index.execute(_NEXT_STAGE, (stage + 1, stage))
            return True
        if not checkpoint(index, _CHECKPOINT_SECONDS):
            return False  # somebody reads for long; the next call tries again
        index.execute(_NEXT_STAGE, (0, stage))
        return True

    def restart(self, generation: str) -> None:
        """Forget everything; from now on this is the index of that generation."""
        with self._writing() as index, self._reading() as database:
            for statement in _CLEAR:
                index.execute(statement)
            index.execute("UPDATE state SET generation = ?, done = ?", (generation, _newest(database)))

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A connection that begins nothing by itself; what was begun is taken back when it fails."""
        try:
            with closing(self._open(self.path)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise StoreError(f"search index {self.path}: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._open(self.path)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"search index {self.path}: {error}") from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(self._open(self._database)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")

    def _open(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=self._timeout, isolation_level=None)
        # The queue forgets what is here; it must not be lost afterwards.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _check(self, index: sqlite3.Connection, database: sqlite3.Connection) -> None:
        mine = index.execute("SELECT generation, done FROM state").fetchone()
        theirs = database.execute("SELECT generation, done FROM search_state WHERE id = 'index'").fetchone()
        if theirs is None or mine[0] != theirs[0] or not theirs[1] <= mine[1] <= _newest(database):
            raise StaleIndexError(f"search index {self.path} is not that of the database; it is made anew")


def _newest(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT coalesce(max(id), 0) FROM search_queue").fetchone()[0])


class _Step:
    """Texts on their way into the index, in one transaction."""

    def __init__(self, index: sqlite3.Connection, database: sqlite3.Connection, newest: int) -> None:
        self._index = index
        self._database = database
        self._newest = newest
        self.seen: dict[str, None] = {}
        self.skipped: dict[str, Queued] = {}
        self.chars = 0
        self.crossed_out = 0
        self._touched: dict[int, tuple[int, int]] = {}
        """The least and the greatest number of a run of every app that something was done to."""

    def take(self, row: Queued) -> None:
        """Make the index know the row that this is about, as it is now."""
        self.seen[row.row_id] = None
        if row.kind == "run":
            self._take_run(row)
        elif row.row_id == row.owner_id:
            self._take_conversation(row)
        else:
            self._take_message(row)

    def draw_borders(self) -> None:
        """Tell those who have counted runs which of their numbers are good no more, and which will be."""
        for app, (least, most) in self._touched.items():
            self._index.execute(_DRAW, (least, most - _SETTLING, app))

    def _touch(self, number: int) -> None:
        app = number >> APP_SHIFT
        least, most = self._touched.get(app, (number, number))
        self._touched[app] = min(least, number), max(most, number)

    def _take_run(self, row: Queued) -> None:
        if not self._forget("run", row):
            return
        found = self._database.execute(_RUN, (row.row_id,)).fetchone()
        if found is None:
            return
        app_id, created_at, status, *parts = found
        text = run_text(status, _lowered(parts))
        number = self._run_number(app_id, created_at)
        self._remember("run", row, number, text)

    def _take_message(self, row: Queued) -> None:
        if not self._forget("talk", row):
            return
        found = self._database.execute(_MESSAGE, (row.row_id,)).fetchone()
        if found is None:
            return
        app_id, conversation_id, *parts = found
        self._remember("talk", row, self._talk_number(app_id, conversation_id), join(_lowered(parts)))
        known = self._index.execute("SELECT 1 FROM talk_rows WHERE id = ?", (conversation_id,)).fetchone()
        if known is None:
            self._take_conversation(row._replace(row_id=conversation_id, was=None))

    def _take_conversation(self, row: Queued) -> None:
        self.seen[row.row_id] = None
        if not self._forget("talk", row):
            return
        found = self._database.execute(_CONVERSATION, (row.row_id,)).fetchone()
        if found is None:
            return
        app_id, *parts = found
        self._remember("talk", row, self._talk_number(app_id, row.row_id), join(_lowered(parts)))

    def _forget(self, kind: str, row: Queued) -> bool:
        """Take out what the index knew of a row; false when it knows the row as it is."""
        found = self._index.execute(_FIND[kind], (row.row_id,)).fetchone()
        if found is None:
            return True
        number, known = found
        if row.id <= known:
            return False
        if kind == "run":
            self._touch(number)
        if row.was is None:
            raise StaleIndexError(f"search index: {row.row_id} is there already; the index is made anew")
        was = json.loads(row.was)
        text = run_text(was[0], _lowered(was[1:])) if kind == "run" else join(_lowered(was))
        self._index.execute(_TAKE_OUT[kind], (number, text))
        self._index.execute(_FORGET[kind], (number,))
        self.chars += len(text)
        self.crossed_out += 1
        return True

    def _remember(self, kind: str, row: Queued, number: int | None, text: str) -> None:
        if number is None or len(text) > MAX_CHARS:
            self.skipped[row.row_id] = row
            return
        self.skipped.pop(row.row_id, None)
        if kind == "run":
            self._touch(number)
        self._index.execute(_PUT_IN[kind], (number, text))
        self._index.execute(_REMEMBER[kind], (number, row.row_id, self._newest))
        self.chars += len(text)

    def _run_number(self, app_id: str, created_at: int) -> int | None:
        app = self._app_number(app_id)
        time = created_at >> TIME_SHIFT
        if app is None or not 0 <= time < 1 << (APP_SHIFT - GROUP_SHIFT):
            return None
        first = app << APP_SHIFT | time << GROUP_SHIFT
        last = first | ((1 << GROUP_SHIFT) - 1)
        taken = self._index.execute(
            "SELECT max(number) FROM run_rows WHERE number BETWEEN ? AND ?", (first, last)
        ).fetchone()[0]
        if taken == last:
            return None
        return first if taken is None else int(taken) + 1

    def _talk_number(self, app_id: str, conversation_id: str) -> int | None:
        app = self._app_number(app_id)
        if app is None:
            return None
        found = self._index.execute(
            "SELECT number, texts FROM talks WHERE id = ? ORDER BY number DESC LIMIT 1", (conversation_id,)
        ).fetchone()
        if found is None or found[1] == 1 << TALK_SHIFT:
            cursor = self._index.execute("INSERT INTO talks (id, texts) VALUES (?, 0)", (conversation_id,))
            found = (cursor.lastrowid, 0)
        talk, texts = found
        if talk >= 1 << (APP_SHIFT - TALK_SHIFT):
            return None
        self._index.execute("UPDATE talks SET texts = texts + 1 WHERE number = ?", (talk,))
        return app << APP_SHIFT | int(talk) << TALK_SHIFT | int(texts)

    def _app_number(self, app_id: str) -> int | None:
        find = "SELECT number FROM apps WHERE id = ?"
        found = self._index.execute(find, (app_id,)).fetchone()
        if found is None:
            found = (
                self._index.execute(
                    "INSERT INTO apps (id, border, changes) VALUES (?, -1, 0)", (app_id,)
                ).lastrowid,
            )
        return int(found[0]) if found[0] < _MOST_APPS else None


def _lowered(parts: Sequence[str | None]) -> list[str]:
    return [(part or "").lower() for part in parts]

"""The search index of one archive: kept up to date, made anew, and asked."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from weft.archive.errors import ArchiveReadOnlyError, from_os_error
from weft.archive.index.building import Indexed, Progress, hash_of, update
from weft.archive.index.counting import By, count_messages
from weft.archive.index.figures import Statistics
from weft.archive.index.message_row import run_key
from weft.archive.index.parquet import ParquetFolder, load_extra
from weft.archive.index.rebuilding import rebuild
from weft.archive.index.schema import FILE, VERSION, connect
from weft.archive.index.searching import Order, SearchPage, find_page, make_hits, plan
from weft.archive.index.sql import MAX_ROWS, TIMEOUT_SECONDS, SqlResult, run_sql
from weft.archive.index.writing import RowWriter
from weft.archive.manifest import Entry
from weft.archive.place import TEMPORARY, Day, parse_day
from weft.archive.query import Query
from weft.archive.vault import Vault
from weft.errors import ArchiveError

T = TypeVar("T")
LIMIT = 20
REBUILT_FROM = 20_000
"""Messages of changed days from which on it may be quicker to make the index anew."""
_FAULTS = {
    "{} messages belong to no conversation": "SELECT count(*) FROM message WHERE conversation NOT IN"
    " (SELECT id FROM conversation)",
    "the sums by day are {} messages off": "SELECT abs((SELECT coalesce(sum(messages), 0) FROM rollup)"
    " - (SELECT count(*) FROM message))",
    "the sums by user are {} messages off": "SELECT abs((SELECT coalesce(sum(messages), 0) FROM user_rollup)"
    " - (SELECT count(*) FROM message))",
    "the usages of {} runs belong to no run": "SELECT count(DISTINCT run) FROM usage WHERE run NOT IN"
    " (SELECT key FROM run)",
}
_UNUSABLE = ("malformed", "not a database", "disk image", "no such table", "no such column")


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What is in an index."""

    exists: bool
    conversations: int = 0
    messages: int = 0
    tombstones: int = 0
    """Rows whose message is gone; their words stay in the file until `ArchiveIndex.rebuild`."""
    days_behind: int = 0
    """Day folders that changed and are not in the index yet."""
    size_bytes: int = 0


class ArchiveIndex:
    """``logs/.weft/search.db``: which messages hold which words, and their sums by day.

    It follows the archive by the checksums of the days' manifests, so whatever way a change came, the index
    sees it. Killed at any moment, it is behind and never wrong; it can be deleted at any time. Reading needs
    no lock and never waits; the process that writes to the archive also writes to the index.

    Methods may be called from several threads.
    """

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.path: Path = vault.inner / FILE
        self._mutex = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._current: dict[Day, str] | None = None  # what was found to be in the index, as it then was
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    # Keeping it up to date

    def refresh(self, progress: Progress | None = None) -> Indexed:
        """Bring the index up to date; makes it when there is none.

        Raises:
            ArchiveReadOnlyError: The archive is open for reading only.
            ArchiveError: The disk is full, or refuses; the index is as it was.
        """
        self.vault.check_writable()
        with self._mutex, _translated("updating the search index"):
            writer = self._open_writer()
            if writer is None:
                return self._rebuild(progress)
            try:
                wanted = self._wanted()
                if wanted == self._current:
                    return Indexed()
                changed = _changed(_indexed_days(writer), wanted)
                if not changed:
                    self._current = wanted
                    return Indexed()
                if self._is_mostly_new(writer, changed):
                    return self._rebuild(progress)
                return update(writer, self.vault, changed, progress)
            except sqlite3.DatabaseError as error:
                if not any(word in str(error) for word in _UNUSABLE):
                    raise
                self._discard()
                return self._rebuild(progress)

    def rebuild(self, progress: Progress | None = None) -> Indexed:
        """Make the index anew from the conversations; searches go on in the old one until it is done.

        It is also what takes the words of deleted conversations out of the file.

        Raises:
            ArchiveReadOnlyError: The archive is open for reading only.
            ArchiveError: The disk is full, or refuses; the index is as it was.
        """
        self.vault.check_writable()
        with self._mutex, _translated("rebuilding the search index"):
            return self._rebuild(progress)

    def days_behind(self) -> int:
        """How many day folders changed and are not in the index yet.

        Raises:
            ArchiveError: There is no index.
        """
        wanted = self._wanted()
        return len(_changed(self.read(_indexed_days), wanted))

    def status(self) -> IndexStatus:
        """What is in the index."""
        if not self.path.exists():
            return IndexStatus(exists=False, days_behind=len(self._wanted()))
        wanted = self._wanted()

        def ask(connection: sqlite3.Connection) -> IndexStatus:
            conversations, messages, tombstones = connection.execute(
                "SELECT (SELECT count(*) FROM conversation), (SELECT count(*) FROM message),"
                " (SELECT count(*) FROM tombstone)"
            ).fetchone()
            return IndexStatus(
                exists=True,
                conversations=conversations,
                messages=messages,
                tombstones=tombstones,
                days_behind=len(_changed(_indexed_days(connection), wanted)),
                size_bytes=self.path.stat().st_size,
            )

        return self.read(ask)

    def verify(self) -> list[str]:
        """Compare the index with the archive and with itself.

        Returns:
            What is wrong, in words; nothing when the index is whole, even if it is behind.
        """
        wanted = self._wanted()
        return self.read(lambda connection: list(_differences(connection, self.vault, wanted)))

    # Asking

    def search(
        self,
        text: str,
        query: Query | None = None,
        *,
        order: Order = "newest",
        limit: int = LIMIT,
        cursor: str | None = None,
        snippets: bool = True,
    ) -> SearchPage:
        """Messages that match, as the index knows them; see `weft.archive.index.parser` for the language.

        Args:
            query: Further filters; start, end, user, source and rating are those of the message.
            order: ``relevance`` puts the best of the newest 1,000 matches first.
            limit: Messages of a page, 1 to 200.
            cursor: `SearchPage.cursor` of the page before.
            snippets: Read the conversations for the pieces in which something was found.

        Raises:
            InvalidRequestError: The text, limit, order or cursor is wrong; the message says what to change.
            ArchiveError: There is no index.
        """
        wanted = plan(text, query, order)
        days = self._wanted()

        def ask(connection: sqlite3.Connection) -> SearchPage:
            rows, following = find_page(connection, wanted, limit, cursor)
            behind = self._behind(connection, days)
            hits = make_hits(self.vault, wanted, rows, snippets=snippets)
            return SearchPage(hits, following, behind)

        return self.read(ask)

    def statistics(
        self, query: Query | None = None, *, by: By | None = None, zone: str = "UTC"
    ) -> Statistics:
        """Messages, conversations, users, tokens, costs, errors, ratings and latencies of a selection.

        Quick for whole days in UTC, from sums by day; everything else reads a row for each message.

        By model, a message that names no model itself counts for each model that its archived run used, with
        what was used of it: tokens and costs come from the executions of the run's nodes. The totals are
        those of the messages, to which runs add nothing. Where a run is not in the archive, or names no
        model, the key is empty.

        Args:
            query: As for `search`: start, end, user, source and rating are those of the message. Dates are
                days of `zone`.
            by: Figures for each of these as well.
            zone: Where days, weeks (from Monday) and months begin, e.g. ``Europe/Berlin``.

        Raises:
            InvalidRequestError: `by` or `zone` is unknown.
            ArchiveError: There is no index.
        """
        wanted = self._wanted()

        def ask(connection: sqlite3.Connection) -> Statistics:
            found = count_messages(connection, query or Query(), by, zone)
            return replace(found, days_behind=self._behind(connection, wanted))

        return self.read(ask)

    def sql(
        self,
        statement: str,
        values: Sequence[object] = (),
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_rows: int = MAX_ROWS,
    ) -> SqlResult:
        """Ask DuckDB about the table ``messages``, a row for each; needs the extra ``analytics``.

        The archive's Parquet files are brought up to date first when the archive is open for writing.

        Args:
            statement: One SELECT; ``?`` stands for a value.
            timeout_seconds: After so long the statement is stopped.
            max_rows: What is more is left out, and `SqlResult.is_cut` says so.

        Raises:
            ConfigError: The extra is not installed.
            InvalidRequestError: It is not one SELECT, or DuckDB does not accept it.
            QueryTimeoutError: It took too long.
        """
        load_extra("duckdb")
        parquet = ParquetFolder(self.vault)
        if not self.vault.read_only:
            with self._mutex:
                parquet.refresh()
        return run_sql(statement, parquet.files(), values, timeout_seconds=timeout_seconds, max_rows=max_rows)

    def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Ask the file something on this thread's own connection, in one state of it.

        Raises:
            ArchiveError: There is no index, or it cannot be read.
        """
        with _translated("reading the search index"):
            connection = self._reader()
            connection.execute("BEGIN")
            try:
                return ask(connection)
            finally:
                connection.execute("COMMIT")

    def close(self) -> None:
        """Close all connections; the next call opens them again."""
        with self._mutex:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
            self._local = threading.local()
            self._current = None
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    # Inside

    def _is_mostly_new(self, writer: sqlite3.Connection, changed: list[tuple[Day, str]]) -> bool:
        """Whether making everything anew is less work than adding what is missing."""
        rows = self.vault.rows()
        coming = sum(rows[day].totals.messages for day, sha256 in changed if sha256 and day in rows)
        if coming < REBUILT_FROM:
            return False
        present: int = writer.execute("SELECT coalesce(sum(messages), 0) FROM rollup").fetchone()[0]
        return coming > present

    def _wanted(self) -> dict[Day, str]:
        return {day: row.manifest_sha256 for day, row in self.vault.rows().items()}

    def _discard(self) -> None:
        """Put away a file that is damaged."""
        self.close()
        _remove(self.path)

    def _behind(self, connection: sqlite3.Connection, wanted: dict[Day, str]) -> int:
        """How many days are behind; compared anew only when the file or the archive changed."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        known: tuple[int, dict[Day, str], int] | None = getattr(self._local, "behind", None)
        if known is not None and known[0] == version and known[1] == wanted:
            return known[2]
        found = len(_changed(_indexed_days(connection), wanted))
        self._local.behind = (version, wanted, found)
        return found

    def _reader(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is not None:
            return known
        if not self.path.exists():
            raise ArchiveError(
                f"{self.path}: there is no search index yet; refresh it with the archive open for writing"
            )
        connection = connect(self.path, read_only=True)
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            connection.close()
            raise ArchiveError(f"{self.path}: it was made by another version of Weft; rebuild it")
        self._local.connection = connection
        with self._mutex:
            self._opened.append(connection)
        return connection

    def _open_writer(self) -> sqlite3.Connection | None:
        """The connection that writes, or none when the file is absent or of no use."""
        if self._writer is not None:
            return self._writer
        if not self.path.exists():
            return None
        connection = None
        try:
            connection = connect(self.path)
            is_usable = connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
            connection.execute("SELECT count(*) FROM day").fetchone()
        except sqlite3.DatabaseError as error:
            if not any(word in str(error) for word in _UNUSABLE):
                raise
            is_usable = False
        if not is_usable:
            if connection is not None:
                connection.close()
            return None
        self._writer = connection
        return connection

    def _rebuild(self, progress: Progress | None) -> Indexed:
        new = self.path.with_name(f"{TEMPORARY}{FILE}")
        rows = self.path.with_name(f"{TEMPORARY}rows-{FILE}")
        _remove(new)
        _remove(rows)
        try:
            done = rebuild(new, rows, self.vault, list(self._wanted().items()), progress)
            _remove(rows)
            self._put_in_place(new)
        except OSError as error:
            raise from_os_error(error, f"writing {self.path}") from error
        finally:
            _remove(new)
            _remove(rows)
        return done

    def _put_in_place(self, new: Path) -> None:
        present = self._open_writer()
        if present is None:
            self._discard()
            made = sqlite3.connect(new, isolation_level=None)
            made.execute("PRAGMA journal_mode = WAL")
            made.close()
            self.vault.files.sync_file(new)
            self.vault.files.rename(new, self.path)
            self.vault.files.sync_folder(self.path.parent)
            return
        # Readers, of other processes too, have the file open: the new content comes as one transaction.
        made = sqlite3.connect(new, isolation_level=None)
        try:
            made.backup(present)
        finally:
            made.close()
        present.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _indexed_days(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT path, manifest FROM day").fetchall())


def _changed(known: dict[str, str], wanted: dict[Day, str]) -> list[tuple[Day, str]]:
    found = [(day, sha256) for day, sha256 in wanted.items() if known.get(day.path) != sha256]
    if len(known) + len(found) > len(wanted):
        paths = {day.path for day in wanted}
        gone = (parse_day(path) for path in known if path not in paths)
        found += [(day, "") for day in gone if day is not None]
    return sorted(found)


def _differences(connection: sqlite3.Connection, vault: Vault, wanted: dict[Day, str]) -> Iterator[str]:
    known = _indexed_days(connection)
    for day, sha256 in wanted.items():
        if known.get(day.path) != sha256:
            continue  # behind, which is no fault
        manifest = vault.find_manifest(day)
        entries = manifest.files if manifest is not None else []
        yield from (_other_runs if day.kind == "runs" else _other_conversations)(connection, day, entries)
    for fault, question in _FAULTS.items():
        if count := connection.execute(question).fetchone()[0]:
            yield fault.format(count)


def _other_conversations(connection: sqlite3.Connection, day: Day, entries: Sequence[Entry]) -> Iterator[str]:
    there = dict(
        connection.execute(
            "SELECT conversation_id, sha256 || ' ' ||"
            " (SELECT count(*) FROM message m WHERE m.conversation = c.id)"
            " FROM conversation c WHERE day = ?",
            (day.path,),
        ).fetchall()
    )
    for entry in entries:
        if there.pop(entry.id, None) != f"{entry.sha256} {entry.messages}":
            yield f"{day.path}: conversation {entry.id} is not indexed as it is stored"
    yield from (f"{day.path}: conversation {id} is indexed and not stored" for id in there)


def _other_runs(connection: sqlite3.Connection, day: Day, entries: Sequence[Entry]) -> Iterator[str]:
    there = RowWriter(connection).known_runs(day)
    for entry in entries:
        if there.pop(run_key(day.organization_id or "", entry.id), None) != hash_of(entry):
            yield f"{day.path}: run {entry.id} is not indexed as it is stored"
    if there:
        yield f"{day.path}: {len(there)} runs are indexed and not stored"


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(f"{path}{suffix}")


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Errors of SQLite as errors of the archive."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text:
            hint = "make room on the disk and run it again"
        elif "readonly" in text or "unable to open" in text:
            raise ArchiveReadOnlyError(f"{doing}: {text}; give this user access to logs/.weft") from error
        elif any(word in text for word in _UNUSABLE):
            hint = "rebuild the index"
        else:
            hint = "run it again; if it persists, rebuild the index"
        raise ArchiveError(f"{doing}: {text}; {hint}") from error

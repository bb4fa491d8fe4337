"""Bringing the index to the state of the archive: what changed since, or everything."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from weft.archive.errors import DamagedFileError
from weft.archive.index.message_row import MessageRow, iter_message_rows, run_key
from weft.archive.index.run_usage import read_usages
from weft.archive.index.writing import DAY, RowWriter, day_number, sum_up_everything
from weft.archive.json_text import BadJsonError
from weft.archive.manifest import Entry
from weft.archive.place import Day
from weft.archive.vault import Vault

FEWEST_ROWS = 2_000
"""What is written at once, unless there is no more."""
MOST_ROWS = 20_000
MOST_CHARACTERS = 24 * 1024 * 1024
"""What is read before it is written."""


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far an index has been brought."""

    days: int
    """Done."""
    days_total: int
    messages: int
    """Added so far."""


@dataclass(slots=True)
class Indexed:
    """What bringing the index up to date did."""

    days: int = 0
    """Day folders that had changed."""
    conversations: int = 0
    """New or changed."""
    removed: int = 0
    """Conversations that are not in the archive any more."""
    messages: int = 0
    """Added."""
    runs: int = 0
    """New or changed."""
    damaged: list[str] = field(default_factory=list)
    """Files that could not be read, relative to the root; they are tried again every time."""


Progress = Callable[[IndexProgress], None]


def update(
    connection: sqlite3.Connection,
    vault: Vault,
    changed: Iterable[tuple[Day, str]],
    progress: Progress | None,
) -> Indexed:
    """Bring these days up to date, each in one transaction.

    Args:
        changed: Days with the checksum of their manifest; empty for a day that is not there any more.
    """
    done = Indexed()
    days = list(changed)
    writer = RowWriter(connection)
    for count, (day, manifest_sha256) in enumerate(days, 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            damaged = len(done.damaged)
            if day.kind == "runs":
                _update_runs(writer, vault, day, manifest_sha256, done)
            else:
                _update_day(connection, writer, vault, day, manifest_sha256, done)
                writer.sum_up()
            connection.execute("DELETE FROM day WHERE path = ?", (day.path,))
            if manifest_sha256 and damaged == len(done.damaged):
                connection.execute("INSERT INTO day VALUES (?, ?)", (day.path, manifest_sha256))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        done.days += 1
        if progress is not None:
            progress(IndexProgress(count, len(days), done.messages))
    return done


def _update_day(
    connection: sqlite3.Connection, writer: RowWriter, vault: Vault, day: Day, sha256: str, done: Indexed
) -> None:
    manifest = vault.find_manifest(day) if sha256 else None
    entries = manifest.by_id() if manifest is not None else {}
    known = {
        id: (number, digest, file)
        for number, id, digest, file in connection.execute(
            "SELECT id, conversation_id, sha256, file FROM conversation WHERE day = ?", (day.path,)
        )
    }
    for id in known.keys() - entries.keys():
        writer.remove(known[id][0])
        done.removed += 1
    for entry in entries.values():
        present = known.get(entry.id)
        if present is not None and present[1:] == (entry.sha256, entry.file):
            continue
        if present is not None and present[1] == entry.sha256:
            writer.put_conversation(day, entry, entry.messages)  # packed: the same content in another file
            continue
        rows = _read_rows(vault, day, entry, done)
        if rows is not None:
            number = writer.put_conversation(day, entry, len(rows))
            done.messages += writer.replace(number, day.organization_id or "", rows)
            done.conversations += 1


def _update_runs(writer: RowWriter, vault: Vault, day: Day, sha256: str, done: Indexed) -> None:
    manifest = vault.find_manifest(day) if sha256 else None
    known = writer.known_runs(day)
    for entry in manifest.files if manifest is not None else ():
        key = run_key(day.organization_id or "", entry.id)
        if known.pop(key, None) == hash_of(entry):
            continue
        _put_run(writer, vault, day, entry, done)
    for key in known:
        writer.remove_run(day, key)


def _put_run(writer: RowWriter, vault: Vault, day: Day, entry: Entry, done: Indexed) -> None:
    path = f"{day.path}/{entry.file}"
    try:
        usages = read_usages(vault.read(day, entry), path)
    except (DamagedFileError, BadJsonError):
        done.damaged.append(path)
        return
    writer.put_run(day, run_key(day.organization_id or "", entry.id), hash_of(entry), usages)
    done.runs += 1


def hash_of(entry: Entry) -> int:
    """60 bits of a file's checksum."""
    return int(entry.sha256[:15], 16)


def build(
    connection: sqlite3.Connection, vault: Vault, days: Iterable[tuple[Day, str]], progress: Progress | None
) -> Indexed:
    """Fill an empty file with these days."""
    done = Indexed()
    # By date over all organisations, so that row numbers rise.
    wanted = sorted(days, key=lambda item: (item[0].date, item[0]))
    coming = _Coming(RowWriter(connection, notes_words=False), done)
    connection.execute("BEGIN")
    for place, (day, sha256) in enumerate(wanted):
        damaged = len(done.damaged)
        _read_day(coming, vault, day, done)
        done.days += 1
        if damaged == len(done.damaged):
            connection.execute("INSERT INTO day VALUES (?, ?)", (day.path, sha256))
        following = wanted[place + 1][0] if place + 1 < len(wanted) else None
        if coming.write(following) and progress is not None:
            progress(IndexProgress(done.days, len(wanted), done.messages))
    sum_up_everything(connection, coming.writer.note_shift())
    connection.execute("COMMIT")
    return done


def _read_day(coming: _Coming, vault: Vault, day: Day, done: Indexed) -> None:
    manifest = vault.read_manifest(day)
    for entry in manifest.files if manifest is not None else ():
        if day.kind == "runs":
            _put_run(coming.writer, vault, day, entry, done)
            continue
        rows = _read_rows(vault, day, entry, done)
        if rows is not None:
            coming.add(day, entry, rows)


class _Coming:
    """Messages that are read and not yet written.

    A conversation's messages may be of later days than itself, and row numbers that fall are dear: a message
    waits until no earlier one can come.
    """

    def __init__(self, writer: RowWriter, done: Indexed) -> None:
        self.writer = writer
        self._done = done
        self._rows: list[tuple[int, str, MessageRow]] = []
        self._characters = 0

    def add(self, day: Day, entry: Entry, rows: Sequence[MessageRow]) -> None:
        """Take a conversation."""
        number = self.writer.add_conversation(day, entry, len(rows))
        organization = day.organization_id or ""
        self._rows += [(number, organization, row) for row in rows]
        self._characters += entry.size
        self._done.conversations += 1
        if len(self._rows) >= MOST_ROWS or self._characters >= MOST_CHARACTERS:
            self._write(self._rows, [])

    def write(self, following: Day | None) -> bool:
        """Write what is before the next day, if it is worth while; everything when there is none.

        Returns:
            Whether something was written.
        """
        if following is None:
            self._write(self._rows, [])
            return True
        if len(self._rows) < FEWEST_ROWS:
            return False
        bound = day_number(following.date) * DAY
        ready = [item for item in self._rows if item[2].at < bound]
        if len(ready) < FEWEST_ROWS:
            return False
        self._write(ready, [item for item in self._rows if item[2].at >= bound])
        return True

    def _write(
        self, ready: list[tuple[int, str, MessageRow]], left: list[tuple[int, str, MessageRow]]
    ) -> None:
        self.writer.add(ready)
        self._done.messages += len(ready)
        self._characters = self._characters * len(left) // max(1, len(self._rows))
        self._rows = left


def _read_rows(vault: Vault, day: Day, entry: Entry, done: Indexed) -> list[MessageRow] | None:
    path = f"{day.path}/{entry.file}"
    try:
        return list(iter_message_rows(vault.read(day, entry), day, path))
    except (DamagedFileError, BadJsonError):
        done.damaged.append(path)
        return None

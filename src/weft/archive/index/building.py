"""Bringing the index to the state of the archive, day by day as they changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from weft.archive.errors import DamagedFileError
from weft.archive.index.message_row import MessageRow, iter_message_rows, run_key
from weft.archive.index.run_usage import read_usages
from weft.archive.index.writing import RowWriter
from weft.archive.json_text import BadJsonError
from weft.archive.manifest import Entry
from weft.archive.place import Day
from weft.archive.vault import Vault


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
            writer.note_day(day, manifest_sha256 if damaged == len(done.damaged) else "")
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
        rows = read_rows(vault, day, entry, done)
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
        put_run(writer, vault, day, entry, done)
    for key in known:
        writer.remove_run(day, key)


def put_run(writer: RowWriter, vault: Vault, day: Day, entry: Entry, done: Indexed) -> None:
    """Note a run as its file tells it; a file that is damaged is named in `done`."""
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


def read_rows(vault: Vault, day: Day, entry: Entry, done: Indexed) -> list[MessageRow] | None:
    """The rows of a conversation; none for a file that is damaged, which is named in `done`."""
    path = f"{day.path}/{entry.file}"
    try:
        return list(iter_message_rows(vault.read(day, entry), day, path))
    except (DamagedFileError, BadJsonError):
        done.damaged.append(path)
        return None

"""Bringing the index to the state of the archive: what changed since, or everything."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from weft.archive.errors import DamagedFileError
from weft.archive.index.message_row import MessageRow, iter_message_rows
from weft.archive.index.writing import RowWriter, sum_up, sum_up_blocks
from weft.archive.json_text import BadJsonError
from weft.archive.manifest import Entry
from weft.archive.place import Day
from weft.archive.vault import Vault

BATCH_MESSAGES = 20_000
BATCH_CHARACTERS = 24 * 1024 * 1024
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
    damaged: list[str] = field(default_factory=list)
    """Files that could not be read, relative to the root; they are tried again every time."""


Progress = Callable[[IndexProgress], None]


@dataclass(frozen=True, slots=True)
class _Loaded:
    day: Day
    entry: Entry
    rows: list[MessageRow]
    characters: int


@dataclass(frozen=True, slots=True)
class _DayEnd:
    """Everything of this day came before."""

    day: Day
    manifest_sha256: str | None
    """None when something of it could not be read."""


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
            _update_day(connection, writer, vault, day, manifest_sha256, done)
            writer.sum_up()
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
    damaged = len(done.damaged)
    for entry in entries.values():
        present = known.get(entry.id)
        if present is not None and present[1:] == (entry.sha256, entry.file):
            continue
        if present is not None and present[1] == entry.sha256:
            writer.put_conversation(day, entry, entry.messages)  # packed: the same content in another file
            continue
        loaded = _load(vault, day, entry, done)
        if loaded is not None:
            number = writer.put_conversation(day, entry, len(loaded.rows))
            done.messages += writer.replace(number, day.organization_id or "", loaded.rows)
            done.conversations += 1
    connection.execute("DELETE FROM day WHERE path = ?", (day.path,))
    if sha256 and damaged == len(done.damaged):
        connection.execute("INSERT INTO day VALUES (?, ?)", (day.path, sha256))


def build(
    connection: sqlite3.Connection, vault: Vault, days: Iterable[tuple[Day, str]], progress: Progress | None
) -> Indexed:
    """Fill an empty file with these days; reading and writing take turns in two threads."""
    done = Indexed()
    wanted = list(days)
    writer = RowWriter(connection)
    connection.execute("BEGIN")
    with ThreadPoolExecutor(1, "weft-index") as reader:
        for batch in _prefetch(reader, _batches(vault, wanted, done)):
            _write(connection, writer, batch, done)
            if progress is not None:
                progress(IndexProgress(done.days, len(wanted), done.messages))
    writer.note_shift()
    sum_up(connection)
    sum_up_blocks(connection)
    connection.execute("COMMIT")
    connection.execute("INSERT INTO words(words) VALUES ('optimize')")
    for name, value in (("automerge", 4), ("crisismerge", 16), ("hashsize", 1024 * 1024)):
        connection.execute("INSERT INTO words(words, rank) VALUES (?, ?)", (name, value))
    return done


def _write(
    connection: sqlite3.Connection, writer: RowWriter, batch: list[_Loaded | _DayEnd], done: Indexed
) -> None:
    loaded = [(item.day, item.entry, item.rows) for item in batch if isinstance(item, _Loaded)]
    done.messages += writer.put_new(loaded)
    done.conversations += len(loaded)
    for item in batch:
        if isinstance(item, _DayEnd):
            done.days += 1
            if item.manifest_sha256 is not None:
                connection.execute("INSERT INTO day VALUES (?, ?)", (item.day.path, item.manifest_sha256))


def _batches(vault: Vault, days: list[tuple[Day, str]], done: Indexed) -> Iterator[list[_Loaded | _DayEnd]]:
    batch: list[_Loaded | _DayEnd] = []
    messages = characters = 0
    # By date over all organisations, so that row numbers rise and a batch seldom goes back in time.
    for day, sha256 in sorted(days, key=lambda item: (item[0].date, item[0])):
        manifest = vault.read_manifest(day)
        damaged = len(done.damaged)
        for entry in manifest.files if manifest is not None else ():
            loaded = _load(vault, day, entry, done)
            if loaded is None:
                continue
            batch.append(loaded)
            messages += len(loaded.rows)
            characters += loaded.characters
            if messages >= BATCH_MESSAGES or characters >= BATCH_CHARACTERS:
                yield batch
                batch, messages, characters = [], 0, 0
        batch.append(_DayEnd(day, sha256 if damaged == len(done.damaged) else None))
    yield batch


def _load(vault: Vault, day: Day, entry: Entry, done: Indexed) -> _Loaded | None:
    path = f"{day.path}/{entry.file}"
    try:
        data = vault.read(day, entry)
        return _Loaded(day, entry, list(iter_message_rows(data, day, path)), len(data))
    except (DamagedFileError, BadJsonError):
        done.damaged.append(path)
        return None


def _prefetch(
    reader: ThreadPoolExecutor, batches: Iterator[list[_Loaded | _DayEnd]]
) -> Iterator[list[_Loaded | _DayEnd]]:
    """The same, each read while the one before is written."""

    def take() -> list[list[_Loaded | _DayEnd]]:
        return list(islice(batches, 1))

    coming: Future[list[list[_Loaded | _DayEnd]]] = reader.submit(take)
    while found := coming.result():
        coming = reader.submit(take)
        yield found[0]

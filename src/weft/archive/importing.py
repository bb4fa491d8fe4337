"""Bringing conversations of another archive or of an export into this one, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from weft.archive.attachment import FileRef, refs_of
from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError
from weft.archive.file_shelf import Incoming
from weft.archive.folder_source import FolderSource
from weft.archive.json_text import BadJsonError, decode_object
from weft.archive.place import KINDS, day_of
from weft.archive.query import Query, iter_entries
from weft.archive.run_record import RunRecord
from weft.archive.saving import Failure, Saver
from weft.archive.vault import Vault
from weft.errors import InvalidRequestError


@dataclass(slots=True)
class Imported:
    """What an import did."""

    written: int = 0
    unchanged: int = 0
    """Stored already with the same content, or with a later version."""
    failed: list[Failure] = field(default_factory=list)
    """What could not be read or stored, by id or path, and why."""
    masked: int = 0
    """Conversations and runs with masked texts that a bucket has no secrets for: nobody can reveal them."""


def import_archive(saver: Saver, other: Vault, query: Query) -> Imported:
    """Copy what matches from another archive, runs included; each file is proven before it is taken.

    Raises:
        ArchiveError: This archive cannot be written to; what was flushed stays, run it again.
    """
    done = Imported()
    for kind in KINDS:
        for day, entry in iter_entries(other, query, kind=kind):
            attached: list[Incoming] = []
            path = f"{day.path}/{entry.file}"
            try:
                fields = decode_object(other.read(day, entry), path)
                record = RunRecord.parse(fields) if kind == "runs" else Conversation.parse(fields)
            except (DamagedFileError, BadJsonError, InvalidRequestError) as error:
                done.failed.append(Failure(path, str(error)))
                continue
            for ref in entry.files:
                try:
                    attached += _copied(saver, day.organization, ref, other.shelf.read)
                except DamagedFileError as error:
                    done.failed.append(Failure(entry.id, str(error)))
            saver.add(record, entry.source_version, attached)
    return _finish(saver, done)


def import_folder(saver: Saver, folder: FolderSource, organization_id: str | None) -> Imported:
    """Take in files that were exported, here or elsewhere.

    Raises:
        ArchiveError: A file cannot be read, or this archive cannot be written to.
    """
    done = Imported()
    for record in _iter_records(folder, done):
        filed = record.within(organization_id)
        attached: list[Incoming] = []
        if isinstance(record, Conversation) and isinstance(filed, Conversation):
            home = day_of("conversations", filed.organization_id, filed.created_at).organization
            for ref in refs_of(record):
                try:
                    attached += _copied(saver, home, ref, partial(_of_folder, folder, record))
                except DamagedFileError as error:
                    done.failed.append(Failure(record.id, str(error)))
        saver.add(filed, attached=attached)
    return _finish(saver, done)


def _of_folder(
    folder: FolderSource, conversation: Conversation, organization: str, ref: FileRef
) -> bytes | None:
    del organization  # there, its files lie under the organisation that they had there
    return folder.read_file(conversation, ref)


def _copied(
    saver: Saver, organization: str, ref: FileRef, read: Callable[[str, FileRef], bytes | None]
) -> list[Incoming]:
    """The bytes of an attached file, unless they are here already or are nowhere.

    Raises:
        DamagedFileError: They are not what was written.
    """
    shelf = saver.vault.shelf
    if shelf.has(organization, ref):
        return []
    data = read(organization, ref)
    if data is None:
        return []
    arriving = shelf.incoming()
    arriving.write(data)
    arriving.flush()
    return [arriving]


def _iter_records(folder: FolderSource, done: Imported) -> Iterator[Conversation | RunRecord]:
    for found in folder.iter_all():
        if found.record is None:
            done.failed.append(Failure(f"{found.path}, record {found.number}", found.problem))
        else:
            yield found.record


def _finish(saver: Saver, done: Imported) -> Imported:
    saved = saver.flush()
    saver.vault.checkpoint()
    done.written, done.unchanged = saved.written, saved.unchanged
    done.failed += saved.failed
    return done

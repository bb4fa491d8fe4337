"""What lies in one day folder: a row for each file, and their sums.

`manifest.json` is the truth about its folder. It is written last and atomically, so whoever reads it
sees a state that was complete at some moment.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
from msgspec.structs import replace

from weft.archive.attachment import FileRef, refs_of, unasked_files
from weft.archive.conversation import Conversation, rating_of
from weft.archive.instant import parse_instant
from weft.archive.json_text import (
    BadJsonError,
    JsonObject,
    content_digest,
    decode_object,
    digest,
    encode,
    seal,
    unseal,
)
from weft.archive.place import PACKED, Day, Kind, conversation_file, run_file
from weft.archive.run_record import RunRecord

FORMAT = 1


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file: what it holds, and how to prove that it is whole."""

    file: str
    """Its name; ends in ``.zst`` when it is packed."""
    id: str
    """Of the conversation or the run."""
    sequence: int = 0
    """Counts the writes into this folder; a larger number was written later."""
    sha256: str
    """Of the JSON, unpacked."""
    size: int
    """Bytes of the JSON, unpacked."""
    content_sha256: str
    """Of the JSON without ``logged_at``, keys sorted; equal means that nothing has changed."""
    packed_sha256: str | None = None
    packed_size: int | None = None
    app_id: str = ""
    from_source: str = ""
    conversation_id: str | None = None
    """Of a run: the conversation that it answered."""
    end_user_id: str | None = None
    """Who asked first."""
    created_at: str
    last_activity: str
    logged_at: str
    source_version: str | None = None
    """What the source called this version; the same again need not be fetched."""
    messages: int = 0
    message_tokens: int = 0
    answer_tokens: int = 0
    likes: int = 0
    dislikes: int = 0
    files: tuple[FileRef, ...] = ()
    """Attached files whose bytes are kept, each once; see `weft.archive.file_shelf`."""
    unasked: int = 0
    """Attached files that were never asked for, as the archive kept none at that time."""

    @property
    def stored_size(self) -> int:
        """Bytes that the file takes."""
        return self.size if self.packed_size is None else self.packed_size

    @property
    def stored_sha256(self) -> str:
        """SHA-256 of the file's bytes as they lie on the disk."""
        return self.sha256 if self.packed_sha256 is None else self.packed_sha256

    @property
    def plain_file(self) -> str:
        """The file's name without packing."""
        return self.file.removesuffix(PACKED)

    @property
    def order(self) -> tuple[str, str]:
        """Place within the day: by creation, then by id."""
        return self.created_at[:-1], self.id


class Rollup(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Sums over files."""

    files: int = 0
    size_bytes: int = 0
    """Unpacked."""
    stored_bytes: int = 0
    """As they lie on the disk."""
    messages: int = 0
    message_tokens: int = 0
    answer_tokens: int = 0
    likes: int = 0
    dislikes: int = 0

    def add(self, entry: Entry, times: int = 1) -> None:
        """Count a file; -1 times, take it out again."""
        self.files += times
        self.size_bytes += times * entry.size
        self.stored_bytes += times * entry.stored_size
        self.messages += times * entry.messages
        self.message_tokens += times * entry.message_tokens
        self.answer_tokens += times * entry.answer_tokens
        self.likes += times * entry.likes
        self.dislikes += times * entry.dislikes

    def merge(self, other: Rollup) -> None:
        """Add the sums of others."""
        for field in self.__struct_fields__:
            setattr(self, field, getattr(self, field) + getattr(other, field))


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``manifest.json``; its last member ``checksum`` covers all others."""

    format: int = FORMAT
    kind: Kind
    organization_id: str | None
    day: str
    """``2025-10-15``."""
    sequence: int
    """Of the latest write."""
    totals: Rollup
    apps: dict[str, Rollup]
    """Sums for each app."""
    removing: list[str]
    """Files that are being deleted; after a crash the deletion is finished."""
    files: list[Entry]
    """By creation, then by id."""

    def by_id(self) -> dict[str, Entry]:
        """The rows by the id of what they hold."""
        return {entry.id: entry for entry in self.files}


def make_manifest(
    day: Day, entries: Iterable[Entry], sequence: int, removing: Sequence[str] = ()
) -> Manifest:
    """A manifest with its sums."""
    totals = Rollup()
    apps: dict[str, Rollup] = {}
    files = sorted(entries, key=_order)
    for entry in files:
        totals.add(entry)
        apps.setdefault(entry.app_id, Rollup()).add(entry)
    return Manifest(
        kind=day.kind,
        organization_id=day.organization_id,
        day=day.date.isoformat(),
        sequence=sequence,
        totals=totals,
        apps=dict(sorted(apps.items())),
        removing=list(removing),
        files=files,
    )


def revise_manifest(
    before: Manifest,
    gone: Iterable[Entry],
    come: Iterable[Entry],
    sequence: int,
    removing: Sequence[str] = (),
) -> Manifest:
    """The manifest after a change, at a cost that grows with the change.

    Args:
        gone: Rows that are there and shall not be.
        come: Rows that are to be there; no row has the id of another.
    """
    totals = replace(before.totals)
    apps = {app: replace(sums) for app, sums in before.apps.items()}
    files = list(before.files)
    for entry in gone:
        totals.add(entry, -1)
        apps[entry.app_id].add(entry, -1)
        del files[bisect_left(files, entry.order, key=_order)]
    for entry in come:
        totals.add(entry)
        apps.setdefault(entry.app_id, Rollup()).add(entry)
        insort(files, entry, key=_order)
    return Manifest(
        kind=before.kind,
        organization_id=before.organization_id,
        day=before.day,
        sequence=sequence,
        totals=totals,
        apps={app: sums for app, sums in sorted(apps.items()) if sums.files},
        removing=list(removing),
        files=files,
    )


def _order(entry: Entry) -> tuple[str, str]:
    return entry.order


def dump_manifest(manifest: Manifest) -> bytes:
    """The bytes of ``manifest.json``."""
    return seal(manifest)


def load_manifest(data: bytes, day: Day) -> Manifest:
    """The manifest in these bytes.

    Raises:
        BadJsonError: A byte has changed, or it belongs to another folder.
    """
    manifest = unseal(data, Manifest, f"{day.path}/manifest.json")
    expected = (day.kind, day.organization_id, day.date.isoformat())
    if (manifest.kind, manifest.organization_id, manifest.day) != expected:
        raise BadJsonError(f"{day.path}/manifest.json: it belongs to another folder")
    return manifest


def describe_conversation(
    conversation: Conversation, logged_at: str, source_version: str | None = None
) -> tuple[Entry, bytes]:
    """The row and the bytes of a conversation that is stored at this instant."""
    fields: JsonObject = {**conversation.fields, "logged_at": logged_at}
    data = encode(fields) + b"\n"
    content = {key: value for key, value in conversation.fields.items() if key != "logged_at"}
    messages = conversation.messages
    ratings = [rating_of(message) for message in messages]
    entry = Entry(
        file=conversation_file(conversation.id, parse_instant(logged_at, "logged_at")),
        id=conversation.id,
        sha256=digest(data),
        size=len(data),
        content_sha256=content_digest(content),
        app_id=conversation.app_id,
        from_source=conversation.from_source,
        end_user_id=_first_user(conversation),
        created_at=cast(str, fields["created_at"]),
        last_activity=conversation.last_activity_text,
        logged_at=logged_at,
        source_version=source_version,
        messages=len(messages),
        message_tokens=sum(cast(int, message["message_tokens"]) for message in messages),
        answer_tokens=sum(cast(int, message["answer_tokens"]) for message in messages),
        likes=ratings.count("like"),
        dislikes=ratings.count("dislike"),
        files=refs_of(conversation),
        unasked=unasked_files(conversation),
    )
    return entry, data


def describe_run(run: RunRecord, logged_at: str) -> tuple[Entry, bytes]:
    """The row and the bytes of a run that is stored at this instant."""
    data = encode({**run.fields, "logged_at": logged_at}) + b"\n"
    created_at = cast(str, run.fields["created_at"])
    entry = Entry(
        file=run_file(run.id),
        id=run.id,
        sha256=digest(data),
        size=len(data),
        content_sha256=content_digest({key: run.fields[key] for key in run.fields if key != "logged_at"}),
        app_id=cast(str, run.fields["app_id"]),
        conversation_id=run.conversation_id,
        created_at=created_at,
        last_activity=cast("str | None", run.fields["finished_at"]) or created_at,
        logged_at=logged_at,
    )
    return entry, data


def describe_stored(kind: Kind, data: bytes, what: str) -> tuple[str | None, Entry]:
    """The organisation's id and the row for a file that is already there.

    Raises:
        BadJsonError: The bytes are not JSON.
        InvalidRequestError: They are, and no conversation or run.
    """
    fields = decode_object(data, what)
    logged_at = str(fields.get("logged_at"))
    record: Conversation | RunRecord
    if kind == "runs":
        record = RunRecord.parse(fields)
        entry, _ = describe_run(record, logged_at)
    else:
        record = Conversation.parse(fields)
        entry, _ = describe_conversation(record, logged_at)
    return record.organization_id, replace(entry, sha256=digest(data), size=len(data))


def packed(entry: Entry, stored: bytes) -> Entry:
    """The row of the same file after it was packed into these bytes."""
    return replace(
        entry, file=entry.plain_file + PACKED, packed_sha256=digest(stored), packed_size=len(stored)
    )


def numbered(entry: Entry, sequence: int) -> Entry:
    """The row with its place among the writes into its folder."""
    return replace(entry, sequence=sequence)


def _first_user(conversation: Conversation) -> str | None:
    found = (message["from_end_user_id"] for message in conversation.messages)
    return next((user for user in found if isinstance(user, str)), None)

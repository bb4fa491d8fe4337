"""Files that came with messages: what the archive notes of each, beside what the server said of it.

A record of `message_files` gets one more member, ``archived``: either ``sha256``, ``size``, ``name`` and
``mime_type`` of the bytes that are kept, or the ``reason`` why none are, with a ``detail`` for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import msgspec

from weft.archive.conversation import Conversation
from weft.archive.json_text import JsonObject

FIELD = "archived"
Reason = Literal["gone", "too-large", "refused", "unreachable", "unwanted", "absent"]
"""``gone``: the server has it no more; ``refused``: its address may not be asked; ``unreachable``: nobody
answered there; ``unwanted``: the settings do not keep its kind; ``absent``: it did not come along with an
import."""
Place = tuple[int, int]
"""Number of the message, and of the file within it."""
_SHA256 = re.compile("[0-9a-f]{64}")


class FileRef(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The bytes of a file, as rows of a manifest name them."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of one message."""

    place: Place
    message_id: str
    record: JsonObject
    """What the server said of it."""

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same file whenever its conversation is read."""
        for name in ("id", "upload_file_id", "url"):
            found = self.record.get(name)
            if isinstance(found, str) and found:
                return self.message_id, f"{name}={found}"
        return self.message_id, f"place={self.place[1]}"

    @property
    def note(self) -> JsonObject | None:
        """What the archive noted of it; none when it was never asked for."""
        found = self.record.get(FIELD)
        return cast(JsonObject, found) if isinstance(found, dict) else None

    @property
    def ref(self) -> FileRef | None:
        """The bytes that are kept of it, or none."""
        return ref_of(self.note)

    @property
    def name(self) -> str:
        """What it is called; empty when nobody said."""
        known = (self.note or {}).get("name") or self.record.get("filename") or self.record.get("name")
        return known if isinstance(known, str) else ""

    @property
    def mime_type(self) -> str:
        """What it is; empty when nobody said."""
        known = (self.note or {}).get("mime_type") or self.record.get("mime_type")
        return known if isinstance(known, str) else ""


def ref_of(note: Mapping[str, object] | None) -> FileRef | None:
    """The bytes that a note speaks of, or none."""
    if note is None:
        return None
    sha256, size = note.get("sha256"), note.get("size")
    if not isinstance(sha256, str) or _SHA256.fullmatch(sha256) is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or "reason" in note:
        return None
    return FileRef(sha256, size)


def iter_attachments(conversation: Conversation) -> Iterator[Attachment]:
    """The files of all messages, in order."""
    for number, message in enumerate(conversation.messages):
        yield from attachments_of(message, number)


def attachments_of(message: JsonObject, number: int = 0) -> Iterator[Attachment]:
    """The files of one message, in order."""
    records = message.get("message_files")
    for index, record in enumerate(records if isinstance(records, list) else ()):
        if isinstance(record, dict):
            yield Attachment((number, index), str(message.get("id") or ""), record)


def refs_of(conversation: Conversation) -> tuple[FileRef, ...]:
    """The bytes that a conversation's file names, each once, in order."""
    return tuple(sorted({one.ref for one in iter_attachments(conversation) if one.ref is not None}))


def unasked_files(conversation: Conversation) -> int:
    """How many files were never asked for: no bytes of them are kept, and no reason is noted."""
    return sum(one.note is None for one in iter_attachments(conversation))


def with_notes(conversation: Conversation, notes: Mapping[Place, JsonObject | None]) -> Conversation:
    """The conversation with these notes in the place of what is there; none takes a note away."""
    changed = {
        place: note for place, note in notes.items() if _record(conversation, place).get(FIELD) != note
    }
    if not changed:
        return conversation
    messages = list(conversation.messages)
    for number in sorted({place[0] for place in changed}):
        records = list(cast("list[object]", messages[number]["message_files"]))
        for (owner, index), note in changed.items():
            if owner == number:
                kept = dict(_record(conversation, (owner, index)).items())
                kept.pop(FIELD, None)
                records[index] = kept if note is None else {**kept, FIELD: note}
        messages[number] = {**messages[number], "message_files": records}
    fields = dict(conversation.fields)
    fields["messages"] = messages
    return Conversation(fields)


def without_notes(conversation: Conversation) -> Conversation:
    """The conversation as its server knows it."""
    return with_notes(conversation, {one.place: None for one in iter_attachments(conversation)})


def kept_note(ref: FileRef, name: str, mime_type: str) -> JsonObject:
    """The note for a file whose bytes are kept."""
    return {"sha256": ref.sha256, "size": ref.size, "name": name, "mime_type": mime_type}


def missing_note(reason: Reason, detail: str, ref: FileRef | None = None) -> JsonObject:
    """The note for a file whose bytes are not kept.

    Args:
        reason: Why, for programs.
        detail: Why, for people.
        ref: What they are known to be, if that is known.
    """
    known: JsonObject = {} if ref is None else {"sha256": ref.sha256, "size": ref.size}
    return {"reason": reason, "detail": detail, **known}


def _record(conversation: Conversation, place: Place) -> JsonObject:
    records = cast("list[object]", conversation.messages[place[0]]["message_files"])
    return cast(JsonObject, records[place[1]])

"""Putting conversations and runs into the vault: redacted, compared with what is there, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from weft.archive.attachment import (
    Attachment,
    FileRef,
    iter_attachments,
    missing_note,
    ref_of,
    with_notes,
)
from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError
from weft.archive.file_shelf import Incoming
from weft.archive.instant import parse_instant, render_instant
from weft.archive.json_text import BadJsonError, JsonObject, decode_object
from weft.archive.manifest import Entry, describe_conversation, describe_run
from weft.archive.name import encode_name
from weft.archive.place import Day, Kind, day_of
from weft.archive.redaction import Redactor
from weft.archive.run_record import RunRecord
from weft.archive.secret_book import Owner, SecretBook
from weft.archive.vault import DayChange, Vault
from weft.errors import InvalidRequestError

BATCH_FILES = 128
BATCH_BYTES = 16 * 1024 * 1024
"""What is collected before it is written; memory needs little more than this and one conversation."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be stored, and why."""

    id: str
    reason: str


@dataclass(slots=True)
class Saved:
    """What became of the records that were given."""

    written: int = 0
    """New, or changed since they were last stored."""
    unchanged: int = 0
    """Stored already with the same content; nothing was written."""
    bytes_written: int = 0
    failed: list[Failure] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)
    """Id to the file that now holds it, relative to the archive's root."""


class Saver:
    """Collects records and writes them in batches; `flush` makes the last ones durable.

    Args:
        keep_logged_at: Let records keep the instant that they bear, as an import does. A record that is
            older than the stored one then changes nothing.
    """

    def __init__(
        self, vault: Vault, redactor: Redactor | None = None, *, keep_logged_at: bool = False
    ) -> None:
        vault.check_writable()
        self.vault = vault
        self._redactor = redactor
        self._keep = keep_logged_at
        self._changes: dict[Day, DayChange] = {}
        self._pending: set[tuple[Kind, str, str]] = set()
        self._files = self._bytes = 0
        self._attached: list[tuple[str, Incoming]] = []
        self._secrets: dict[Owner, Mapping[str, str]] = {}
        self.saved = Saved()

    def add(
        self,
        record: Conversation | RunRecord,
        source_version: str | None = None,
        attached: Sequence[Incoming] = (),
    ) -> None:
        """Take a record; one that cannot be stored is noted in `saved.failed`.

        Args:
            record: What is to be stored.
            source_version: What the source calls this version of it.
            attached: Bytes of its files that are not in the archive yet; its messages name them.

        Raises:
            ArchiveError: The disk is full, or refuses; what was flushed before stays.
        """
        try:
            if isinstance(record, Conversation):
                found: dict[str, str] = {}
                clean = self._redactor.conversation(record, found) if self._redactor else record
                self._add_conversation(clean, source_version, attached)
            else:
                found = {}
                self._add_run(self._redactor.run(record, found) if self._redactor else record)
            self._keep_secrets(record, found)
        except InvalidRequestError as error:
            self.saved.failed.append(Failure(record.id, str(error)))
            for one in attached:
                one.discard()
        if self._files >= BATCH_FILES or self._bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> Saved:
        """Write what was collected.

        Returns:
            What became of everything so far.

        Raises:
            ArchiveError: The disk is full, or refuses.
        """
        changes, self._changes = self._changes, {}
        attached, self._attached = self._attached, []
        secrets, self._secrets = self._secrets, {}
        self._pending.clear()
        self._files = self._bytes = 0
        if changes or attached or secrets:
            try:
                self.vault.apply(changes, attached, secrets)
            finally:
                for _, one in attached:
                    one.discard()
            self.saved.written += sum(len(change.writes) for change in changes.values())
            for change in changes.values():
                self.saved.bytes_written += sum(len(data) for _, data in change.writes)
        return self.saved

    def _add_conversation(
        self, conversation: Conversation, source_version: str | None, attached: Sequence[Incoming]
    ) -> None:
        day, old = self._place(
            "conversations", conversation.organization_id, conversation.id, conversation.created_at
        )
        if old is not None and conversation.fields["created_at"] != old.created_at:
            # The day of creation is where it is filed; a source that changes its mind does not move it.
            conversation = Conversation({**conversation.fields, "created_at": old.created_at})
        conversation = self._with_files(conversation, day, old, {one.ref for one in attached})
        entry, data = describe_conversation(
            conversation, self._logged_at(conversation.fields, old), source_version
        )
        self._attached += [(day.organization, one) for one in attached]
        self._take(day, entry, data, old)

    def _with_files(
        self, conversation: Conversation, day: Day, old: Entry | None, coming: set[FileRef]
    ) -> Conversation:
        """The conversation with true notes about its files: what it says is here is here.

        What its earlier version had kept stays kept, as a server may have lost it in between.
        """
        given = list(iter_attachments(conversation))
        if not given:
            return conversation
        earlier: dict[tuple[str, str], Attachment] = {}
        if old is not None and old.files:
            earlier = self._earlier(day, old)
        notes: dict[tuple[int, int], JsonObject | None] = {}
        shelf = self.vault.shelf
        for one in given:
            ref = one.ref
            if ref is not None and (ref in coming or shelf.has(day.organization, ref)):
                continue
            kept = earlier[one.key].note if one.key in earlier else None
            if kept is not None:
                notes[one.place] = kept
            elif ref is not None:
                notes[one.place] = missing_note("absent", "its bytes did not come along", ref)
        return with_notes(conversation, notes)

    def _keep_secrets(self, record: Conversation | RunRecord, found: Mapping[str, str]) -> None:
        """Encrypt what was masked, if it is to be kept."""
        book = None if self._redactor is None else self._redactor.tokens
        if not found or not isinstance(book, SecretBook):
            return
        kind: Kind = "conversations" if isinstance(record, Conversation) else "runs"
        organization = record.organization_id
        folder = encode_name(organization, "organization_id") if organization is not None else ""
        owner = Owner(folder, kind, record.id)
        made = book.encrypt(owner, found)
        if made:
            self._secrets[owner] = made

    def kept_files(self, conversation: Conversation) -> set[tuple[str, str]]:
        """Keys of the conversation's files whose bytes are here, from its stored version.

        Raises:
            InvalidRequestError: Its id cannot name a file.
        """
        home = day_of("conversations", conversation.organization_id, conversation.created_at)
        day = self.vault.locate("conversations", home.organization, conversation.id)
        old = None if day is None else self.vault.find_entry(day, conversation.id)
        return set() if day is None or old is None or not old.files else set(self._earlier(day, old))

    def _earlier(self, day: Day, old: Entry) -> dict[tuple[str, str], Attachment]:
        """The files that the stored version keeps."""
        try:
            stored = Conversation(decode_object(self.vault.read(day, old), old.file))
        except (DamagedFileError, BadJsonError):
            return {}
        found = {one.key: one for one in iter_attachments(stored) if ref_of(one.note) is not None}
        return {
            key: one
            for key, one in found.items()
            if one.ref is not None and self.vault.shelf.has(day.organization, one.ref)
        }

    def _add_run(self, run: RunRecord) -> None:
        day, old = self._place("runs", run.organization_id, run.id, run.created_at)
        if old is not None and run.fields["created_at"] != old.created_at:
            run = RunRecord({**run.fields, "created_at": old.created_at})
        entry, data = describe_run(run, self._logged_at(run.fields, old))
        self._take(day, entry, data, old)

    def _place(
        self, kind: Kind, organization_id: str | None, id: str, created_at: datetime
    ) -> tuple[Day, Entry | None]:
        encode_name(id, "conversation_id" if kind == "conversations" else "run_id")
        home = day_of(kind, organization_id, created_at)
        key = (kind, home.organization, id)
        if key in self._pending:
            self.flush()
        self._pending.add(key)
        day = self.vault.locate(kind, home.organization, id)
        if day is None:
            return home, None
        return day, self.vault.find_entry(day, id)

    def _logged_at(self, fields: Mapping[str, object], old: Entry | None) -> str:
        own = fields.get("logged_at")
        if self._keep and isinstance(own, str):
            return own
        now = self.vault.clock.now()
        if old is not None:
            # Also when the clock was set back: a later version always bears the later instant.
            now = max(now, parse_instant(old.logged_at, "logged_at") + timedelta(microseconds=1))
        return render_instant(now)

    def _take(self, day: Day, entry: Entry, data: bytes, old: Entry | None) -> None:
        change = self._changes.setdefault(day, DayChange())
        present = entry
        if old is not None and self._is_settled(entry, old):
            self.saved.unchanged += 1
            present = old
            if entry.source_version is not None and entry.source_version != old.source_version:
                change.rows.append(replace(old, source_version=entry.source_version))
        else:
            change.writes.append((entry, data))
            self._files += 1
            self._bytes += len(data)
        if not change.writes and not change.rows:
            del self._changes[day]
        self.saved.paths[entry.id] = f"{day.path}/{present.file}"

    def _is_settled(self, entry: Entry, old: Entry) -> bool:
        if entry.content_sha256 == old.content_sha256:
            return True
        return self._keep and entry.logged_at[:-1] <= old.logged_at[:-1]


def save_all(saver: Saver, records: Iterable[Conversation | RunRecord]) -> Saved:
    """Store these and return when they are on the disk."""
    with saver.vault.mutex:
        for record in records:
            saver.add(record)
        return saver.flush()

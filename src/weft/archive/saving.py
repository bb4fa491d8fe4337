"""Putting conversations and runs into the vault: redacted, compared with what is there, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from weft.archive.conversation import Conversation
from weft.archive.instant import parse_instant, render_instant
from weft.archive.manifest import Entry, describe_conversation, describe_run
from weft.archive.name import encode_name
from weft.archive.place import Day, Kind, day_of
from weft.archive.redaction import Redactor
from weft.archive.run_record import RunRecord
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
        self.saved = Saved()

    def add(self, record: Conversation | RunRecord, source_version: str | None = None) -> None:
        """Take a record; one that cannot be stored is noted in `saved.failed`.

        Raises:
            ArchiveError: The disk is full, or refuses; what was flushed before stays.
        """
        try:
            if isinstance(record, Conversation):
                clean = self._redactor.conversation(record) if self._redactor else record
                self._add_conversation(clean, source_version)
            else:
                self._add_run(self._redactor.run(record) if self._redactor else record)
        except InvalidRequestError as error:
            self.saved.failed.append(Failure(record.id, str(error)))
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
        self._pending.clear()
        self._files = self._bytes = 0
        if changes:
            self.vault.apply(changes)
            self.saved.written += sum(len(change.writes) for change in changes.values())
            for change in changes.values():
                self.saved.bytes_written += sum(len(data) for _, data in change.writes)
        return self.saved

    def _add_conversation(self, conversation: Conversation, source_version: str | None) -> None:
        day, old = self._place(
            "conversations", conversation.organization_id, conversation.id, conversation.created_at
        )
        if old is not None and conversation.fields["created_at"] != old.created_at:
            # The day of creation is where it is filed; a source that changes its mind does not move it.
            conversation = Conversation({**conversation.fields, "created_at": old.created_at})
        entry, data = describe_conversation(
            conversation, self._logged_at(conversation.fields, old), source_version
        )
        self._take(day, entry, data, old)

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

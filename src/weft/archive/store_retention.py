"""Deleting from a server's own store what the archive provably has, to keep its database small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from weft.archive.archive import Archive
from weft.archive.attachment import FileRef, iter_attachments, without_notes
from weft.archive.audit import AuditLine
from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError, RetentionError
from weft.archive.hold import Hold, check_holds, list_holds
from weft.archive.instant import render_instant
from weft.archive.json_text import BadJsonError, decode_object
from weft.archive.manifest import Entry, describe_conversation, describe_run
from weft.archive.name import encode_name
from weft.archive.place import Day
from weft.archive.redaction import Redactor
from weft.archive.retention import RetentionRule
from weft.archive.run_record import RunRecord
from weft.archive.source import Loaded
from weft.archive.sources.stored import read_whole
from weft.archive.sources.stored_record import archived
from weft.errors import InvalidRequestError
from weft.store import Changed, Connection, Store, StoredApp, StoredFile, changes, files

AT_ONCE = 100
"""Conversations that are proven and deleted in one transaction."""
MAX_SHARE = 0.5
"""Share of the conversations that one call may delete if nothing else is said."""
MAX_KEPT = 1_000
"""Conversations that a report names as kept; all are counted."""
_UNFINISHED = ("running", "scheduled", "paused")

Why = Literal[
    "not archived",
    "archive is behind",
    "archive is damaged",
    "on hold",
    "annotated",
    "still running",
    "changed",
]
DeleteFiles = Callable[[Sequence[str]], Awaitable[object]]
"""Deletes the bytes of files, given their ids; those that are gone already are no error. Called after the
conversations have gone, and only for files of which the archive has the bytes."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation that is old enough and stays."""

    app_id: str
    conversation_id: str
    why: Why


@dataclass(slots=True)
class StoreRetention:
    """What was, or would be, deleted from the store."""

    total: int = 0
    """Conversations of the chosen apps."""
    candidates: int = 0
    """Old enough by a rule, and proven to be in the archive."""
    messages: int = 0
    """Of the candidates."""
    runs: int = 0
    size_bytes: int = 0
    """What the candidates and their runs hold, as text; the database's file has about as much of them."""
    deleted: int = 0
    files: int = 0
    """Attached files that were deleted, those of conversations that had gone before included."""
    kept: list[Kept] = field(default_factory=list)
    """Old enough, and not deleted; the first thousand."""
    kept_count: dict[Why, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Candidates among all, 0 to 1."""
        return self.candidates / self.total if self.total else 0.0

    def keep(self, app_id: str, id: str, why: Why) -> None:
        """Note that a conversation stays."""
        self.kept_count[why] = self.kept_count.get(why, 0) + 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(Kept(app_id, id, why))


@dataclass(frozen=True, slots=True)
class _Proven:
    changed: Changed
    row: Entry
    line: AuditLine
    runs: int
    size_bytes: int
    shows_files: bool


async def preview_delete_archived(
    store: Store,
    archive: Archive,
    rules: Sequence[RetentionRule],
    *,
    app_ids: Sequence[str] | None = None,
    organization_id: str | None = None,
    keep_annotated: bool = False,
    progress: Callable[[StoreRetention], None] | None = None,
) -> StoreRetention:
    """What `delete_archived` would delete at this moment; reads everything that it would read.

    Raises:
        DamagedFileError: A hold that was placed is missing, or the audit log was changed.
        ArchiveError: The archive cannot be read.
    """
    report = StoreRetention()
    run = _Run(store, archive, rules, organization_id, report, keep_annotated=keep_annotated)
    async for _ in run.iter(app_ids):
        if progress is not None:
            progress(report)
    return report


async def delete_archived(
    store: Store,
    archive: Archive,
    rules: Sequence[RetentionRule],
    *,
    app_ids: Sequence[str] | None = None,
    organization_id: str | None = None,
    max_share: float = MAX_SHARE,
    keep_annotated: bool = False,
    delete_files: DeleteFiles | None = None,
    progress: Callable[[StoreRetention], None] | None = None,
) -> StoreRetention:
    """Delete conversations from the store that a rule calls old, with messages, runs and variables.

    Each is read from the archive first, its runs too, and compared with what the store holds: only what is
    the same down to the last field goes. What is not archived, behind, damaged, on hold or still running
    stays, and the report says so. The archive's audit log has a line for each, written before the deed.

    Some hundred conversations go in one transaction, and their files after them. So whenever it is broken
    off, a conversation is either as it was or gone as a whole; the next time deletes the files that it left.

    Args:
        rules: The first that fits a conversation decides, by the instant of its last change.
        app_ids: Only these apps.
        organization_id: Where `StoreSource` filed them.
        max_share: Share of the chosen apps' conversations that may go, 0 to 1.
        keep_annotated: Keep conversations with an answer that somebody has annotated.
        delete_files: Deletes the bytes of files; they stay where this is left out.
        progress: Called in the event loop after each transaction.

    Raises:
        RetentionError: More than `max_share` would go; nothing was deleted.
        DamagedFileError: A hold that was placed is missing, or the audit log was changed; likewise.
        ArchiveError: The archive cannot be read, or its audit log not written.
        StoreError: The store refused; what was deleted until then stands in the audit log.
    """
    archive.vault.check_writable()
    if max_share < 1:
        plan = await preview_delete_archived(
            store,
            archive,
            rules,
            app_ids=app_ids,
            organization_id=organization_id,
            keep_annotated=keep_annotated,
        )
        check_share(plan, max_share)
    report = StoreRetention()
    run = _Run(store, archive, rules, organization_id, report, keep_annotated=keep_annotated)
    async for app, proven in run.iter(app_ids):
        noted = await asyncio.to_thread(run.note, proven)
        if not noted:
            continue
        gone = set(await store.write(partial(_remove, app.id, noted)))
        report.deleted += len(gone)
        for one in noted:
            if one.changed.id not in gone:
                report.keep(app.id, one.changed.id, "changed")
        if progress is not None:
            progress(report)
    if delete_files is not None:
        async for ids in run.iter_left(app_ids):
            await delete_files(ids)
            report.files += await store.write(partial(_forget, ids))
            if progress is not None:
                progress(report)
    return report


def check_share(plan: StoreRetention, max_share: float) -> None:
    """Make sure that no more goes than is meant.

    Raises:
        RetentionError: It would.
    """
    if plan.share > max_share:
        raise RetentionError(
            f"the rules would delete {plan.candidates} of {plan.total} conversations, more than the share "
            f"{max_share:g} that one run may delete; look at the preview, then raise max_share"
        )


class _Run:
    """One look through the store."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        rules: Sequence[RetentionRule],
        organization_id: str | None,
        report: StoreRetention,
        *,
        keep_annotated: bool,
    ) -> None:
        self._store = store
        self._archive = archive
        self._vault = archive.vault
        self._redactor = archive.redactor
        self._rules = rules
        self._organization_id = organization_id
        self._report = report
        self._keep_annotated = keep_annotated

    async def iter(self, app_ids: Sequence[str] | None) -> AsyncIterator[tuple[StoredApp, list[_Proven]]]:
        """Conversations that may go, some at a time."""
        ages = [rule.keep_days for rule in self._rules if rule.keep_days is not None]
        await asyncio.to_thread(self._check_holds)
        for app in await self._apps(app_ids):
            self._report.total += await self._store.read(partial(_count, app.id))
            if not ages:
                continue
            after: tuple[int, str] | None = None
            bound = self._vault.clock.now() - timedelta(days=min(ages))
            while True:
                idle = await self._store.read(partial(_list_idle, app.id, bound, after))
                if not idle:
                    break
                after = (idle[-1].at, idle[-1].id)
                proven = await self._prove(app, idle)
                self._report.candidates += len(proven)
                self._report.messages += sum(one.row.messages for one in proven)
                self._report.runs += sum(one.runs for one in proven)
                self._report.size_bytes += sum(one.size_bytes for one in proven)
                yield app, proven

    def note(self, proven: Sequence[_Proven]) -> list[_Proven]:
        """Write down what is about to go, all but what has been put on hold meanwhile; what that is."""
        with self._vault.mutex:
            holds = list_holds(self._vault)
            free = [one for one in proven if not self._is_held(one.row, holds)]
            self._archive.audit_log.append([one.line for one in free])
        for one in proven:
            if one not in free:
                self._report.keep(one.row.app_id, one.row.id, "on hold")
        return free

    async def iter_left(self, app_ids: Sequence[str] | None) -> AsyncIterator[list[str]]:
        """Ids of files, some at a time, whose conversation is gone and whose bytes the archive has."""
        for app in await self._apps(app_ids):
            after: str | None = None
            while left := await self._store.read(partial(_list_left, app.id, after)):
                after = left[-1].id
                proven = await asyncio.to_thread(self._prove_files, left)
                if proven:
                    yield proven

    async def _apps(self, app_ids: Sequence[str] | None) -> list[StoredApp]:
        found = await self._store.read(changes.list_apps)
        return [app for app in found if app_ids is None or app.id in app_ids]

    def _check_holds(self) -> None:
        with self._vault.mutex:
            check_holds(self._vault, self._archive.audit_log)

    def _is_held(self, row: Entry, holds: Sequence[Hold]) -> bool:
        return any(hold.covers(self._organization_id, row) for hold in holds)

    def _folder(self) -> str:
        organization = self._organization_id
        return encode_name(organization, "organization_id") if organization else ""

    def _prove_files(self, left: Sequence[StoredFile]) -> list[str]:
        """Those that a conversation of the archive shows, with their very bytes."""
        holds = list_holds(self._vault)
        shown: dict[str, dict[str, FileRef]] = {}
        proven = []
        for file in left:
            id = file.conversation_id or ""
            if id not in shown:
                shown[id] = self._files_of(id, holds)
            ref = shown[id].get(file.id)
            if ref is not None and ref == FileRef(file.sha256, file.size):
                proven += [file.id] if self._vault.shelf.is_whole(self._folder(), ref) else []
        return proven

    def _files_of(self, id: str, holds: Sequence[Hold]) -> dict[str, FileRef]:
        """The files that an archived conversation shows, by the server's ids; none when it is on hold."""
        try:
            day = self._vault.locate("conversations", self._folder(), id)
            entry = None if day is None else self._vault.find_entry(day, id)
            if day is None or entry is None or self._is_held(entry, holds):
                return {}
            found = Conversation.parse(decode_object(self._vault.read(day, entry), entry.file))
        except (DamagedFileError, BadJsonError, InvalidRequestError):
            return {}
        return {
            str(one.record.get("upload_file_id")): one.ref
            for one in iter_attachments(found)
            if one.ref is not None
        }

    async def _prove(self, app: StoredApp, idle: Sequence[Changed]) -> list[_Proven]:
        def read(connection: Connection) -> dict[str, tuple[Loaded, bool]]:
            found = read_whole(connection, app.id, [one.id for one in idle])
            return {
                id: (archived(whole), any(one.run.status in _UNFINISHED for one in whole.runs))
                for id, whole in found.items()
            }

        stored = await self._store.read(read)
        return await asyncio.to_thread(self._compare, app, idle, stored)

    def _compare(
        self,
        app: StoredApp,
        idle: Sequence[Changed],
        stored: dict[str, tuple[Loaded, bool]],
    ) -> list[_Proven]:
        proven = []
        holds = list_holds(self._vault)
        for changed in idle:
            if changed.id not in stored:
                continue
            loaded, is_running = stored[changed.id]
            assert loaded.conversation is not None
            conversation = self._clean(loaded.conversation)
            now = self._vault.clock.now()
            row, _ = describe_conversation(conversation, render_instant(now))
            rule = next((one for one in self._rules if one.fits(self._organization_id, row)), None)
            if rule is None or rule.keep_days is None:
                continue
            bound = now - timedelta(days=rule.keep_days)
            if changed.at >= int(bound.timestamp() * 1_000_000):
                continue
            found = self._find(conversation, row, loaded.runs)
            if self._is_held(row, holds):
                self._report.keep(app.id, changed.id, "on hold")
            elif self._keep_annotated and any("annotation" in one for one in conversation.messages):
                self._report.keep(app.id, changed.id, "annotated")
            elif is_running:
                self._report.keep(app.id, changed.id, "still running")
            elif isinstance(found, str):
                self._report.keep(app.id, changed.id, found)
            else:
                day, entry, size, shows_files = found
                line = _line(day, entry, rule)
                proven.append(_Proven(changed, row, line, len(loaded.runs), size, shows_files))
        return proven

    def _find(
        self, conversation: Conversation, row: Entry, runs: Sequence[RunRecord]
    ) -> tuple[Day, Entry, int, bool] | Why:
        """Where the archive has exactly this, read back, or why it has not.

        Also its bytes with those of the runs, and whether it shows any files.
        """
        try:
            folder = self._folder()
            day = self._vault.locate("conversations", folder, conversation.id)
            entry = None if day is None else self._vault.find_entry(day, conversation.id)
            if day is None or entry is None:
                return "not archived"
            data = self._vault.read(day, entry)
            noted = Conversation.parse(decode_object(data, entry.file))
            # What the archive noted of files is its own; the store knows nothing of it.
            if _digest(without_notes(noted)) != row.content_sha256:
                return "archive is behind"
            size = len(data)
            for run in runs:
                place = self._vault.locate("runs", folder, run.id)
                found = None if place is None else self._vault.find_entry(place, run.id)
                if place is None or found is None:
                    return "not archived"
                data = self._vault.read(place, found)
                size += len(data)
                held = RunRecord.parse(decode_object(data, found.file))
                if _run_digest(held) != _run_digest(self._clean_run(run)):
                    return "archive is behind"
        except (DamagedFileError, BadJsonError, InvalidRequestError):
            return "archive is damaged"
        return day, entry, size, any(True for _ in iter_attachments(noted))

    def _clean(self, conversation: Conversation) -> Conversation:
        clean = _redacted(self._redactor, conversation)
        return clean.within(self._organization_id)

    def _clean_run(self, run: RunRecord) -> RunRecord:
        clean = run if self._redactor is None else self._redactor.run(run)
        return clean.within(self._organization_id)


def _remove(app_id: str, proven: Sequence[_Proven], connection: Connection) -> list[str]:
    for one in proven:
        if one.shows_files:
            files.take_along(connection, app_id, one.changed.id)
    return changes.remove(connection, app_id, [one.changed for one in proven])


def _forget(ids: Sequence[str], connection: Connection) -> int:
    return files.delete_many(connection, ids)


def _list_left(app_id: str, after: str | None, connection: Connection) -> tuple[StoredFile, ...]:
    return files.list_left(connection, app_id, after, limit=AT_ONCE)


def _count(app_id: str, connection: Connection) -> int:
    return changes.count(connection, app_id)


def _list_idle(
    app_id: str, bound: datetime, after: tuple[int, str] | None, connection: Connection
) -> list[Changed]:
    return changes.list_idle(connection, app_id, bound, after, limit=AT_ONCE)


def _redacted(redactor: Redactor | None, conversation: Conversation) -> Conversation:
    return conversation if redactor is None else redactor.conversation(conversation)


def _digest(conversation: Conversation) -> str:
    fields = {name: value for name, value in conversation.fields.items() if name != "logged_at"}
    entry, _ = describe_conversation(Conversation(fields), render_instant(conversation.created_at))
    return entry.content_sha256


def _run_digest(run: RunRecord) -> str:
    fields = {name: value for name, value in run.fields.items() if name != "logged_at"}
    return describe_run(RunRecord(fields), render_instant(run.created_at))[0].content_sha256


def _line(day: Day, entry: Entry, rule: RetentionRule) -> AuditLine:
    return AuditLine(
        at="",
        action="delete-from-store",
        path=f"{day.path}/{entry.file}",
        id=entry.id,
        organization_id=day.organization_id,
        sha256=entry.sha256,
        reason=f"retention rule {rule.name!r}",
        previous="",
    )

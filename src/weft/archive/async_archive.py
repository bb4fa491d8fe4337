"""The front door of the archive for asynchronous code: the same methods, in a bounded number of threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from weft.archive.archive import MAX_SHARE, SEALED_AFTER_DAYS, Archive
from weft.archive.attachment import FileRef
from weft.archive.audit import AuditLine
from weft.archive.bucket import Bucket, Copied
from weft.archive.catalogue import DayRow
from weft.archive.conversation import Conversation
from weft.archive.export import ExportStream, Totals
from weft.archive.fetching import FileRules
from weft.archive.file_system import FileSystem
from weft.archive.guide import (
    CleanResult,
    ExportedLogs,
    LogsSummary,
    SaveFilters,
    SaveResult,
    ScheduledApp,
    ScheduledResult,
    save_result,
    scheduled_result,
)
from weft.archive.hold import Hold
from weft.archive.importing import Imported
from weft.archive.index import (
    LIMIT,
    MAX_ROWS,
    TIMEOUT_SECONDS,
    By,
    Order,
    SearchPage,
    SqlResult,
    Statistics,
)
from weft.archive.manifest import Entry
from weft.archive.place import Day, Kind
from weft.archive.pull import PullOptions, PullProgress, PullReport, pull
from weft.archive.query import Count, Query
from weft.archive.redaction import Redactor
from weft.archive.report import PullNote, Report, ReportPeriod
from weft.archive.retention import RetentionPlan, RetentionReport, RetentionRule
from weft.archive.revealing import Revealed
from weft.archive.run_record import RunRecord
from weft.archive.saving import Saved
from weft.archive.sealing import Packed
from weft.archive.source import Source
from weft.archive.verify import Depth, VerifyReport
from weft.clock import Clock
from weft.errors import WeftError

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 8
"""Calls of one archive that are in worker threads at the same time; the others wait."""
TAKEN_AT_ONCE = 64
"""Items that a worker thread brings at once when an iterator is read."""


class AsyncExport:
    """Iterate for the bytes; `cursor` and `totals` are true for all that was given so far."""

    def __init__(self, archive: AsyncArchive, stream: ExportStream) -> None:
        self.stream = stream
        self._archive = archive

    @property
    def totals(self) -> Totals:
        """What the export holds so far."""
        return self.stream.totals

    @property
    def cursor(self) -> str | None:
        """Where to continue."""
        return self.stream.cursor

    @property
    def offset(self) -> int:
        """Bytes of the export so far."""
        return self.stream.offset

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = iter(self.stream)
        while (chunk := await self._archive.call(next, chunks, None)) is not None:
            yield chunk


class AsyncArchive:
    """`Archive` for asynchronous code; the methods have the same names and do the same."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        """The same archive for code that is not asynchronous."""
        self._limiter = asyncio.Semaphore(THREADS)

    @classmethod
    async def open(
        cls,
        root: Path,
        *,
        clock: Clock | None = None,
        redactor: Redactor | None = None,
        file_rules: FileRules | None = None,
        secret_key: str | None = None,
        stable_tokens: bool = False,
        read_only: bool = False,
        file_system: FileSystem | None = None,
    ) -> AsyncArchive:
        """Open, or make, the archive in ``root/logs``; see `Archive.open`."""
        opened = await asyncio.to_thread(
            Archive.open,
            root,
            clock=clock,
            redactor=redactor,
            file_rules=file_rules,
            secret_key=secret_key,
            stable_tokens=stable_tokens,
            read_only=read_only,
            file_system=file_system,
        )
        return cls(opened)

    @property
    def root(self) -> Path:
        """The folder that holds ``logs``."""
        return self.archive.root

    async def close(self) -> None:
        """Write the catalogue and let the lock go."""
        await self.call(self.archive.close)

    async def __aenter__(self) -> AsyncArchive:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of the archive in a worker thread, at most `THREADS` at the same time."""
        async with self._limiter:
            return await asyncio.to_thread(function, *args, **kwargs)

    async def _iterate(self, items: Iterator[T]) -> AsyncIterator[T]:
        while batch := await self.call(_take, items):
            for item in batch:
                yield item

    # The operations of the guide

    async def save_conversations_with_messages(
        self, source: Source, filters: SaveFilters | None = None, organization_id: str | None = None
    ) -> SaveResult:
        """Save a source's conversations, those that match the filters.

        Without filters it goes on where the last complete save of this source stopped.

        Raises:
            ArchiveError: The archive cannot be written to; what was durable stays so.
        """
        report = await pull(
            source,
            self.archive,
            clock=self.archive.vault.clock,
            query=None if filters is None else filters.query(),
            organization_id=organization_id,
            with_paths=True,
        )
        return save_result(report)

    async def get_logs_summary(self, organization_id: str | None = None) -> LogsSummary:
        """How many files there are, how large, and in which day folders; no conversation is opened.

        Args:
            organization_id: None means the whole archive.
        """
        return await self.call(self.archive.get_logs_summary, organization_id)

    async def export_logs_for_date_range(
        self, start: date | datetime, end: date | datetime, organization_id: str | None = None
    ) -> ExportedLogs:
        """All conversations that were created in this range, both ends included, in memory at once.

        `export` streams any number.

        Raises:
            DamagedFileError: A file is not what was written.
        """
        return await self.call(self.archive.export_logs_for_date_range, start, end, organization_id)

    async def clean_old_logs(
        self,
        days_to_keep: float,
        organization_id: str | None = None,
        *,
        max_share: float = 1.0,
        trust_clock: bool = False,
    ) -> CleanResult:
        """Delete conversations whose last activity is older, except for those on hold.

        Args:
            organization_id: None means the whole archive.
            trust_clock: Go on although the clock is more than a year ahead of everything in the archive.

        Raises:
            RetentionError: Refused; nothing was deleted.
        """
        return await self.call(
            self.archive.clean_old_logs,
            days_to_keep,
            organization_id,
            max_share=max_share,
            trust_clock=trust_clock,
        )

    async def save_scheduled(
        self,
        apps: Sequence[ScheduledApp],
        open_source: Callable[[ScheduledApp], Source],
        filters: SaveFilters | None = None,
    ) -> list[ScheduledResult]:
        """Save several apps; what happens to one does not stop the others.

        Args:
            open_source: Gives the source that reads an app.

        Raises:
            ArchiveReadOnlyError: The archive is open for reading.
        """
        self.archive.vault.check_writable()
        results = []
        for app in apps:
            outcome: SaveResult | str
            try:
                outcome = await self.save_conversations_with_messages(
                    open_source(app), filters, app.organization_id
                )
            except WeftError as error:
                outcome = f"{type(error).__name__}: {error}"
            results.append(scheduled_result(app, outcome))
        return results

    # Conversations and runs

    async def save(self, conversations: Iterable[Conversation], organization_id: str | None = None) -> Saved:
        """Store conversations; when this returns they are on the disk.

        A changed conversation takes the place of its earlier version; the same content writes nothing. One
        that cannot be stored is in `Saved.failed`, and the others are stored.

        Raises:
            ArchiveError: The disk is full, or refuses; batches that were complete stay.
        """
        return await self.call(self.archive.save, conversations, organization_id)

    async def save_runs(self, runs: Iterable[RunRecord], organization_id: str | None = None) -> Saved:
        """Store workflow runs; when this returns they are on the disk.

        Raises:
            ArchiveError: The disk is full, or refuses; batches that were complete stay.
        """
        return await self.call(self.archive.save_runs, runs, organization_id)

    async def pull(
        self,
        source: Source,
        *,
        options: PullOptions | None = None,
        progress: Callable[[PullProgress], None] | None = None,
        query: Query | None = None,
        organization_id: str | None = None,
    ) -> PullReport:
        """Copy what is new or changed at a source; see `weft.archive.pull`.

        Raises:
            ArchiveError: The archive cannot be written to; what was durable stays so.
        """
        return await pull(
            source,
            self.archive,
            clock=self.archive.vault.clock,
            options=options,
            progress=progress,
            query=query,
            organization_id=organization_id,
        )

    async def find(self, conversation_id: str, organization_id: str | None = None) -> Conversation | None:
        """The conversation of that id, or none.

        Args:
            organization_id: None means those without an organisation.

        Raises:
            DamagedFileError: Its file is not what was written.
        """
        return await self.call(self.archive.find, conversation_id, organization_id)

    async def get(self, conversation_id: str, organization_id: str | None = None) -> Conversation:
        """The conversation of that id.

        Raises:
            NotFoundError: There is none.
            DamagedFileError: Its file is not what was written.
        """
        return await self.call(self.archive.get, conversation_id, organization_id)

    async def read_file(self, ref: FileRef, organization_id: str | None = None) -> bytes:
        """The bytes of an attached file, proven; `iter_attachments` gives those of a conversation.

        Args:
            ref: What is wanted.
            organization_id: Of the conversation; None means those without an organisation.

        Raises:
            DamagedFileError: They are absent, or not what was written.
        """
        return await self.call(self.archive.read_file, ref, organization_id)

    async def find_run(self, run_id: str, organization_id: str | None = None) -> RunRecord | None:
        """The run of that id with its node executions, or none."""
        return await self.call(self.archive.find_run, run_id, organization_id)

    async def iter_conversations(self, query: Query | None = None) -> AsyncIterator[Conversation]:
        """Conversations that match, in order of organisation, day, creation and id.

        Raises:
            DamagedFileError: A file is not what was written.
        """
        async for item in self._iterate(self.archive.iter_conversations(query)):
            yield item

    async def iter_entries(
        self, query: Query | None = None, kind: Kind = "conversations"
    ) -> AsyncIterator[tuple[Day, Entry]]:
        """Day and row of what matches, from manifests alone; what an index or statistics are made from."""
        async for item in self._iterate(self.archive.iter_entries(query, kind)):
            yield item

    async def count(self, query: Query | None = None) -> Count:
        """How much matches, from manifests alone."""
        return await self.call(self.archive.count, query)

    async def rows(
        self, kind: Kind = "conversations", organization_id: str | None = None
    ) -> dict[Day, DayRow]:
        """Sums for each day folder, from the catalogue alone, in order.

        Args:
            organization_id: None means the whole archive.
        """
        return await self.call(self.archive.rows, kind, organization_id)

    # Out and in

    async def export(self, format: str, query: Query | None = None, cursor: str | None = None) -> AsyncExport:
        """Everything that matches, as a stream of bytes in a format of `FORMATS`.

        Args:
            cursor: `ExportStream.cursor` of an export that was broken off.

        Raises:
            ConfigError: There is no such format, or a package that it needs is absent.
            ExportError: The cursor is of another export.
        """
        return AsyncExport(self, await self.call(self.archive.export, format, query, cursor))

    async def export_to_file(
        self, format: str, path: Path, query: Query | None = None, cursor: str | None = None
    ) -> Totals:
        """Everything that matches, in a file; its totals in ``<file>.totals.json``.

        Raises:
            ConfigError: There is no such format, or a package that it needs is absent.
            ExportError: The cursor is of another export.
        """
        return await self.call(self.archive.export_to_file, format, path, query, cursor)

    async def import_archive(self, other: AsyncArchive, query: Query | None = None) -> Imported:
        """Take in what matches from another archive; files get the same names and bytes as there.

        A conversation that is here already in a later version stays as it is.
        """
        return await self.call(self.archive.import_archive, other.archive, query)

    async def import_folder(self, path: Path, organization_id: str | None = None) -> Imported:
        """Take in a file or a folder of exports; what bears ``logged_at`` gets the bytes that it had."""
        return await self.call(self.archive.import_folder, path, organization_id)

    # Keeping and deleting

    async def preview_retention(
        self, rules: Sequence[RetentionRule], organization_id: str | None = None
    ) -> RetentionPlan:
        """What `apply_retention` would delete at this moment."""
        return await self.call(self.archive.preview_retention, rules, organization_id)

    async def apply_retention(
        self,
        rules: Sequence[RetentionRule],
        *,
        max_share: float = MAX_SHARE,
        organization_id: str | None = None,
        trust_clock: bool = False,
    ) -> RetentionReport:
        """Delete whole conversations by rule, with their runs; see `weft.archive.retention`.

        Raises:
            RetentionError: More than `max_share` would go, or the clock seems wrong; nothing was deleted.
        """
        return await self.call(
            self.archive.apply_retention,
            rules,
            max_share=max_share,
            organization_id=organization_id,
            trust_clock=trust_clock,
        )

    async def place_hold(self, hold: Hold) -> Hold:
        """Exempt conversations from retention until the hold is released."""
        return await self.call(self.archive.place_hold, hold)

    async def release_hold(self, id: str) -> Hold:
        """Let retention have what only this hold exempts."""
        return await self.call(self.archive.release_hold, id)

    async def list_holds(self) -> list[Hold]:
        """The holds in force."""
        return await self.call(self.archive.list_holds)

    async def iter_audit_lines(self) -> AsyncIterator[AuditLine]:
        """Every deletion and every hold, oldest first, proven.

        Raises:
            DamagedFileError: A line was changed, dropped or put in.
        """
        async for item in self._iterate(self.archive.iter_audit_lines()):
            yield item

    async def reveal(self, what: str, organization_id: str | None = None, *, reason: str) -> Revealed:
        """What redaction masked: the text behind one token, or a whole conversation as it was said.

        The audit log says who asked for what and why before anything is shown.

        Args:
            what: A token such as ``[EMAIL:...]``, or the id of a conversation.
            organization_id: Of the conversation; None means those without one, or any for a token.
            reason: For the audit log.

        Raises:
            ConfigError: The archive was opened without a key.
            NotFoundError: There is no such conversation, or nothing is kept for the token.
            DamagedFileError: What is kept is not what was written.
            ArchiveReadOnlyError: The archive is open for reading.
        """
        return await self.call(self.archive.reveal, what, organization_id, reason=reason)

    # Searching and counting

    async def search(
        self,
        text: str,
        query: Query | None = None,
        *,
        order: Order = "newest",
        limit: int = LIMIT,
        cursor: str | None = None,
        snippets: bool = True,
        fresh: bool = True,
    ) -> SearchPage:
        """Messages in which something is found; the language is described in `weft.archive.index.parser`.

        The search index is brought up to date first, or made, when the archive is open for writing.

        Args:
            query: Further filters; start, end, user, source and rating are those of the message.
            order: ``relevance`` puts the best of the newest 1,000 matches first.
            limit: Messages of a page, 1 to 200.
            cursor: `SearchPage.cursor` of the page before.
            snippets: Read the conversations for the pieces in which something was found.
            fresh: False asks the index as it is; `SearchPage.days_behind` says what it lacks.

        Raises:
            InvalidRequestError: The text, limit, order or cursor is wrong; the message says what to change.
            ArchiveError: There is no index, or it cannot be written.
        """
        return await self.call(
            self.archive.search,
            text,
            query,
            order=order,
            limit=limit,
            cursor=cursor,
            snippets=snippets,
            fresh=fresh,
        )

    async def statistics(
        self, query: Query | None = None, *, by: By | None = None, zone: str = "UTC", fresh: bool = True
    ) -> Statistics:
        """Messages, conversations, users, tokens, costs, errors, ratings and latencies of a selection.

        The search index is brought up to date first, or made, when the archive is open for writing.

        Args:
            query: As for `search`; dates are days of `zone`.
            by: Figures for each of these as well.
            zone: Where days, weeks and months begin, e.g. ``Europe/Berlin``.
            fresh: False asks the index as it is; `Statistics.days_behind` says what it lacks.

        Raises:
            InvalidRequestError: `by` or `zone` is unknown.
            ArchiveError: There is no index, or it cannot be written.
        """
        return await self.call(self.archive.statistics, query, by=by, zone=zone, fresh=fresh)

    async def sql(
        self,
        statement: str,
        values: Sequence[object] = (),
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_rows: int = MAX_ROWS,
    ) -> SqlResult:
        """Ask DuckDB about the table ``messages``, a row for each; needs the extra ``analytics``.

        Args:
            statement: One SELECT; ``?`` stands for a value.
            timeout_seconds: After so long the statement is stopped.
            max_rows: What is more is left out, and `SqlResult.is_cut` says so.

        Raises:
            ConfigError: The extra is not installed.
            InvalidRequestError: It is not one SELECT, or DuckDB does not accept it.
            QueryTimeoutError: It took too long.
        """
        return await self.call(
            self.archive.sql, statement, values, timeout_seconds=timeout_seconds, max_rows=max_rows
        )

    async def report(
        self,
        period: ReportPeriod | None = None,
        *,
        zone: str = "UTC",
        organization_id: str | None = None,
        excerpts: bool = False,
        verify: Depth | None = "structure",
        pulls: Sequence[PullNote] = (),
        fresh: bool = True,
    ) -> Report:
        """What happened in a period; see `Archive.report`."""
        return await self.call(
            self.archive.report,
            period,
            zone=zone,
            organization_id=organization_id,
            excerpts=excerpts,
            verify=verify,
            pulls=pulls,
            fresh=fresh,
        )

    # Care

    async def verify(
        self, depth: Depth = "bytes", *, budget_seconds: float | None = None, rotate: bool = False
    ) -> VerifyReport:
        """Prove that the archive is what was written into it; see `weft.archive.verify`."""
        return await self.call(self.archive.verify, depth, budget_seconds=budget_seconds, rotate=rotate)

    async def rebuild(self, day: Day) -> list[str]:
        """Make the manifest of a day anew from the files that are there, trusting them.

        Returns:
            The files that it lists now.
        """
        return await self.call(self.archive.rebuild, day)

    async def compress_sealed_days(self, after_days: float = SEALED_AFTER_DAYS) -> Packed:
        """Pack the files of days that ended so long ago; readers see no difference."""
        return await self.call(self.archive.compress_sealed_days, after_days)

    async def copy_to_bucket(self, bucket: Bucket, after_days: float = SEALED_AFTER_DAYS) -> Copied:
        """Copy days that ended so long ago into an object store, each object read back.

        What was deleted here, and only what the audit log says was, is deleted there too.

        Raises:
            BucketError: The store refused, or gave back something else; run it again.
        """
        return await self.call(self.archive.copy_to_bucket, bucket, after_days)

    async def restore_from_bucket(self, bucket: Bucket, query: Query | None = None) -> Imported:
        """Take in what matches from the copy in an object store, every byte proven against its manifests.

        Files get the same names and bytes as there; what is here already in a later version stays as it is.

        Raises:
            BucketError: The store refused; what was stored until then stays, run it again.
            ArchiveError: There is no archive in the bucket, or this one cannot be written to.
        """
        return await self.call(self.archive.restore_from_bucket, bucket, query)


def _take(items: Iterator[T]) -> list[T]:
    return [item for item, _ in zip(items, range(TAKEN_AT_ONCE), strict=False)]

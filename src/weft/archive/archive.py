"""The front door of the archive for code that is not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType

from weft.archive.attachment import FileRef
from weft.archive.audit import AuditLine, AuditLog
from weft.archive.bucket import Bucket, Copied
from weft.archive.bucket_archive import restore_from_bucket
from weft.archive.bucket_copying import copy_days
from weft.archive.catalogue import DayRow
from weft.archive.conversation import Conversation
from weft.archive.export import ExportStream, Totals, export_to_file, open_export
from weft.archive.fetching import FileRules
from weft.archive.file_system import FileSystem
from weft.archive.folder_source import FolderSource
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
from weft.archive.hold import Hold, list_holds, place_hold, release_hold
from weft.archive.importing import Imported, import_archive, import_folder
from weft.archive.index import (
    LIMIT,
    MAX_ROWS,
    TIMEOUT_SECONDS,
    ArchiveIndex,
    By,
    Order,
    SearchPage,
    SqlResult,
    Statistics,
)
from weft.archive.json_text import decode_object
from weft.archive.manifest import Entry
from weft.archive.name import encode_name
from weft.archive.place import PACKED, Day, Kind
from weft.archive.pull import PullOptions, PullProgress, PullReport, pull
from weft.archive.query import Count, Query, count, iter_entries
from weft.archive.redaction import Redactor
from weft.archive.report import PullNote, Report, ReportPeriod, last_full_week, make_report
from weft.archive.retention import (
    RetentionPlan,
    RetentionReport,
    RetentionRule,
    apply_retention,
    preview_retention,
)
from weft.archive.revealing import Revealed, reveal
from weft.archive.run_record import RunRecord
from weft.archive.saving import Saved, Saver, save_all
from weft.archive.sealing import Packed, compress_sealed_days, sealed_days
from weft.archive.secret_book import SecretBook
from weft.archive.source import Source
from weft.archive.vault import Vault
from weft.archive.verify import Depth, VerifyReport, verify_archive
from weft.clock import Clock, SystemClock
from weft.errors import ArchiveError, ConfigError, NotFoundError, WeftError

MAX_SHARE = 0.2
"""Share of the conversations that one run of retention may delete if nothing else is said."""
SEALED_AFTER_DAYS = 7.0
"""Days after its end until a day is taken to be sealed."""


class Archive:
    """Conversations on disk, each in one file that anybody can read.

    Methods may be called from several threads; one at a time changes anything. Paths in results are relative
    to `root` and have slashes.

    ::

        with Archive.open(Path("data")) as archive:
            archive.save([Conversation.parse(record)])
            print(archive.get_logs_summary().total_files)
    """

    def __init__(
        self, vault: Vault, redactor: Redactor | None = None, file_rules: FileRules | None = None
    ) -> None:
        self.vault = vault
        """The files; for other parts of this room."""
        self.redactor = redactor
        """What is taken out of everything before it is stored; none takes out nothing."""
        self.file_rules = file_rules
        """Which attached files a pull brings along; none keeps what is known of them only."""
        self.index = ArchiveIndex(vault)
        """What `search` and `statistics` ask."""
        self._secrets: SecretBook | None = None
        self._audit = AuditLog(vault)
        self.audit_log = self._audit
        """What was deleted; for other parts of this room, since only one may append to it."""

    @classmethod
    def open(
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
    ) -> Archive:
        """Open, or make, the archive in ``root/logs``; what a killed writer left is put in order.

        Args:
            root: A folder; it is made when absent.
            clock: The machine's own when left out.
            redactor: Takes personal data and secrets out of everything before it is stored.
            file_rules: Which attached files a pull brings along; none keeps what is known of them only.
            secret_key: Keeps what the redactor takes out, encrypted, and reveals it; see
                `weft.archive.secret_book`. None takes it out for good.
            stable_tokens: With a key, give the same text the same token in all conversations.
            read_only: Needs no lock, so that any number of processes may read beside the one that writes.

        Raises:
            ArchiveLockedError: Another process writes to it.
            ArchiveVersionError: A newer program made it.
            ArchiveReadOnlyError: This user may not write there.
            WrongKeyError: The archive's secrets were written with another key.
            ConfigError: The key is too short, or the package ``cryptography`` is not installed.
        """
        vault = Vault(root, clock=clock or SystemClock(), files=file_system, read_only=read_only)
        vault.open()
        archive = cls(vault, redactor, file_rules)
        try:
            if secret_key is not None:
                archive._keep_secrets(secret_key, stable=stable_tokens)
            if not read_only:
                archive._audit.mend()
        except BaseException:
            vault.abandon()
            raise
        return archive

    def _keep_secrets(self, key: str, *, stable: bool) -> None:
        vault = self.vault
        self._secrets = SecretBook(vault.secrets, vault, key, stable=stable, is_writer=not vault.read_only)
        if self.redactor is not None:
            self.redactor = self.redactor.with_tokens(self._secrets)

    @property
    def root(self) -> Path:
        """The folder that holds ``logs``."""
        return self.vault.root

    def close(self) -> None:
        """Write the catalogue and let the lock go."""
        self.index.close()
        self.vault.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The operations of the guide

    def save_conversations_with_messages(
        self, source: Source, filters: SaveFilters | None = None, organization_id: str | None = None
    ) -> SaveResult:
        """Save a source's conversations, those that match the filters.

        Without filters it goes on where the last complete save of this source stopped.

        Raises:
            ArchiveError: The archive cannot be written to; what was durable stays so.
            RuntimeError: An event loop runs in this thread; use `AsyncArchive`.
        """
        query = None if filters is None else filters.query()
        report = asyncio.run(
            pull(
                source,
                self,
                clock=self.vault.clock,
                query=query,
                organization_id=organization_id,
                with_paths=True,
            )
        )
        return save_result(report)

    def get_logs_summary(self, organization_id: str | None = None) -> LogsSummary:
        """How many files there are, how large, and in which day folders; no conversation is opened.

        Args:
            organization_id: None means the whole archive.
        """
        rows = self.rows("conversations", organization_id)
        return LogsSummary(
            success=True,
            total_files=sum(row.totals.files for row in rows.values()),
            total_size_bytes=sum(row.totals.stored_bytes for row in rows.values()),
            directories=[day.path for day in rows],
        )

    def export_logs_for_date_range(
        self, start: date | datetime, end: date | datetime, organization_id: str | None = None
    ) -> ExportedLogs:
        """All conversations that were created in this range, both ends included, in memory at once.

        `export` streams any number.

        Raises:
            DamagedFileError: A file is not what was written.
        """
        query = Query(organization_id=organization_id, start=start, end=end)
        conversations = [conversation.fields for conversation in self.iter_conversations(query)]
        return ExportedLogs(success=True, count=len(conversations), conversations=conversations)

    def clean_old_logs(
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
        rule = RetentionRule(name=f"older than {days_to_keep:g} days", keep_days=days_to_keep)
        report = self.apply_retention(
            [rule], max_share=max_share, organization_id=organization_id, trust_clock=trust_clock
        )
        return CleanResult(
            success=not report.damaged,
            message=f"Deleted logs older than {days_to_keep:g} days"
            + (f"; {len(report.damaged)} damaged files were left" if report.damaged else ""),
            deleted_files=report.deleted,
            deleted_size_bytes=report.deleted_bytes,
        )

    def save_scheduled(
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
        self.vault.check_writable()
        results = []
        for app in apps:
            outcome: SaveResult | str
            try:
                outcome = self.save_conversations_with_messages(
                    open_source(app), filters, app.organization_id
                )
            except WeftError as error:
                outcome = f"{type(error).__name__}: {error}"
            results.append(scheduled_result(app, outcome))
        return results

    # Conversations and runs

    def save(self, conversations: Iterable[Conversation], organization_id: str | None = None) -> Saved:
        """Store conversations; when this returns they are on the disk.

        A changed conversation takes the place of its earlier version; the same content writes nothing. One
        that cannot be stored is in `Saved.failed`, and the others are stored.

        Raises:
            ArchiveError: The disk is full, or refuses; batches that were complete stay.
        """
        saver = Saver(self.vault, self.redactor)
        return save_all(saver, (item.within(organization_id) for item in conversations))

    def save_runs(self, runs: Iterable[RunRecord], organization_id: str | None = None) -> Saved:
        """Store workflow runs; when this returns they are on the disk.

        Raises:
            ArchiveError: The disk is full, or refuses; batches that were complete stay.
        """
        saver = Saver(self.vault, self.redactor)
        return save_all(saver, (run.within(organization_id) for run in runs))

    def pull(
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
            RuntimeError: An event loop runs in this thread; use `AsyncArchive`.
        """
        return asyncio.run(
            pull(
                source,
                self,
                clock=self.vault.clock,
                options=options,
                progress=progress,
                query=query,
                organization_id=organization_id,
            )
        )

    def find(self, conversation_id: str, organization_id: str | None = None) -> Conversation | None:
        """The conversation of that id, or none.

        Args:
            organization_id: None means those without an organisation.

        Raises:
            DamagedFileError: Its file is not what was written.
        """
        data = self._find("conversations", conversation_id, organization_id)
        return None if data is None else Conversation(decode_object(data, conversation_id))

    def get(self, conversation_id: str, organization_id: str | None = None) -> Conversation:
        """The conversation of that id.

        Raises:
            NotFoundError: There is none.
            DamagedFileError: Its file is not what was written.
        """
        found = self.find(conversation_id, organization_id)
        if found is None:
            raise NotFoundError(
                f"there is no conversation {conversation_id!r}", kind="conversation", id=conversation_id
            )
        return found

    def read_file(self, ref: FileRef, organization_id: str | None = None) -> bytes:
        """The bytes of an attached file, proven; `iter_attachments` gives those of a conversation.

        Args:
            ref: What is wanted.
            organization_id: Of the conversation; None means those without an organisation.

        Raises:
            DamagedFileError: They are absent, or not what was written.
        """
        organization = "" if organization_id is None else encode_name(organization_id, "organization_id")
        return self.vault.shelf.read(organization, ref)

    def find_run(self, run_id: str, organization_id: str | None = None) -> RunRecord | None:
        """The run of that id with its node executions, or none."""
        data = self._find("runs", run_id, organization_id)
        return None if data is None else RunRecord(decode_object(data, run_id))

    def iter_conversations(self, query: Query | None = None) -> Iterator[Conversation]:
        """Conversations that match, in order of organisation, day, creation and id.

        Raises:
            DamagedFileError: A file is not what was written.
        """
        for day, entry in iter_entries(self.vault, query or Query()):
            path = f"{day.path}/{entry.file}"
            yield Conversation(decode_object(self.vault.read(day, entry), path))

    def iter_entries(
        self, query: Query | None = None, kind: Kind = "conversations"
    ) -> Iterator[tuple[Day, Entry]]:
        """Day and row of what matches, from manifests alone; what an index or statistics are made from."""
        return iter_entries(self.vault, query or Query(), kind=kind)

    def count(self, query: Query | None = None) -> Count:
        """How much matches, from manifests alone."""
        return count(self.vault, query or Query())

    def rows(self, kind: Kind = "conversations", organization_id: str | None = None) -> dict[Day, DayRow]:
        """Sums for each day folder, from the catalogue alone, in order.

        Args:
            organization_id: None means the whole archive.
        """
        organization = None if organization_id is None else encode_name(organization_id, "organization_id")
        rows = self.vault.rows()
        return {
            day: rows[day]
            for day in sorted(rows)
            if day.kind == kind and (organization is None or day.organization == organization)
        }

    # Out and in

    def export(self, format: str, query: Query | None = None, cursor: str | None = None) -> ExportStream:
        """Everything that matches, as a stream of bytes in a format of `FORMATS`.

        Args:
            cursor: `ExportStream.cursor` of an export that was broken off.

        Raises:
            ConfigError: There is no such format, or a package that it needs is absent.
            ExportError: The cursor is of another export.
        """
        return open_export(self.vault, query or Query(), format, cursor)

    def export_to_file(
        self, format: str, path: Path, query: Query | None = None, cursor: str | None = None
    ) -> Totals:
        """Everything that matches, in a file; its totals in ``<file>.totals.json``.

        Raises:
            ConfigError: There is no such format, or a package that it needs is absent.
            ExportError: The cursor is of another export.
        """
        return export_to_file(self.vault, query or Query(), format, path, cursor)

    def import_archive(self, other: Archive, query: Query | None = None) -> Imported:
        """Take in what matches from another archive; files get the same names and bytes as there.

        A conversation that is here already in a later version stays as it is.
        """
        saver = Saver(self.vault, self.redactor, keep_logged_at=True)
        with self.vault.mutex:
            return import_archive(saver, other.vault, query or Query())

    def import_folder(self, path: Path, organization_id: str | None = None) -> Imported:
        """Take in a file or a folder of exports; what bears ``logged_at`` gets the bytes that it had."""
        saver = Saver(self.vault, self.redactor, keep_logged_at=True)
        with self.vault.mutex:
            return import_folder(saver, FolderSource(path), organization_id)

    # Keeping and deleting

    def preview_retention(
        self, rules: Sequence[RetentionRule], organization_id: str | None = None
    ) -> RetentionPlan:
        """What `apply_retention` would delete at this moment."""
        return preview_retention(self.vault, rules, organization_id)

    def apply_retention(
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
        with self.vault.mutex:
            return apply_retention(
                self.vault,
                self._audit,
                rules,
                max_share=max_share,
                organization_id=organization_id,
                trust_clock=trust_clock,
            )

    def place_hold(self, hold: Hold) -> Hold:
        """Exempt conversations from retention until the hold is released."""
        with self.vault.mutex:
            return place_hold(self.vault, self._audit, hold)

    def release_hold(self, id: str) -> Hold:
        """Let retention have what only this hold exempts."""
        with self.vault.mutex:
            return release_hold(self.vault, self._audit, id)

    def list_holds(self) -> list[Hold]:
        """The holds in force."""
        return list_holds(self.vault)

    def iter_audit_lines(self) -> Iterator[AuditLine]:
        """Every deletion and every hold, oldest first, proven.

        Raises:
            DamagedFileError: A line was changed, dropped or put in.
        """
        return self._audit.iter()

    def reveal(self, what: str, organization_id: str | None = None, *, reason: str) -> Revealed:
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
        if self._secrets is None:
            raise ConfigError("nothing can be revealed without the key; set archive.redact_key")
        with self.vault.mutex:
            return reveal(self.vault, self._audit, self._secrets, what, organization_id, reason=reason)

    # Searching and counting

    def search(
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
        if fresh and not self.vault.read_only:
            self.index.refresh()
        return self.index.search(text, query, order=order, limit=limit, cursor=cursor, snippets=snippets)

    def statistics(
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
        if fresh and not self.vault.read_only:
            self.index.refresh()
        return self.index.statistics(query, by=by, zone=zone)

    def sql(
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
        return self.index.sql(statement, values, timeout_seconds=timeout_seconds, max_rows=max_rows)

    def report(
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
        """What happened in a period, compared with the one before; `render_html` makes a page of it.

        Args:
            period: The last full week of `zone`, Monday to Sunday, unless given.
            zone: Where weeks begin, e.g. ``Europe/Berlin``; without effect when a period is given.
            organization_id: Only this organisation's figures; None means the whole archive.
            excerpts: Quote questions and comments of answers that were not liked. They stay in the report
                when their conversation is deleted.
            verify: How deep to look at the archive, for a minute at most; None does not look.
            pulls: Pulls of the period, where somebody keeps account of them.
            fresh: False asks the search index as it is; `Report.days_behind` says what it lacks.

        Raises:
            InvalidRequestError: The zone is unknown.
            ArchiveError: There is no search index, or something cannot be read.
        """
        if fresh and not self.vault.read_only:
            self.index.refresh()
        return make_report(
            self.vault,
            self.index,
            self._audit,
            period or last_full_week(self.vault.clock.now(), zone),
            organization_id=organization_id,
            excerpts=excerpts,
            verify=verify,
            pulls=pulls,
        )

    # Care

    def verify(
        self, depth: Depth = "bytes", *, budget_seconds: float | None = None, rotate: bool = False
    ) -> VerifyReport:
        """Prove that the archive is what was written into it; see `weft.archive.verify`."""
        try:
            return verify_archive(
                self.vault, self._audit, depth, budget_seconds=budget_seconds, rotate=rotate
            )
        except OSError as error:
            raise ArchiveError(f"verifying {self.root}: {error}") from error

    def rebuild(self, day: Day) -> list[str]:
        """Make the manifest of a day anew from the files that are there, trusting them.

        Returns:
            The files that it lists now.
        """
        with self.vault.mutex:
            return self.vault.rebuild(day)

    def compress_sealed_days(self, after_days: float = SEALED_AFTER_DAYS) -> Packed:
        """Pack the files of days that ended so long ago; readers see no difference."""
        with self.vault.mutex:
            return compress_sealed_days(self.vault, after_days)

    def copy_to_bucket(self, bucket: Bucket, after_days: float = SEALED_AFTER_DAYS) -> Copied:
        """Copy days that ended so long ago into an object store, each object read back.

        What was deleted here, and only what the audit log says was, is deleted there too. What redaction
        masked goes along as it is kept, encrypted; its key does not.

        Raises:
            BucketError: The store refused, or gave back something else; run it again.
        """
        return copy_days(self.vault, bucket, sealed_days(self.vault, after_days), self._deleted)

    def restore_from_bucket(self, bucket: Bucket, query: Query | None = None) -> Imported:
        """Take in what matches from the copy in an object store, every byte proven against its manifests.

        Files get the same names and bytes as there; what is here already in a later version stays as it is.
        What redaction masked comes back with them where the copy has it; `Imported.masked` counts the others.

        Raises:
            BucketError: The store refused; what was stored until then stays, run it again.
            ArchiveError: There is no archive in the bucket, or this one cannot be written to.
        """
        saver = Saver(self.vault, self.redactor, keep_logged_at=True)
        with self.vault.mutex:
            return restore_from_bucket(saver, bucket, query or Query(), self._secrets)

    def _deleted(self) -> set[str]:
        """Paths of what was deleted here, as the audit log proves."""
        lines = self._audit.iter()
        return {line.path.removesuffix(PACKED) for line in lines if line.action == "delete"}

    def _find(self, kind: Kind, id: str, organization_id: str | None) -> bytes | None:
        organization = "" if organization_id is None else encode_name(organization_id, "organization_id")
        day = self.vault.locate(kind, organization, id)
        entry = None if day is None else self.vault.find_entry(day, id)
        return None if day is None or entry is None else self.vault.read(day, entry)

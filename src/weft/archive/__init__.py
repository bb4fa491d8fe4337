"""The conversation archive: whole conversations on disk, in files that anybody can read and prove.

`Archive` and `AsyncArchive` are the two faces of it. `Source` is the port through which conversations come
in, and `pull` drives any of them; `FolderSource` reads exported files.

On disk, below the root::

    logs/conversations/[organization_id/]YYYY/MM/DD/conversation_<id>_<timestamp>.json[.zst]
    logs/conversations/.../DD/manifest.json     a row with checksums and counts for each file
    logs/runs/[organization_id/]YYYY/MM/DD/run_<id>.json[.zst]
    logs/files/[organization_id/]ab/cd/<sha256>   the bytes of attached files, each once
    logs/.weft/                                 catalogue, journal, lock, cursors, holds, audit log, ...

This room leaves to others: servers to pull from, HTTP, schedules and the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from weft.archive.archive import Archive
from weft.archive.async_archive import AsyncArchive, AsyncExport
from weft.archive.attachment import Attachment, FileRef, attachments_of, iter_attachments
from weft.archive.audit import AuditLine
from weft.archive.bucket import Bucket, BucketError, Copied
from weft.archive.catalogue import DayRow
from weft.archive.conversation import Conversation, rating_of
from weft.archive.cursor import FailedItem
from weft.archive.errors import (
    ArchiveFullError,
    ArchiveLockedError,
    ArchiveReadOnlyError,
    ArchiveVersionError,
    DamagedFileError,
    ExportError,
    RetentionError,
    WrongKeyError,
)
from weft.archive.export import FORMATS, ExportStream, Format, Totals
from weft.archive.export.format import Stored
from weft.archive.fetching import FILE_KINDS, MAX_FILE_BYTES, FileKind, FileRules
from weft.archive.file_shelf import file_path
from weft.archive.file_system import FileSystem, LocalFileSystem
from weft.archive.folder_source import FolderSource
from weft.archive.guide import (
    CleanResult,
    ExportedLogs,
    LogsSummary,
    SaveFilters,
    SaveResult,
    ScheduledApp,
    ScheduledResult,
)
from weft.archive.hold import Hold
from weft.archive.importing import Imported
from weft.archive.index import (
    ArchiveIndex,
    Figures,
    Group,
    Indexed,
    IndexProgress,
    IndexStatus,
    Latency,
    QueryTimeoutError,
    SearchHit,
    SearchPage,
    Snippet,
    SqlResult,
    Statistics,
)
from weft.archive.manifest import Entry, Rollup
from weft.archive.opening import SOURCE_KINDS, SourceKind, SourceSpec, kind_of_key, open_source
from weft.archive.place import Day, Kind
from weft.archive.pull import AppReport, PullOptions, PullProgress, PullReport, pull
from weft.archive.query import Count, Query
from weft.archive.redaction import STANDARD_RULES, RedactionRule, Redactor
from weft.archive.report import (
    FOLDER as REPORT_FOLDER,
)
from weft.archive.report import (
    REPORT_FORMATS,
    PullNote,
    Report,
    ReportFiles,
    ReportFormat,
    ReportPeriod,
    last_full_week,
    render_report,
    report_name,
    write_report,
    write_report_file,
)
from weft.archive.retention import Candidate, RetentionPlan, RetentionReport, RetentionRule
from weft.archive.revealing import Revealed
from weft.archive.run_record import RunRecord
from weft.archive.saving import Failure, Saved
from weft.archive.sealing import Packed
from weft.archive.source import FileOffer, Loaded, Source, SourceApp, SourceItem, SourcePage
from weft.archive.verify import Finding, VerifyReport, VerifyResult

if TYPE_CHECKING:
    from weft.archive.restoring import Restored as Restored
    from weft.archive.restoring import restore_conversations as restore_conversations
    from weft.archive.restoring import restore_to_their_apps as restore_to_their_apps
    from weft.archive.sources import AiohttpTransport as AiohttpTransport
    from weft.archive.sources import AppKeySource as AppKeySource
    from weft.archive.sources import ConsoleSource as ConsoleSource
    from weft.archive.sources import StoreSource as StoreSource
    from weft.archive.store_retention import StoreRetention as StoreRetention
    from weft.archive.store_retention import check_share as check_share
    from weft.archive.store_retention import delete_archived as delete_archived
    from weft.archive.store_retention import preview_delete_archived as preview_delete_archived

_LATER = {
    "AiohttpTransport": "sources",
    "AppKeySource": "sources",
    "ConsoleSource": "sources",
    "Restored": "restoring",
    "StoreRetention": "store_retention",
    "StoreSource": "sources",
    "check_share": "store_retention",
    "delete_archived": "store_retention",
    "preview_delete_archived": "store_retention",
    "restore_conversations": "restoring",
    "restore_to_their_apps": "restoring",
}
"""Names whose modules bring an HTTP library or the store along; imported when they are first used."""

__all__ = [
    "FILE_KINDS",
    "FORMATS",
    "MAX_FILE_BYTES",
    "REPORT_FOLDER",
    "REPORT_FORMATS",
    "SOURCE_KINDS",
    "STANDARD_RULES",
    "AiohttpTransport",
    "AppKeySource",
    "AppReport",
    "Archive",
    "ArchiveFullError",
    "ArchiveIndex",
    "ArchiveLockedError",
    "ArchiveReadOnlyError",
    "ArchiveVersionError",
    "AsyncArchive",
    "AsyncExport",
    "Attachment",
    "AuditLine",
    "Bucket",
    "BucketError",
    "Candidate",
    "CleanResult",
    "ConsoleSource",
    "Conversation",
    "Copied",
    "Count",
    "DamagedFileError",
    "Day",
    "DayRow",
    "Entry",
    "ExportError",
    "ExportStream",
    "ExportedLogs",
    "FailedItem",
    "Failure",
    "Figures",
    "FileKind",
    "FileOffer",
    "FileRef",
    "FileRules",
    "FileSystem",
    "Finding",
    "FolderSource",
    "Format",
    "Group",
    "Hold",
    "Imported",
    "IndexProgress",
    "IndexStatus",
    "Indexed",
    "Kind",
    "Latency",
    "Loaded",
    "LocalFileSystem",
    "LogsSummary",
    "Packed",
    "PullNote",
    "PullOptions",
    "PullProgress",
    "PullReport",
    "Query",
    "QueryTimeoutError",
    "RedactionRule",
    "Redactor",
    "Report",
    "ReportFiles",
    "ReportFormat",
    "ReportPeriod",
    "Restored",
    "RetentionError",
    "RetentionPlan",
    "RetentionReport",
    "RetentionRule",
    "Revealed",
    "Rollup",
    "RunRecord",
    "SaveFilters",
    "SaveResult",
    "Saved",
    "ScheduledApp",
    "ScheduledResult",
    "SearchHit",
    "SearchPage",
    "Snippet",
    "Source",
    "SourceApp",
    "SourceItem",
    "SourceKind",
    "SourcePage",
    "SourceSpec",
    "SqlResult",
    "Statistics",
    "StoreRetention",
    "StoreSource",
    "Stored",
    "Totals",
    "VerifyReport",
    "VerifyResult",
    "WrongKeyError",
    "attachments_of",
    "check_share",
    "delete_archived",
    "file_path",
    "iter_attachments",
    "kind_of_key",
    "last_full_week",
    "open_source",
    "preview_delete_archived",
    "pull",
    "rating_of",
    "render_report",
    "report_name",
    "restore_conversations",
    "restore_to_their_apps",
    "write_report",
    "write_report_file",
]


if not TYPE_CHECKING:  # a type checker would take it for leave to use any name

    def __getattr__(name: str) -> object:
        module = _LATER.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value

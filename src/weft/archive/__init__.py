"""The conversation archive: whole conversations on disk, in files that anybody can read and prove.

`Archive` and `AsyncArchive` are the two faces of it. `Source` is the port through which conversations come
in, and `pull` drives any of them; `FolderSource` reads exported files.

On disk, below the root::

    logs/conversations/[organization_id/]YYYY/MM/DD/conversation_<id>_<timestamp>.json[.zst]
    logs/conversations/.../DD/manifest.json     a row with checksums and counts for each file
    logs/runs/[organization_id/]YYYY/MM/DD/run_<id>.json[.zst]
    logs/.weft/                                 catalogue, journal, lock, cursors, holds, audit log, ...

This room leaves to others: servers to pull from, the search index, HTTP, schedules and the command line.
"""

from __future__ import annotations

from weft.archive.archive import Archive
from weft.archive.async_archive import AsyncArchive, AsyncExport
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
)
from weft.archive.export import FORMATS, ExportStream, Format, Totals
from weft.archive.export.format import Stored
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
from weft.archive.manifest import Entry, Rollup
from weft.archive.place import Day, Kind
from weft.archive.pull import AppReport, PullOptions, PullProgress, PullReport, pull
from weft.archive.query import Count, Query
from weft.archive.redaction import STANDARD_RULES, RedactionRule, Redactor
from weft.archive.retention import Candidate, RetentionPlan, RetentionReport, RetentionRule
from weft.archive.run_record import RunRecord
from weft.archive.saving import Failure, Saved
from weft.archive.sealing import Packed
from weft.archive.source import Loaded, Source, SourceApp, SourceItem, SourcePage
from weft.archive.verify import Finding, VerifyReport, VerifyResult

__all__ = [
    "FORMATS",
    "STANDARD_RULES",
    "AppReport",
    "Archive",
    "ArchiveFullError",
    "ArchiveLockedError",
    "ArchiveReadOnlyError",
    "ArchiveVersionError",
    "AsyncArchive",
    "AsyncExport",
    "AuditLine",
    "Bucket",
    "BucketError",
    "Candidate",
    "CleanResult",
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
    "FileSystem",
    "Finding",
    "FolderSource",
    "Format",
    "Hold",
    "Imported",
    "Kind",
    "Loaded",
    "LocalFileSystem",
    "LogsSummary",
    "Packed",
    "PullOptions",
    "PullProgress",
    "PullReport",
    "Query",
    "RedactionRule",
    "Redactor",
    "RetentionError",
    "RetentionPlan",
    "RetentionReport",
    "RetentionRule",
    "Rollup",
    "RunRecord",
    "SaveFilters",
    "SaveResult",
    "Saved",
    "ScheduledApp",
    "ScheduledResult",
    "Source",
    "SourceApp",
    "SourceItem",
    "SourcePage",
    "Stored",
    "Totals",
    "VerifyReport",
    "VerifyResult",
    "pull",
    "rating_of",
]

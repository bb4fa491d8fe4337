"""What the five operations of the conversation log guide take and give, field by field.

The objects are msgspec structs: `msgspec.json.encode` makes exactly the guide's bodies of them.

Source: the conversation log guide, "Features" and "Scheduled Logging".
"""

from __future__ import annotations

import msgspec

from weft.archive.instant import parse_instant
from weft.archive.json_text import JsonObject
from weft.archive.pull import PullReport
from weft.archive.query import Query


class SaveFilters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which conversations are saved; what is left out does not restrict."""

    start_date: str | None = None
    """Created then or later, ISO 8601."""
    end_date: str | None = None
    """Created then or earlier, ISO 8601."""
    from_source: str | None = None

    def query(self) -> Query | None:
        """The filters as a query, or none when nothing is restricted.

        Raises:
            InvalidRequestError: A date is none.
        """
        if self.start_date is None and self.end_date is None and self.from_source is None:
            return None
        return Query(
            start=None if self.start_date is None else parse_instant(self.start_date, "start_date"),
            end=None if self.end_date is None else parse_instant(self.end_date, "end_date"),
            from_sources=None if self.from_source is None else frozenset({self.from_source}),
        )


class SaveResult(msgspec.Struct, frozen=True, kw_only=True):
    """What saving did."""

    success: bool
    message: str
    total_conversations: int
    saved_count: int
    """In the archive now, whether they were written or had not changed."""
    failed_count: int
    file_paths: list[str]
    """Where they are, relative to the archive's root."""


class LogsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the archive."""

    success: bool
    total_files: int
    total_size_bytes: int
    """As they lie on the disk."""
    directories: list[str]
    """Day folders, relative to the archive's root."""


class ExportedLogs(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations of a range of days."""

    success: bool
    count: int
    conversations: list[JsonObject]


class CleanResult(msgspec.Struct, frozen=True, kw_only=True):
    """What cleaning did."""

    success: bool
    message: str
    deleted_files: int
    """Conversations; their runs are deleted with them and not counted."""
    deleted_size_bytes: int
    """Freed on the disk, runs included."""


class ScheduledApp(msgspec.Struct, frozen=True, kw_only=True):
    """One app of a scheduled save, and the key that may read it."""

    dify_api_url: str
    app_id: str
    api_key: str
    organization_id: str | None = None

    def __repr__(self) -> str:
        return f"ScheduledApp({self.dify_api_url!r}, {self.app_id!r}, {self.organization_id!r})"


class ScheduledResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one app of a scheduled save."""

    app_id: str
    organization_id: str | None
    success: bool
    message: str
    total_conversations: int
    saved_count: int
    failed_count: int
    file_paths: list[str]


def save_result(report: PullReport) -> SaveResult:
    """A pull's report in the guide's words; it succeeded when it came to its end."""
    errors = [f"{app.app.id}: {app.error}" for app in report.apps if app.error]
    saved = report.total("written") + report.total("unchanged")
    failed = sum(len(app.failed) for app in report.apps)
    paths = list(dict.fromkeys(path for app in report.apps for path in app.paths))
    return SaveResult(
        success=not errors,
        message="; ".join(errors) or "Conversation logs saved successfully",
        total_conversations=saved + failed,
        saved_count=saved,
        failed_count=failed,
        file_paths=paths,
    )


def scheduled_result(app: ScheduledApp, outcome: SaveResult | str) -> ScheduledResult:
    """One app's part of a scheduled save: its result, or why there is none."""
    if isinstance(outcome, str):
        outcome = SaveResult(
            success=False,
            message=outcome,
            total_conversations=0,
            saved_count=0,
            failed_count=0,
            file_paths=[],
        )
    return ScheduledResult(
        app_id=app.app_id,
        organization_id=app.organization_id,
        success=outcome.success,
        message=outcome.message,
        total_conversations=outcome.total_conversations,
        saved_count=outcome.saved_count,
        failed_count=outcome.failed_count,
        file_paths=outcome.file_paths,
    )

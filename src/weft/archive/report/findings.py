"""What a report says, as values; the renderings only put it on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

from weft.archive.index import Figures
from weft.archive.instant import render_instant
from weft.archive.report.period import ReportPeriod


@dataclass(frozen=True, slots=True)
class Change:
    """One number of the period and of the one before."""

    now: float
    before: float

    @property
    def share(self) -> float | None:
        """By how much it grew, 0.5 for half as much again; None where there was nothing before."""
        return (self.now - self.before) / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of one app or one model."""

    key: str
    """Its id or name; empty where messages name none."""
    now: Figures
    before: Figures

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {"key": self.key, "now": self.now.to_dict(), "before": self.before.to_dict()}


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """An error and how often it was met."""

    message: str
    """Its first line; numbers and ids in it are replaced by ``#``, so that like comes to like."""
    count: int
    conversation_id: str
    """The latest conversation that met it."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """An answer that somebody did not like."""

    at: str
    app_id: str
    organization_id: str | None
    conversation_id: str
    comment: str
    """What was said about it; empty unless excerpts were asked for."""
    query: str
    """How the question began; likewise."""


@dataclass(frozen=True, slots=True)
class PullNote:
    """A pull that ended in the period, as the server's jobs tell."""

    at: datetime
    status: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """The archive itself, at the moment of the report."""

    conversations: int
    runs: int
    stored_bytes: int
    """Of conversations and runs, on the disk."""
    file_bytes: int
    """Of attached files."""
    free_bytes: int | None
    """Room that the disk has left; None where that cannot be told."""
    archived: int
    """Conversations that were stored in the period, new or changed, and still are."""
    archived_bytes: int
    deleted: int
    """Conversations and runs that were deleted in the period, by the audit log."""
    missed: int
    """Conversations that could not be had and are tried again with every pull."""
    missed_reasons: Sequence[ErrorCount]
    last_archived: str | None
    """When something was last stored; None in an empty archive."""
    verified: Literal["sound", "damaged", "incomplete"] | None
    """What looking at every file's presence found; None when nobody looked."""
    verify_findings: Sequence[str]
    holds: Sequence[Mapping[str, str]]
    """Id, reason and instant of each hold in force."""
    pulls: Mapping[str, int]
    """Pulls that ended in the period, by status; empty where nobody keeps account."""
    pull_errors: Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says."""

    period: ReportPeriod
    organization_id: str | None
    made_at: str
    now: Figures
    before: Figures
    """Of as many days right before."""
    new_users: Change
    """People whose first message in the archive is of the period."""
    by_day: Sequence[tuple[str, int]]
    """Messages of each day, days without any included."""
    by_app: Sequence[Part]
    by_model: Sequence[Part]
    hours: Sequence[Sequence[int]]
    """Messages by weekday, Monday first, and hour; empty for periods of more than 35 days."""
    errors: Sequence[ErrorCount]
    """The most frequent first."""
    errors_read: int
    """Failed messages that were read for their reasons, the latest."""
    disliked: Sequence[Feedback]
    """The latest first."""
    state: ArchiveState
    days_behind: int = 0
    """Day folders that changed and are not counted yet."""
    notes: Sequence[str] = field(default=())

    @property
    def busiest(self) -> tuple[int, int] | None:
        """Weekday and hour with most messages; None where there is none."""
        found = [
            (count, -weekday, -hour)
            for weekday, row in enumerate(self.hours)
            for hour, count in enumerate(row)
            if count
        ]
        return (-max(found)[1], -max(found)[2]) if found else None

    def to_dict(self) -> dict[str, object]:
        """Plain JSON; costs are text, so that no digit is lost."""
        state = asdict(self.state)
        return {
            "period": {
                "start": self.period.start.isoformat(),
                "end": self.period.end.isoformat(),
                "zone": self.period.zone,
                "begins_at": render_instant(self.period.begins_at),
                "ends_at": render_instant(self.period.ends_at),
            },
            "organization_id": self.organization_id,
            "made_at": self.made_at,
            "now": self.now.to_dict(),
            "before": self.before.to_dict(),
            "new_users": {"now": int(self.new_users.now), "before": int(self.new_users.before)},
            "by_day": [{"day": day, "messages": count} for day, count in self.by_day],
            "by_app": [part.to_dict() for part in self.by_app],
            "by_model": [part.to_dict() for part in self.by_model],
            "hours": [list(row) for row in self.hours],
            "errors": [asdict(error) for error in self.errors],
            "errors_read": self.errors_read,
            "disliked": [asdict(one) for one in self.disliked],
            "archive": state,
            "days_behind": self.days_behind,
            "notes": list(self.notes),
        }

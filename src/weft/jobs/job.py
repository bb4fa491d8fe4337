"""A job and a schedule as they are told and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

JobStatus = Literal["queued", "running", "succeeded", "partial-succeeded", "failed", "cancelled"]
ENDED: Final[frozenset[JobStatus]] = frozenset({"succeeded", "partial-succeeded", "failed", "cancelled"})
"""Statuses that do not change any more."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work."""

    id: str
    name: str
    """Of its `JobKind`."""
    queue: str
    args: Mapping[str, object]
    """What it was given: JSON, and no secrets."""
    status: JobStatus
    created_at: datetime
    run_at: datetime
    """Not before then."""
    started_at: datetime | None = None
    """The last time."""
    finished_at: datetime | None = None
    key: str | None = None
    """While a job with this key is queued or running, another one with it is that one."""
    subject: str = ""
    """What it is about, so that its outcome can be compared with the one before it."""
    attempts: int = 0
    """Times that it was begun and ended badly."""
    deaths: int = 0
    """Times in a row that its process ended in the middle of it, since it last got any further."""
    progress: Mapping[str, object] = field(default_factory=dict)
    result: object = None
    error: str = ""
    is_cancel_wanted: bool = False

    @property
    def is_ended(self) -> bool:
        """Whether it does not change any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that is put in again and again."""

    id: str
    cron: str
    """Five fields: minute, hour, day of month, month, day of week."""
    name: str
    """Of the job's kind."""
    args: Mapping[str, object] = field(default_factory=dict)
    zone: str = "UTC"
    """The time zone that the fields speak of."""
    origin: str = "settings"
    """Who made it: ``settings`` or ``api``."""
    is_active: bool = True
    next_at: datetime | None = None
    """When it is due; set by the engine."""
    last_at: datetime | None = None
    """When it last put a job in."""

"""What can be asked of a store of sessions, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from weft.sessions.workflow_run import WorkflowRunOutput


class SessionQuery(TypedDict, total=False):
    """Which sessions are wanted; everything that is given must hold."""

    user_id: str | None
    """Whose."""
    workflow_id: str | None
    """Of which workflow."""
    session_name: str | None
    """Somewhere in the name, in whatever case."""
    start_timestamp: int | None
    """Created then or later; unix seconds."""
    end_timestamp: int | None
    """Created then or earlier; unix seconds."""
    sort_by: str | None
    """A field of `SessionSummary`; by default ``created_at``. Anything else: in no order."""
    sort_order: Literal["asc", "desc"] | None
    """By default the greatest first."""
    limit: int | None
    """At most so many; by default all."""
    page: int | None
    """Counts from 1; needs `limit`."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A stored session without its runs and data."""

    session_id: str
    user_id: str | None
    workflow_id: str | None
    workflow_name: str | None
    session_name: str | None
    created_at: int
    """Unix seconds."""
    updated_at: int
    """Unix seconds."""
    run_count: int


@dataclass(frozen=True, slots=True)
class SessionPage:
    """One page of sessions; `total` counts those of all pages."""

    items: tuple[SessionSummary, ...]
    total: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs that follow each other, oldest first."""

    runs: tuple[WorkflowRunOutput, ...]
    has_more: bool
    """There are older ones."""

"""Conversations and runs as workflow sessions: the list of them. Not part of Dify's API."""

from __future__ import annotations

from weft.wire._model import WireModel
from weft.wire.page import CursorPage, Listing


class SessionSummary(WireModel):
    """A session without its runs and data."""

    session_id: str
    user_id: str | None = None
    """The text that callers send for a user, or the id of an account."""
    workflow_id: str | None = None
    """Id of the app."""
    workflow_name: str | None = None
    session_name: str | None = None
    """Name of the conversation; runs of workflow apps have none."""
    created_at: int
    """Unix seconds."""
    updated_at: int
    """Unix seconds."""
    run_count: int

    @property
    def id(self) -> str:
        """The id, under the name that all lists have for it."""
        return self.session_id


SessionSummaryPage = CursorPage[SessionSummary]
SessionRunPage = Listing[dict[str, object]]
"""Runs in their plain form, oldest first."""

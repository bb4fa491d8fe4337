"""Conversations and runs as workflow sessions: the list of them. Not part of Dify's API."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from weft.wire._field import OptionalUser
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


class SessionState(WireModel):
    """The name of a session and values of its conversation's variables, as far as they are told."""

    session_name: str | None = None
    session_state: dict[str, Any] = Field(default_factory=dict)
    """Variable to value."""


class SessionChangeRequest(SessionState):
    """Body of a change: another name, other values, or both; what is not told stays."""

    was: SessionState = Field(default_factory=SessionState)
    """What must still be the case, else nothing changes."""
    user: OptionalUser = None

    @model_validator(mode="after")
    def _something(self) -> SessionChangeRequest:
        if self.session_name is None and not self.session_state:
            raise ValueError("session_name or session_state is required")
        return self


SessionSummaryPage = CursorPage[SessionSummary]
SessionRunPage = Listing[dict[str, object]]
"""Runs in their plain form, oldest first."""

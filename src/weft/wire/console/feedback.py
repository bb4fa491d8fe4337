"""Opinions of owners, and the export of all opinions. Source: Dify console API, `/apps/{id}/feedbacks`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from weft.wire._field import JsonObject, ListOf, Object
from weft.wire._model import WireModel
from weft.wire.console._base import ConsoleModel
from weft.wire.feedback import Rating

FeedbackSource = Literal["user", "admin"]


class AdminFeedbackRequest(WireModel):
    """Body of the owner's opinion of an answer; without a rating it takes the last one back."""

    message_id: str
    rating: Rating | None = None
    content: str | None = None


class FeedbackRow(ConsoleModel):
    """One line of the export; the columns of its CSV form."""

    feedback_id: str | None = None
    app_name: str | None = None
    app_id: str | None = None
    conversation_id: str | None = None
    conversation_name: str | None = None
    message_id: str | None = None
    user_query: str | None = None
    ai_response: str | None = None
    """At most 500 characters and three dots."""
    feedback_rating: str | None = None
    """A thumb, up or down."""
    feedback_rating_raw: str | None = None
    """``like`` or ``dislike``."""
    feedback_comment: str | None = None
    feedback_source: str | None = None
    feedback_date: str | None = None
    message_date: str | None = None
    from_account_name: str | None = None
    from_end_user_id: str | None = None
    has_comment: str | bool | None = None
    """``Yes`` or ``No``."""


class FeedbackExport(ConsoleModel):
    """All opinions, newest first."""

    export_info: Object = Field(default_factory=dict)
    """``app_id``, ``export_date``, ``total_records``, ``data_source``."""
    feedback_data: ListOf[FeedbackRow] = Field(default_factory=list)


class AnnotationCount(ConsoleModel):
    """How many messages are annotated."""

    count: int = 0


class SuggestedQuestionList(ConsoleModel):
    """Questions that could be asked next."""

    data: ListOf[str] = Field(default_factory=list)


class AgentLogIteration(ConsoleModel):
    """One round of an agent."""

    thought: str | None = None
    tokens: int | None = None
    tool_raw: JsonObject | None = None
    tool_calls: ListOf[JsonObject] = Field(default_factory=list)
    files: ListOf[object] = Field(default_factory=list)
    created_at: int | str | None = None  # type: ignore[assignment]  # ISO 8601 text here


class AgentLog(ConsoleModel):
    """How an agent came to an answer."""

    meta: Object = Field(default_factory=dict)
    """``status``, ``executor``, ``start_time``, ``elapsed_time``, ``total_tokens``, ``iterations``, ..."""
    iterations: ListOf[AgentLogIteration] = Field(default_factory=list)
    files: ListOf[object] = Field(default_factory=list)

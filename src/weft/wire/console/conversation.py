"""Conversations as an app's owner sees them. Source: Dify console API, `/apps/{id}/chat-conversations`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from weft.wire._field import Count, JsonObject, Object, Part, Text
from weft.wire.console._base import ConsoleModel, MappingModel, moment
from weft.wire.page import Page

AnnotationStatus = Literal["annotated", "not_annotated", "all"]


class ModelConfigSummary(MappingModel):
    """The model of an app without a workflow; all null for chatflows."""

    model: JsonObject | str | None = None
    pre_prompt: str | None = None


class FeedbackStats(MappingModel):
    """Opinions on the answers of a conversation."""

    like: Count = 0
    dislike: Count = 0


class StatusCount(MappingModel):
    """How the runs of a conversation ended."""

    success: Count = 0
    failed: Count = 0
    partial_success: Count = 0
    paused: Count = 0


class _Conversation(ConsoleModel):
    id: str
    status: Text = "normal"
    from_source: Text = "api"
    """``api`` or ``console``."""
    from_end_user_id: str | None = None
    from_end_user_session_id: str | None = None
    """The `user` text of the service API."""
    from_account_id: str | None = None
    from_account_name: str | None = None
    read_at: int | None = None
    """Unix seconds."""
    created_at: int | None = None
    """Unix seconds."""
    updated_at: int | None = None
    """Unix seconds."""
    annotated: bool | None = False
    agent_model_config: Part[ModelConfigSummary] = Field(
        default_factory=ModelConfigSummary, alias="model_config"
    )
    message_count: Count = 0
    user_feedback_stats: Part[FeedbackStats] = Field(default_factory=FeedbackStats)
    admin_feedback_stats: Part[FeedbackStats] = Field(default_factory=FeedbackStats)
    status_count: StatusCount | None = None
    """``None`` from some servers for apps without a workflow."""

    @property
    def read_datetime(self) -> datetime | None:
        """`read_at` as an aware UTC datetime."""
        return moment(self.read_at)


class ChatConversation(_Conversation):
    """One conversation of a chat app, with what its messages add up to."""

    name: Text = ""
    summary: Text = ""
    """The stored summary, else the first query."""


AgentConversation = ChatConversation
ChatConversationPage = Page[ChatConversation]


class ChatConversationDetail(ChatConversation):
    """One conversation in full."""

    introduction: str | None = None
    inputs: Object = Field(default_factory=dict)
    first_message: JsonObject | None = None
    """Only from older servers."""


class CompletionConversation(_Conversation):
    """One exchange with a completion app."""

    message: JsonObject | None = None


CompletionConversationPage = Page[CompletionConversation]

"""Messages as an app's owner sees them. Source: Dify console API, `/apps/{id}/chat-messages`."""

from __future__ import annotations

from pydantic import Field

from weft.wire._field import Count, JsonObject, ListOf, Object
from weft.wire.console._base import ConsoleModel, MappingModel
from weft.wire.form import HumanInputContent
from weft.wire.message import AgentThought, MessageFile
from weft.wire.page import CursorPage
from weft.wire.run import AccountSummary


class ChatMessageFeedback(MappingModel):
    """One opinion on an answer."""

    rating: str | None = None
    """``like`` or ``dislike``."""
    content: str | None = None
    from_source: str | None = None
    """``user`` or ``admin``."""
    from_end_user_id: str | None = None
    from_account: AccountSummary | None = None


class ChatMessage(ConsoleModel):
    """One query with its answer, and what only the owner sees of it."""

    id: str
    conversation_id: str | None = None
    inputs: Object = Field(default_factory=dict)
    query: str | None = None
    answer: str | None = None
    message: list[JsonObject] | JsonObject | str | None = None
    """What the model was sent; empty text for chatflows. `prompt_messages` is always a list."""
    message_tokens: Count = 0
    answer_tokens: Count = 0
    provider_response_latency: float | None = None
    """Seconds."""
    from_source: str | None = None
    from_end_user_id: str | None = None
    from_end_user_session_id: str | None = None
    """Filled in from the conversation when that is known."""
    from_account_id: str | None = None
    from_account_name: str | None = None
    """Filled in from the conversation when that is known."""
    feedbacks: ListOf[ChatMessageFeedback] = Field(default_factory=list)
    workflow_run_id: str | None = None
    annotation: JsonObject | None = None
    annotation_hit_history: JsonObject | None = None
    agent_thoughts: ListOf[AgentThought] = Field(default_factory=list)
    message_files: ListOf[MessageFile] = Field(default_factory=list)
    metadata: Object = Field(default_factory=dict)
    status: str | None = None
    error: str | None = None
    parent_message_id: str | None = None
    extra_contents: ListOf[HumanInputContent] = Field(default_factory=list)
    created_at: int | None = None
    """Unix seconds."""

    @property
    def feedback(self) -> ChatMessageFeedback | None:
        """The end user's own opinion."""
        return next((one for one in self.feedbacks if one.from_source == "user"), None)

    @property
    def prompt_messages(self) -> list[JsonObject]:
        """What the model was sent, as a list; empty when it is not told."""
        if isinstance(self.message, list):
            return self.message
        if isinstance(self.message, dict):
            return [self.message]
        return [{"text": self.message}] if self.message else []

    @property
    def created_by_role(self) -> str | None:
        """``end_user`` or ``account``, by who is named; ``None`` when nobody is."""
        if self.from_end_user_id is not None:
            return "end_user"
        return "account" if self.from_account_id is not None else None

    @property
    def created_by_account(self) -> JsonObject | None:
        """The account, if the server tells it, which the list does not."""
        return self._told("created_by_account")

    @property
    def created_by_end_user(self) -> JsonObject | None:
        """The end user, if the server tells it, which the list does not."""
        return self._told("created_by_end_user")

    def _told(self, name: str) -> JsonObject | None:
        found = self.extra.get(name)
        return found if isinstance(found, dict) else None


class ChatMessagePage(CursorPage[ChatMessage]):
    """A page of messages, oldest first; older pages follow by `first_id`."""

    @property
    def page(self) -> int | None:
        """The server does not number these pages."""
        return None

    @property
    def total(self) -> int | None:
        """The server does not count messages."""
        return None

"""Messages of a conversation. Source: Dify service API, `GET /messages`."""

from __future__ import annotations

from pydantic import Field

from weft.wire._field import JsonObject, Limit, ListOf, Object, OptionalUser, OptionalUuid, Text, User
from weft.wire._model import WireModel
from weft.wire.form import HumanInputContent
from weft.wire.instant import Created
from weft.wire.metadata import RetrieverResource
from weft.wire.page import CursorPage

NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""Parent of every message that was sent through the API."""


class MessageFile(WireModel):
    """A file in a query or an answer."""

    id: str
    filename: str | None = None
    type: Text = "custom"
    """``image``, ``document``, ``audio``, ``video`` or ``custom``."""
    url: str | None = None
    """Signed address of an uploaded file, valid for minutes; or the remote address."""
    mime_type: str | None = None
    size: int | None = None
    """Bytes."""
    transfer_method: Text = "local_file"
    """``local_file`` or ``remote_url``; ``tool_file`` for files that a run made."""
    belongs_to: str | None = None
    """``user`` or ``assistant``."""
    upload_file_id: str | None = None


class MessageFeedback(WireModel):
    """The end user's own opinion of an answer."""

    rating: str | None = None
    """``like`` or ``dislike``."""


class AgentThought(Created, WireModel):
    """One step of an agent on its way to an answer."""

    id: str
    chain_id: str | None = None
    message_id: str | None = None
    position: int | None = None
    """Place within the answer, from 1."""
    thought: str | None = None
    tool: str | None = None
    tool_labels: JsonObject | None = Field(default_factory=dict)
    tool_input: str | None = None
    observation: str | None = None
    files: ListOf[str] = Field(default_factory=list)
    created_at: int | None = None
    """Unix seconds."""


class Message(Created, WireModel):
    """One query with its answer."""

    id: str
    conversation_id: str | None = None
    parent_message_id: str | None = None
    inputs: Object = Field(default_factory=dict)
    query: Text = ""
    answer: Text = ""
    feedback: MessageFeedback | None = None
    retriever_resources: ListOf[RetrieverResource] = Field(default_factory=list)
    created_at: int | None = None
    """Unix seconds."""
    agent_thoughts: ListOf[AgentThought] = Field(default_factory=list)
    message_files: ListOf[MessageFile] = Field(default_factory=list)
    status: Text = "normal"
    """``normal`` (also while running and when stopped), ``error`` or ``paused``."""
    error: str | None = None
    extra_contents: ListOf[HumanInputContent] = Field(default_factory=list)


MessagePage = CursorPage[Message]


class MessagesQuery(WireModel):
    """Query string of the history of a conversation, which pages backwards."""

    conversation_id: OptionalUuid
    """Must be there; empty asks for an empty list."""
    user: OptionalUser = None
    first_id: OptionalUuid = None
    """The first message of the page before; only older ones are returned."""
    limit: Limit = 20


class SuggestedQuery(WireModel):
    """Query string of the questions to ask next."""

    user: User


class SuggestedQuestions(WireModel):
    """Questions that could be asked next; empty when there are none."""

    result: str = "success"
    data: ListOf[str] = Field(default_factory=list)

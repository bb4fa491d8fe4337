"""Sending a message and the answer to it. Source: Dify service API, `POST /chat-messages`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from weft.wire._field import JsonObject, ListOf, OptionalText, Part, Text, TrimmedUuid, User
from weft.wire._model import SparseModel, WireModel
from weft.wire.instant import Created
from weft.wire.metadata import AnswerMetadata
from weft.wire.status import RunStatus

ResponseMode = Literal["blocking", "streaming"]


class ChatRequest(WireModel):
    """Body of a message to an app."""

    inputs: JsonObject
    """Values of the start node's variables; undeclared names are dropped by the server."""
    query: str
    user: User
    response_mode: ResponseMode | None = None
    """Null and absent mean blocking."""
    conversation_id: TrimmedUuid = None
    """``None`` begins a new conversation."""
    files: list[object] | None = None
    """Items as given; `weft.wire.parse_file_inputs` reads them when the app takes files at all."""
    auto_generate_name: bool = True
    workflow_id: OptionalText = None
    """A published version to run instead of the current one; checked by the server, not here."""
    retriever_from: str = "dev"
    """Accepted and ignored."""
    parent_message_id: str | None = None
    """Accepted and ignored: histories are linear."""

    @field_validator("query", mode="after")
    @classmethod
    def _not_empty(cls, query: str) -> str:
        query = query.replace("\x00", "")
        if not query:
            raise ValueError("query is required")
        return query

    @property
    def streaming(self) -> bool:
        """Whether the answer shall come as a stream of events."""
        return self.response_mode == "streaming"


class CompletionRequest(WireModel):
    """Body of a request to a completion app."""

    inputs: JsonObject
    query: str = ""
    user: User
    response_mode: ResponseMode | None = None
    files: list[object] | None = None


class StopRequest(WireModel):
    """Body of a request to stop a running answer."""

    user: User


class Result(WireModel):
    """The answer of operations that have nothing to tell."""

    result: str = "success"


class PausedAnswer(Created, WireModel):
    """What is known of an answer whose run waits for a person."""

    id: str
    mode: Text = "advanced-chat"
    conversation_id: str | None = None
    message_id: str | None = None
    workflow_run_id: str | None = None
    answer: Text = ""
    """The answer so far."""
    metadata: Part[AnswerMetadata] = Field(default_factory=AnswerMetadata)
    created_at: int | None = None
    """Unix seconds."""
    paused_nodes: ListOf[str] = Field(default_factory=list)
    reasons: ListOf[JsonObject] = Field(default_factory=list)
    status: RunStatus = RunStatus.PAUSED
    elapsed_time: float | None = None
    """Seconds."""
    total_tokens: int | None = None
    total_steps: int | None = None


class ChatAnswer(Created, SparseModel):
    """A whole answer, or what there is of it when the run waits for a person (`paused`)."""

    event: str = "message"
    """``message``, or ``workflow_paused``."""
    task_id: str
    id: str
    """The same as `message_id`."""
    message_id: str
    conversation_id: str | None = None
    """``None`` only from completion apps, which have no conversations."""
    mode: str = "advanced-chat"
    answer: Text = ""
    metadata: Part[AnswerMetadata] = Field(default_factory=AnswerMetadata)
    created_at: int | None = None
    """Unix seconds."""
    workflow_run_id: str | None = None
    """Only while paused."""
    data: PausedAnswer | None = None
    """Only while paused."""

    @property
    def paused(self) -> bool:
        """Whether the run waits for a human input form."""
        return self.event == "workflow_paused"

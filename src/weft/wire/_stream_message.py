"""Stream events that carry the answer itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from weft.wire._field import JsonObject, Part, Text
from weft.wire._model import WireModel
from weft.wire.instant import Created
from weft.wire.metadata import AnswerMetadata


class StreamEventBase(Created, WireModel):
    """What every event has; a chat app sends all of it, a workflow app only the task."""

    event: str
    conversation_id: str | None = None
    message_id: str | None = None
    created_at: int | None = None
    """Unix seconds of the message's creation: the same number in every event of an answer."""
    task_id: str | None = None
    """Stops the run; servers of old leave it out of `error`."""


class MessageEvent(StreamEventBase):
    """A piece of the answer."""

    event: Literal["message"] = "message"
    id: str | None = None
    """The same as `message_id`."""
    answer: str = ""
    """Text to append."""
    from_variable_selector: list[str] | None = None


class AgentMessageEvent(StreamEventBase):
    """A piece of the answer of an agent app."""

    event: Literal["agent_message"] = "agent_message"
    id: str | None = None
    answer: str = ""
    """Text to append."""


class AgentThoughtEvent(StreamEventBase):
    """A step of an agent app on its way to the answer."""

    event: Literal["agent_thought"] = "agent_thought"
    id: str | None = None
    position: int | None = None
    thought: str | None = None
    observation: str | None = None
    tool: str | None = None
    tool_labels: JsonObject | None = None
    tool_input: str | None = None
    message_files: list[object] | None = None


class MessageReplaceEvent(StreamEventBase):
    """The answer so far is void."""

    event: Literal["message_replace"] = "message_replace"
    answer: Text = ""
    """The whole new text."""
    reason: str | None = None
    """E.g. ``output_moderation``."""


class MessageFileEvent(StreamEventBase):
    """A file belongs to the answer."""

    event: Literal["message_file"] = "message_file"
    id: str
    type: Text = "custom"
    belongs_to: Text = "assistant"
    url: Text = ""


class MessageEndEvent(StreamEventBase):
    """The answer is complete; `workflow_finished` may come before or after."""

    event: Literal["message_end"] = "message_end"
    id: str | None = None
    """The same as `message_id`."""
    metadata: Part[AnswerMetadata] = Field(default_factory=AnswerMetadata)
    files: list[JsonObject] | None = None


class TtsMessageEvent(StreamEventBase):
    """A piece of the spoken answer."""

    event: Literal["tts_message"] = "tts_message"
    audio: Text = ""
    """Base64 of a fragment of sound."""


class TtsMessageEndEvent(StreamEventBase):
    """The spoken answer is complete."""

    event: Literal["tts_message_end"] = "tts_message_end"
    audio: Text = ""
    """Empty."""


class ErrorEvent(StreamEventBase):
    """The answer failed; the HTTP status was 200 all the same."""

    event: Literal["error"] = "error"
    workflow_run_id: str | None = None
    """Only from workflow apps."""
    status: int = 500
    """The HTTP status it would have been."""
    code: Text = "unknown"
    message: Text = ""


class PingEvent(StreamEventBase):
    """A sign of life; sent as a frame without data, so normally nobody sees one."""

    event: Literal["ping"] = "ping"


class TextChunkData(WireModel):
    """A piece of text."""

    text: Text = ""
    from_variable_selector: list[str] | None = None


class TextChunkEvent(StreamEventBase):
    """A piece of text of a workflow app."""

    event: Literal["text_chunk"] = "text_chunk"
    workflow_run_id: str | None = None
    data: TextChunkData


class TextReplaceData(WireModel):
    """A whole text."""

    text: Text = ""


class TextReplaceEvent(StreamEventBase):
    """The text of a workflow app so far is void."""

    event: Literal["text_replace"] = "text_replace"
    workflow_run_id: str | None = None
    data: TextReplaceData


class AgentLogData(WireModel):
    """One entry of what an agent node did."""

    id: str
    node_execution_id: str | None = None
    node_id: str | None = None
    label: Text = ""
    parent_id: str | None = None
    error: str | None = None
    status: Text = ""
    data: JsonObject | None = None
    metadata: JsonObject | None = None


class AgentLogEvent(StreamEventBase):
    """An agent node did something."""

    event: Literal["agent_log"] = "agent_log"
    workflow_run_id: str | None = None
    data: AgentLogData


class ReasoningChunkData(WireModel):
    """A piece of what a model thought before it answered."""

    reasoning: Text = ""
    node_id: str | None = None
    message_id: str | None = None
    is_final: bool = False
    """No further piece comes; this one may be empty."""


class ReasoningChunkEvent(StreamEventBase):
    """A model thinks; only where the node keeps thoughts apart from the text."""

    event: Literal["reasoning_chunk"] = "reasoning_chunk"
    workflow_run_id: str | None = None
    data: ReasoningChunkData

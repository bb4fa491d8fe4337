"""Everything that can arrive on an event stream, joined into one union.

Reading is a keyed lookup on `event` and one validation. An event nobody here knows, or one that does
not look as documented, becomes an `UnknownEvent`: a newer server must not break an older client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, get_args

import msgspec
from pydantic import Field, ValidationError

from weft.wire._field import JsonObject
from weft.wire._stream_form import (
    FormTimeoutData,
    HumanInputFormFilledEvent,
    HumanInputFormTimeoutEvent,
    HumanInputRequiredEvent,
    WorkflowPausedData,
    WorkflowPausedEvent,
)
from weft.wire._stream_message import (
    AgentLogData,
    AgentLogEvent,
    AgentMessageEvent,
    AgentThoughtEvent,
    ErrorEvent,
    MessageEndEvent,
    MessageEvent,
    MessageFileEvent,
    MessageReplaceEvent,
    PingEvent,
    ReasoningChunkData,
    ReasoningChunkEvent,
    StreamEventBase,
    TextChunkData,
    TextChunkEvent,
    TextReplaceData,
    TextReplaceEvent,
    TtsMessageEndEvent,
    TtsMessageEvent,
)
from weft.wire._stream_workflow import (
    IterationCompletedEvent,
    IterationNextEvent,
    IterationStartedEvent,
    LoopCompletedEvent,
    LoopNextData,
    LoopNextEvent,
    LoopStartedEvent,
    NodeFinishedData,
    NodeFinishedEvent,
    NodeRetryData,
    NodeRetryEvent,
    NodeStartedData,
    NodeStartedEvent,
    RoundsCompletedData,
    RoundsNextData,
    RoundsStartedData,
    WorkflowFinishedData,
    WorkflowFinishedEvent,
    WorkflowStartedData,
    WorkflowStartedEvent,
)

NodeEvent = (
    NodeStartedEvent
    | NodeFinishedEvent
    | NodeRetryEvent
    | IterationStartedEvent
    | IterationNextEvent
    | IterationCompletedEvent
    | LoopStartedEvent
    | LoopNextEvent
    | LoopCompletedEvent
)
"""Events of single nodes."""

StreamEvent = Annotated[
    MessageEvent
    | AgentMessageEvent
    | AgentThoughtEvent
    | MessageReplaceEvent
    | MessageFileEvent
    | MessageEndEvent
    | TtsMessageEvent
    | TtsMessageEndEvent
    | ErrorEvent
    | PingEvent
    | WorkflowStartedEvent
    | WorkflowFinishedEvent
    | NodeEvent
    | WorkflowPausedEvent
    | HumanInputRequiredEvent
    | HumanInputFormFilledEvent
    | HumanInputFormTimeoutEvent
    | AgentLogEvent
    | ReasoningChunkEvent
    | TextChunkEvent
    | TextReplaceEvent,
    Field(discriminator="event"),
]
"""The documented events, told apart by `event`."""


class UnknownEvent(StreamEventBase):
    """An event that is not documented, or not as documented; its keys are in `payload`."""

    event: str = ""
    payload: JsonObject = Field(default_factory=dict, exclude=True)
    """All keys as they came."""
    problem: str | None = Field(default=None, exclude=True)
    """What does not fit, when `event` is a documented one."""


_KINDS: dict[str, type[StreamEventBase]] = {
    get_args(kind.model_fields["event"].annotation)[0]: kind for kind in get_args(get_args(StreamEvent)[0])
}
_MESSAGE_STARTS = (b'{"event":"message",', b'{"event": "message",')
"""How nearly all payloads begin while an answer streams; they are read without looking up their kind."""
_MAY_BE_ABSENT = ("conversation_id", "message_id", "created_at", "task_id", "workflow_run_id")


def parse_stream_event(data: bytes | Mapping[str, object]) -> StreamEvent | UnknownEvent:
    """Read the payload of one frame.

    Args:
        data: UTF-8 JSON text of an object, or that object already parsed.

    Raises:
        ValueError: The text is not JSON, or not an object.
    """
    if isinstance(data, bytes) and data.startswith(_MESSAGE_STARTS):
        try:
            return MessageEvent.__pydantic_validator__.validate_json(data)  # type: ignore[no-any-return]  # pydantic-core
        except ValidationError:
            pass  # the long way finds out what is wrong
    try:
        payload = msgspec.json.decode(data) if isinstance(data, bytes) else data
    except RecursionError as error:
        raise ValueError("an event must not be nested that deeply") from error
    if type(payload) is not dict and not isinstance(payload, Mapping):
        raise ValueError(f"an event must be a JSON object, not {type(payload).__name__}")
    name = payload.get("event")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        return _unknown(payload, None)
    try:
        return kind.__pydantic_validator__.validate_python(payload)  # type: ignore[no-any-return]  # pydantic-core
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False)[0]
        return _unknown(payload, f"{'.'.join(str(part) for part in where['loc'])}: {where['msg']}")


def encode_stream_event(event: StreamEvent | UnknownEvent) -> bytes:
    """The compact JSON text of an event, ready for a frame.

    Common keys without a value are left out: workflow apps have no conversation, some events no run.
    Every other declared key is there, null when it has no value.
    """
    fields = event.__dict__
    absent = {name for name in _MAY_BE_ABSENT if fields.get(name) is None}
    return event.__pydantic_serializer__.to_json(event, exclude=absent)


def _unknown(payload: Mapping[str, object], problem: str | None) -> UnknownEvent:
    def text(key: str) -> str | None:
        value = payload.get(key)
        return value if isinstance(value, str) else None

    created = payload.get("created_at")
    return UnknownEvent(
        event=text("event") or "",
        conversation_id=text("conversation_id"),
        message_id=text("message_id"),
        task_id=text("task_id"),
        created_at=created if isinstance(created, int) else None,
        payload=dict(payload),
        problem=problem,
    )


__all__ = [
    "AgentLogData",
    "AgentLogEvent",
    "AgentMessageEvent",
    "AgentThoughtEvent",
    "ErrorEvent",
    "FormTimeoutData",
    "HumanInputFormFilledEvent",
    "HumanInputFormTimeoutEvent",
    "HumanInputRequiredEvent",
    "IterationCompletedEvent",
    "IterationNextEvent",
    "IterationStartedEvent",
    "LoopCompletedEvent",
    "LoopNextData",
    "LoopNextEvent",
    "LoopStartedEvent",
    "MessageEndEvent",
    "MessageEvent",
    "MessageFileEvent",
    "MessageReplaceEvent",
    "NodeEvent",
    "NodeFinishedData",
    "NodeFinishedEvent",
    "NodeRetryData",
    "NodeRetryEvent",
    "NodeStartedData",
    "NodeStartedEvent",
    "PingEvent",
    "ReasoningChunkData",
    "ReasoningChunkEvent",
    "RoundsCompletedData",
    "RoundsNextData",
    "RoundsStartedData",
    "StreamEvent",
    "StreamEventBase",
    "TextChunkData",
    "TextChunkEvent",
    "TextReplaceData",
    "TextReplaceEvent",
    "TtsMessageEndEvent",
    "TtsMessageEvent",
    "UnknownEvent",
    "WorkflowFinishedData",
    "WorkflowFinishedEvent",
    "WorkflowPausedData",
    "WorkflowPausedEvent",
    "WorkflowStartedData",
    "WorkflowStartedEvent",
    "encode_stream_event",
    "parse_stream_event",
]

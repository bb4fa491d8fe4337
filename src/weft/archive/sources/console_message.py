"""Messages of a console as plain JSON values: those that their wire model would give, several times faster.

A pull reads every message that there is. What is as plain as nearly all of them are is decoded straight into
its fields; a page with anything else (keys that nobody knows, values of another type) is read by the model,
so that there is one truth about what a message may look like.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from weft import wire
from weft.archive.json_text import JsonObject


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of `wire.console.ChatMessage` that are there, of the types that need no thought."""

    id: str
    conversation_id: str | None = None
    inputs: JsonObject = {}
    query: str | None = None
    answer: str | None = None
    message: str | list[JsonObject] | JsonObject | None = None
    message_tokens: int = 0
    answer_tokens: int = 0
    provider_response_latency: float | None = None
    from_source: str | None = None
    from_end_user_id: str | None = None
    from_end_user_session_id: str | None = None
    from_account_id: str | None = None
    from_account_name: str | None = None
    feedbacks: list[JsonObject] = []
    workflow_run_id: str | None = None
    annotation: JsonObject | None = None
    annotation_hit_history: JsonObject | None = None
    agent_thoughts: list[JsonObject] = []
    message_files: list[JsonObject] = []
    metadata: JsonObject = {}
    status: str | None = None
    error: str | None = None
    parent_message_id: str | None = None
    extra_contents: list[JsonObject] = []
    created_at: int | None = None


class _Page(msgspec.Struct):
    data: list[_Message]
    limit: int = 20
    has_more: bool = False


_MODELS: dict[str, type[wire.WireModel]] = {
    "feedbacks": wire.console.ChatMessageFeedback,
    "agent_thoughts": wire.AgentThought,
    "message_files": wire.MessageFile,
}
"""What the items of these lists are."""
_decode = msgspec.json.Decoder(_Page).decode


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Some messages of a conversation, oldest first."""

    messages: list[JsonObject]
    has_more: bool
    """Whether there are older ones."""


def read_messages(body: bytes) -> MessagePage:
    """The messages of an answer, each as `to_dict` of its model would give it.

    Raises:
        ValueError: The answer is something else.
    """
    try:
        page = _decode(body)
        return MessagePage([_fields(message) for message in page.data], page.has_more)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        slow = wire.parse_answer(wire.console.ChatMessagePage, body)
        return MessagePage([message.to_dict() for message in slow.data], slow.has_more)


def _fields(message: _Message) -> JsonObject:
    if message.extra_contents:
        raise ValueError("forms have models of several kinds")
    fields: JsonObject = {name: getattr(message, name) for name in message.__struct_fields__}
    for name, model in _MODELS.items():
        items: list[JsonObject] = getattr(message, name)
        if items:
            fields[name] = [model.from_dict(item).to_dict() for item in items]
    return fields

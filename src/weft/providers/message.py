"""What is said to a chat model and by it: messages, their parts, tools and tool calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct


class TextPart(Struct, frozen=True, tag="text"):
    """A piece of text."""

    text: str


class ImagePart(Struct, frozen=True, tag="image"):
    """A picture."""

    url: str
    """``http(s):`` or ``data:`` address."""
    detail: Literal["low", "high", "auto"] = "auto"


class AudioPart(Struct, frozen=True, tag="audio"):
    """A recording."""

    url: str
    """``http(s):`` or ``data:`` address."""
    format: str = "wav"
    """Container, e.g. ``wav`` or ``mp3``."""


class VideoPart(Struct, frozen=True, tag="video"):
    """A film."""

    url: str
    """``http(s):`` or ``data:`` address."""


class FilePart(Struct, frozen=True, tag="file"):
    """A document, e.g. a PDF."""

    url: str
    """``http(s):`` or ``data:`` address."""
    filename: str = ""


Part: TypeAlias = TextPart | ImagePart | AudioPart | VideoPart | FilePart


class ToolCall(Struct, frozen=True):
    """The model wants a tool to be used."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it; it may be invalid."""


class ToolCallDelta(Struct, frozen=True):
    """A piece of a tool call; pieces with the same `index` belong together."""

    index: int
    """Position of the call in the reply, from 0."""
    id: str = ""
    """Set in the first piece only."""
    name: str = ""
    arguments: str = ""


class Tool(Struct, frozen=True):
    """A tool that the model may ask for."""

    name: str
    description: str
    parameters: dict[str, object]
    """JSON Schema of the arguments, an object."""


class Message(Struct, frozen=True):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[Part]
    tool_calls: list[ToolCall] = []
    """Only in an assistant's message."""
    tool_call_id: str | None = None
    """Only in a tool's message: the call that this is the result of."""
    from_history: bool = False
    """Said in an earlier run and told again; services are not told which messages are."""

    @property
    def text(self) -> str:
        """All text of the message; parts are joined by a newline."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


def last_user_text(messages: Sequence[Message]) -> str:
    """The text of the last message of the user, or ``""``."""
    for message in reversed(messages):
        if message.role == "user":
            return message.text
    return ""


def join_tool_calls(deltas: Iterable[ToolCallDelta]) -> list[ToolCall]:
    """Put the pieces of a reply's tool calls together, in the order of their indices."""
    ids: dict[int, str] = {}
    names: dict[int, str] = {}
    arguments: dict[int, list[str]] = {}
    for delta in deltas:
        pieces = arguments.setdefault(delta.index, [])
        pieces.append(delta.arguments)
        if delta.id:
            ids.setdefault(delta.index, delta.id)
        if delta.name:
            names.setdefault(delta.index, delta.name)
    return [
        ToolCall(ids.get(index, f"call_{index}"), names.get(index, ""), "".join(arguments[index]))
        for index in sorted(arguments)
    ]

"""What a tool says while it works: text, links, data, files, variables and lines of a log.

Source: Dify plugin protocol, tool messages.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from weft.variables import File, FileType, Value

LogStatus: TypeAlias = Literal["start", "success", "error"]


RESERVED_NAMES = frozenset({"text", "files", "json"})
"""Outputs that every tool has, so no variable may be called like them."""


class TextMessage(Struct, frozen=True):
    """The next piece of the tool's text."""

    text: str


class LinkMessage(Struct, frozen=True):
    """An address that people may want to open."""

    url: str


class ImageMessage(Struct, frozen=True):
    """A picture that lies at an address."""

    url: str


class JsonMessage(Struct, frozen=True):
    """An object."""

    value: dict[str, Value]


class VariableMessage(Struct, frozen=True):
    """An output that the tool names itself."""

    name: str
    value: Value
    stream: bool = False
    """The value is the next piece of a text."""


class FileMessage(Struct, frozen=True):
    """A file that is kept somewhere already."""

    file: File


class BlobMessage(Struct, frozen=True):
    """A file whose bytes the tool has."""

    data: bytes
    mime_type: str = "application/octet-stream"
    filename: str = ""
    """Empty for a name made of the kind."""
    type: FileType | None = None
    """``None`` for the one that the MIME type says."""


class LogMessage(Struct, frozen=True, kw_only=True):
    """A line of the tool's log; a line with a known id is a new state of that line."""

    id: str
    """Unique within the call."""
    label: str
    status: LogStatus = "success"
    parent_id: str | None = None
    """The line that this one belongs to; ``None`` for the outermost."""
    error: str | None = None
    data: dict[str, Value] = {}
    metadata: dict[str, Value] = {}


ToolMessage: TypeAlias = (
    TextMessage
    | LinkMessage
    | ImageMessage
    | JsonMessage
    | VariableMessage
    | FileMessage
    | BlobMessage
    | LogMessage
)

"""One chat message of an executor run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import uuid4

from weft.sessions.plain import (
    SCALARS,
    Convert,
    JsonObject,
    Part,
    Plain,
    field_names,
    held,
    known,
    plain,
    plain_object,
)


def now() -> int:
    """The present instant in unix seconds."""
    return int(time.time())


def _new_id() -> str:
    return str(uuid4())


@dataclass(kw_only=True)
class Message(Part):
    """What was said to a model, by it, or by a tool."""

    role: str
    """``system``, ``user``, ``assistant``, ``tool``, ``developer`` or any other text."""
    content: str | list[object] | None = None
    """Text, or parts for a message of several kinds."""
    id: str = field(default_factory=_new_id)
    compressed_content: str | None = None
    name: str | None = None
    tool_call_id: str | None = None
    """On a tool message: which call it answers."""
    tool_calls: list[JsonObject] | None = None
    """On an assistant message: ``{"id", "type", "function": {"name", "arguments"}}`` each."""
    tool_name: str | None = None
    tool_args: object = None
    tool_call_error: bool | None = None
    audio: list[Plain] | None = None
    images: list[Plain] | None = None
    videos: list[Plain] | None = None
    files: list[Plain] | None = None
    audio_output: Plain | None = None
    image_output: Plain | None = None
    video_output: Plain | None = None
    file_output: Plain | None = None
    reasoning_content: str | None = None
    redacted_reasoning_content: str | None = None
    provider_data: JsonObject | None = None
    citations: Plain | None = None
    references: Plain | None = None
    stop_after_tool_call: bool = False
    add_to_agent_memory: bool = True
    from_history: bool = False
    """Copied in from earlier runs to build the prompt."""
    temporary: bool = False
    metrics: Plain | None = None
    """Tokens and seconds."""
    created_at: int = field(default_factory=now)
    """Unix seconds."""
    checkpoint_status: str | None = None
    checkpoint_created_at: int | None = None
    extra: JsonObject = field(default_factory=dict)
    """Fields of other makers, kept as they came."""

    _UNLESS: ClassVar[dict[str, object]] = {"add_to_agent_memory": True, "temporary": False}
    """Written only when they are something else."""

    def get_content_string(self) -> str:
        """The content as text: of several parts the text of the first, or all as JSON."""
        if isinstance(self.content, str):
            return self.content
        if not self.content:
            return ""
        first = self.content[0]
        if isinstance(first, Mapping) and "text" in first:
            return str(first["text"])
        return json.dumps(plain(self.content), ensure_ascii=False)

    def dumped(self, convert: Convert) -> JsonObject:
        """Its fields as plain data, without what is absent or empty."""
        found: JsonObject = {}
        unless = self._UNLESS
        for name, value in held(self):
            if type(value) in SCALARS:
                if name not in unless or value != unless[name]:
                    found[name] = value
            elif name != "extra":
                dumped = convert(value)
                if dumped or not isinstance(dumped, list | dict):
                    found[name] = dumped
        return {**plain_object(self.extra), **found} if self.extra else found

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Message:
        """The message of plain data, which stays as it is; unknown fields are kept in `extra`.

        Raises:
            ValueError: It has no role.
        """
        return cls.loaded(data, plain)

    @classmethod
    def loaded(cls, data: Mapping[str, object], convert: Convert) -> Message:
        """As `from_dict`; what lies in the data goes through `convert`."""
        fields = known(cls, data, without=("extra",), convert=convert)
        if not isinstance(fields.get("role"), str):
            raise ValueError(f"message {data.get('id')!r} has no role; give it one, such as 'user'")
        for name in ("created_at", "id"):  # there is always one
            if fields.get(name) is None:
                fields.pop(name, None)
        extra: JsonObject = {}
        if len(fields) < len(data):
            names = field_names(cls)
            extra = {str(key): convert(value) for key, value in data.items() if key not in names}
        if extra:
            fields["extra"] = extra
        return cls.built(fields)

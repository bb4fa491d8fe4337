"""A chat request in the words of the OpenAI-compatible protocol.

Source: OpenAI API reference, "Create chat completion"; video parts as in vLLM and Qwen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from weft.providers.chat import ChatRequest, Feature
from weft.providers.message import AudioPart, FilePart, ImagePart, Message, Part, TextPart

Body: TypeAlias = dict[str, object]

# What the same setting is called in apps that were made for services with their own protocol.
_SYNONYMS = {
    "max_output_tokens": "max_tokens",
    "max_tokens_to_sample": "max_tokens",
    "num_predict": "max_tokens",
}
# Ours to decide, whatever an app's parameters say.
_RESERVED = frozenset(
    {"model", "messages", "stream", "stream_options", "tools", "tool_choice", "n", "json_schema"}
)
_ESSENTIAL = frozenset({"model", "messages", "stream", "tools", "tool_choice", "stop"})

_UNSUPPORTED_CODES = frozenset({"unknown_parameter", "unsupported_parameter", "unsupported_value"})
_UNSUPPORTED = re.compile(
    r"unsupported|not (?:\w+ )?support|unknown|unrecognized|unexpected|not permitted|not allowed|forbidden"
    r"|unavailable|no such|extra (?:field|input)",
    re.IGNORECASE,
)


def chat_body(request: ChatRequest, features: frozenset[Feature]) -> Body:
    """The request's body, before anything is left out that this service refuses."""
    body: Body = {"model": request.model, "messages": [_message(message) for message in request.messages]}
    stop = list(request.stop)
    for name, value in request.parameters.items():
        if name == "stop":
            stop += [value] if isinstance(value, str) else [str(item) for item in _list(value)]
        elif name == "response_format":
            response_format = _response_format(value, request.parameters.get("json_schema"))
            if response_format is not None:
                body[name] = response_format
        elif name not in _RESERVED and value is not None:
            body.setdefault(_SYNONYMS.get(name, name), value)
    stop = [item for item in dict.fromkeys(stop) if item]
    if stop:
        body["stop"] = stop
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
        if request.tool_choice:
            body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.response_schema is not None and "structured-output" in features:
        body["response_format"] = _schema_format(request.response_schema)
    if request.user:
        body["user"] = request.user
    body["stream"] = True
    body["stream_options"] = {"include_usage": True}
    return body


def encode_body(body: Body) -> bytes:
    """The body as JSON.

    What JSON cannot say is written as near as it can be: half a character as ``?``, an unknown value as text.
    """
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, OverflowError, TypeError):
        return json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _message(message: Message) -> Body:
    out: Body = {"role": message.role}
    if isinstance(message.content, str):
        out["content"] = message.content
    else:
        out["content"] = [_part(part) for part in message.content]
    if message.tool_calls:
        out["content"] = out["content"] or None
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out


def _part(part: Part) -> Body:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        image = {"url": part.url}
        if part.detail != "auto":
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}
    if isinstance(part, AudioPart):
        if part.url.startswith("data:"):
            data = part.url.partition(",")[2]
            return {"type": "input_audio", "input_audio": {"data": data, "format": part.format}}
        return {"type": "audio_url", "audio_url": {"url": part.url}}
    if isinstance(part, FilePart):
        return {"type": "file", "file": {"filename": part.filename, "file_data": part.url}}
    return {"type": "video_url", "video_url": {"url": part.url}}


def _tool_choice(choice: str) -> object:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _response_format(value: object, schema: object) -> object:
    """Apps store a word (``text``, ``json_object``, ``json_schema``), and the schema as JSON beside it."""
    if not isinstance(value, str):
        return value
    word = value.lower()
    if word in ("json_object", "json"):
        return {"type": "json_object"}
    if word != "json_schema":
        return None
    if isinstance(schema, str):
        try:
            schema = msgspec.json.decode(schema)
        except msgspec.DecodeError:
            return {"type": "json_object"}
    if not isinstance(schema, Mapping):
        return {"type": "json_object"}
    # Either the whole object of the protocol, or only the schema in it.
    if isinstance(schema.get("schema"), Mapping):
        return {"type": "json_schema", "json_schema": {"name": "response", **schema}}
    return _schema_format(schema)


def _schema_format(schema: Mapping[str, object]) -> Body:
    return {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": schema, "strict": _is_strict(schema)},
    }


def _is_strict(schema: object) -> bool:
    """Whether every object in it is closed and requires all it names, as strict mode demands."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if schema.get("type") == "object" or properties is not None:
            names = set(properties) if isinstance(properties, Mapping) else set()
            if schema.get("additionalProperties") is not False or set(_list(schema.get("required"))) != names:
                return False
        return all(_is_strict(value) for value in schema.values())
    if isinstance(schema, list):
        return all(_is_strict(item) for item in schema)
    return True


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else []


class Adaptation(Struct, frozen=True):
    """A field that a service refuses, and the name under which it takes the value, if any."""

    field: str
    instead: str | None = None

    def apply(self, body: Body) -> None:
        """Leave the field out of a body, or rename it."""
        if self.field in body:
            value = body.pop(self.field)
            if self.instead is not None:
                body[self.instead] = value

    def __str__(self) -> str:
        return f"with {self.instead!r} for {self.field!r}" if self.instead else f"without {self.field!r}"


def find_adaptation(
    body: Body, *, status: int, message: str, param: str = "", code: str = "", own_format: bool = False
) -> Adaptation | None:
    """How a refused body can be made acceptable without changing what is asked.

    Services differ in which settings they take, and old apps carry settings that newer models refuse.
    Messages, tools and stop words are never dropped, nor a format that the app itself asked for.

    Args:
        body: What was sent.
        status: HTTP status of the refusal.
        message: The service's words.
        param: The field that the service named, if it did.
        code: The service's own code of the error.
        own_format: The response format was added for `ChatRequest.response_schema`.
    """
    if status not in (400, 422) or not (code in _UNSUPPORTED_CODES or _UNSUPPORTED.search(message)):
        return None
    named = re.split(r"[.\[]", param, maxsplit=1)[0]
    if named not in body:
        words = set(re.findall(r"\w+", message))
        named = next((name for name in body if name in words), "")
    if not named or named in _ESSENTIAL or (named == "response_format" and not own_format):
        return None
    if named == "max_tokens":
        return Adaptation(named, "max_completion_tokens") if "max_completion_tokens" in message else None
    if named == "max_completion_tokens":
        return Adaptation(named, "max_tokens")
    return Adaptation(named)

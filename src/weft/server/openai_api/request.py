"""What a chat completion asks for, in our words.

A front end sends the whole conversation with every message and knows nothing of inputs; both ends meet in
`CompletionRequest`. What only makes sense for a bare model (temperature, tools, formats) is not read at all:
the app decides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from weft.errors import InvalidRequestError
from weft.nodes import Turn
from weft.wire import parse_uuid

CONVERSATION_HEADER = "x-weft-conversation-id"
"""In requests: the conversation to go on with; in answers: the one that it belongs to."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question to an app."""

    query: str
    files: list[dict[str, str]]
    """Those of the question, as chat messages have them."""
    turns: tuple[Turn, ...]
    """What was said before, oldest first."""
    inputs: dict[str, object]
    conversation_id: str | None
    streaming: bool
    include_usage: bool
    """Whether a stream ends with the usage."""


@dataclass(frozen=True, slots=True)
class GivenHistory:
    """What the caller says was said before."""

    turns: tuple[Turn, ...]

    async def recent(self, limit: int) -> list[Turn]:
        """The newest exchanges, oldest first."""
        return list(self.turns[-limit:]) if limit > 0 else []


def parse_completion(body: Mapping[str, Any], header: str | None) -> CompletionRequest:
    """Read the body of a chat completion.

    Args:
        body: The JSON object.
        header: The value of `CONVERSATION_HEADER`; it counts before what the body's metadata say.

    Raises:
        InvalidRequestError: A field that is read is wrong; `fields` names it.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(item, dict) for item in messages):
        raise _wrong("messages", "messages must be a list of objects")
    if body.get("n") not in (None, 1):
        raise _wrong("n", "n must be 1: an app answers once")
    metadata = _object(body, "metadata")
    last = max((place for place, item in enumerate(messages) if item.get("role") == "user"), default=None)
    if last is None:
        raise _wrong("messages", "messages must hold one of the role 'user'")
    query, files = _question(messages[last].get("content"), f"messages[{last}].content")
    given = header if header is not None else metadata.get("conversation_id")
    options = _object(body, "stream_options")
    return CompletionRequest(
        query=query,
        files=files,
        turns=_turns(messages[:last]),
        inputs=_inputs(body, metadata),
        conversation_id=_conversation_id(given),
        streaming=_switch(body, "stream"),
        include_usage=_switch(options, "include_usage"),
    )


def _question(content: object, path: str) -> tuple[str, list[dict[str, str]]]:
    files: list[dict[str, str]] = []
    texts: list[str] = []
    for place, part in enumerate(_parts(content, path)):
        match part:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                if not url.startswith(("http://", "https://")):
                    raise _wrong(
                        f"{path}[{place}]",
                        "images must be given by an address of http or https; data in it is not taken",
                    )
                files.append({"type": "image", "transfer_method": "remote_url", "url": url})
            case _:
                kind = part.get("type") if isinstance(part, dict) else None
                raise _wrong(
                    f"{path}[{place}]", f"a part of type {kind!r} is not taken, only text and image_url are"
                )
    query = "\n".join(texts).replace("\x00", "")
    if not query.strip():
        raise _wrong(path, "the last message of the user must hold a text")
    return query, files


def _parts(content: object, path: str) -> Sequence[object]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise _wrong(path, "content must be a text or a list of parts")
    return content


def _turns(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    """Pairs of question and answer; several messages of one side in a row are one.

    Instructions and the results of tools are left out, and so is what nobody has answered.
    """
    turns: list[Turn] = []
    asked: list[str] = []
    answered: list[str] = []
    for message in messages:
        text = _plain(message.get("content"))
        if message.get("role") == "user":
            if answered:
                turns.append(Turn("\n\n".join(asked), "\n\n".join(answered)))
                asked, answered = [], []
            asked.append(text)
        elif message.get("role") == "assistant" and asked and text:
            answered.append(text)
    if answered:
        turns.append(Turn("\n\n".join(asked), "\n\n".join(answered)))
    return tuple(turns)


def _plain(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))


def _inputs(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, object]:
    """Values of start variables; metadata can hold only texts in some clients, so JSON text is read too."""
    for path, given in (("inputs", body.get("inputs")), ("metadata.inputs", metadata.get("inputs"))):
        if given is None:
            continue
        if isinstance(given, str):
            try:
                given = msgspec.json.decode(given)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                given = None
        if not isinstance(given, dict):
            raise _wrong(path, f"{path} must be an object")
        return given
    return {}


def _conversation_id(given: object) -> str | None:
    if given is None or given == "":
        return None
    try:
        return parse_uuid(given.strip() if isinstance(given, str) else "")
    except ValueError as error:
        raise _wrong("metadata.conversation_id", f"conversation_id {error}") from error


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = fields.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _wrong(name, f"{name} must be an object")
    return found


def _switch(fields: Mapping[str, Any], name: str) -> bool:
    found = fields.get(name)
    if not isinstance(found, bool | None):
        raise _wrong(name, f"{name} must be true or false")
    return found is True


def _wrong(param: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, {param: message})

"""The reply of an OpenAI-compatible service, bytes in and chunks out, without any waiting.

Source: OpenAI API reference, "chat completion chunk"; and what services make of it: usage in every chunk
(the last counts), in the choice or missing; empty or absent `choices`; a first chunk with a role only;
thoughts in `reasoning_content` or `reasoning`; tool calls without index or id; errors inside a stream that
began well; a whole completion where a stream was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from weft.errors import BadReplyError
from weft.providers.chat import ChatChunk, TokenUsage
from weft.providers.message import ToolCallDelta
from weft.providers.openai_refusal import Refusal, parse_refusal, plain_words
from weft.providers.sse import EventSplitter
from weft.providers.token import estimate_tokens

_BOM = b"\xef\xbb\xbf"
# data, event, id, retry, and a comment.
_FIELD_STARTS = b"deir:"
_MAX_PLAIN_BYTES = 16 * 1024 * 1024


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class _Choice(Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    index: int | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None


class _Groq(Struct):
    usage: _Usage | None = None


class _Event(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    message: Any = None
    x_groq: _Groq | None = None


_decode = msgspec.json.Decoder(_Event).decode


class ReplyReader:
    """Reads one reply.

    After each `feed`, and after `finish`: hand out the chunks first, then look at `failure`, then at `done`.
    """

    def __init__(self) -> None:
        self.done = False
        """The service said that it has finished."""
        self.failure: Refusal | str | None = None
        """Why there will be no more: the error that the service sent, or what is wrong with its reply."""
        self.is_cut = False
        """The failure is that the body ended too early."""
        self.finish_reason: str | None = None
        self.usage: TokenUsage | None = None
        self._events: EventSplitter | None = None
        self._head = b""
        self._texts: list[str] = []
        self._tool_calls = _ToolCallNumbers()

    def feed(self, data: bytes) -> list[ChatChunk]:
        """The chunks in this piece of the body."""
        events = self._events
        if events is None:
            events = self._recognise(data)
            if events is None:
                return []
            data, self._head = self._head, b""
        try:
            return self._read(events.feed(data))
        except BadReplyError as error:
            self.failure = str(error)
            return []

    def finish(self) -> list[ChatChunk]:
        """The chunks that the end of the body completes."""
        if self._events is not None:
            chunks = self._read(self._events.finish())
        elif self._head:
            chunks = self._read([self._head])
            self.done = self.done or bool(chunks)
        else:
            chunks = []
        if not self.done and self.failure is None and self.finish_reason is None:
            self.is_cut = True
            self.failure = (
                "the reply broke off before it was complete" if self._texts else "the reply is empty"
            )
        return chunks

    def last_chunk(self, estimate_prompt: Callable[[], int]) -> ChatChunk:
        """The chunk that ends the reply.

        Args:
            estimate_prompt: Counts the prompt's tokens; asked only if the service counted nothing.
        """
        usage = self.usage
        if usage is None or not usage.total_tokens:
            prompt, completion = estimate_prompt(), estimate_tokens("".join(self._texts))
            usage = TokenUsage(prompt, completion, prompt + completion)
        return ChatChunk(usage=usage, finish_reason=self.finish_reason)

    def _recognise(self, data: bytes) -> EventSplitter | None:
        """Tell a stream from a plain body by its first character; headers are wrong too often."""
        self._head = (self._head + data).removeprefix(_BOM).lstrip()
        first = self._head[:1]
        if first and first in _FIELD_STARTS:
            self._events = EventSplitter()
        elif len(self._head) > _MAX_PLAIN_BYTES:
            self.failure = f"the reply is larger than {_MAX_PLAIN_BYTES} bytes"
        elif first not in (b"", b"{"):
            self.failure = f"the service sent no answer but {_excerpt(self._head)}"
        return self._events

    def _read(self, payloads: Sequence[bytes]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for payload in payloads:
            try:
                event = _decode(payload)
            except msgspec.DecodeError:
                if payload.upper() == b"[DONE]":
                    self.done = True
                    break
                found = _decode_loosely(payload)
                if found is None:
                    self.failure = (
                        f"the service sent what is not JSON: {parse_refusal(payload[:200]).message}"
                    )
                    break
                event = found
            chunk = self._chunk(event, payload)
            if chunk is not None:
                chunks.append(chunk)
            elif self.failure is not None:
                break
        return chunks

    def _chunk(self, event: _Event, payload: bytes) -> ChatChunk | None:
        if (
            event.error is not None
            or event.usage is not None
            or not event.choices
            or event.x_groq is not None
        ):
            self._note(event, payload)
        if not event.choices:
            return None
        choice = event.choices[0]
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        if choice.usage is not None:
            self._count(choice.usage)
        delta = choice.delta or choice.message
        if delta is None or choice.index:
            return None
        text = delta.content or delta.refusal or ""
        reasoning = delta.reasoning_content or delta.reasoning or ""
        if delta.tool_calls:
            return ChatChunk(text, reasoning, self._number(delta.tool_calls, text + reasoning))
        if text or reasoning:
            self._texts.append(text or reasoning)
            if text and reasoning:
                self._texts.append(reasoning)
            return ChatChunk(text, reasoning)
        return None

    def _note(self, event: _Event, payload: bytes) -> None:
        """What an event holds besides a piece of the answer."""
        if event.error or (not event.choices and event.usage is None and event.message):
            self.failure = parse_refusal(payload)
        usage = event.usage or (event.x_groq.usage if event.x_groq else None)
        if usage is not None:
            self._count(usage)

    def _count(self, usage: _Usage) -> None:
        prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
        self.usage = TokenUsage(prompt, completion, usage.total_tokens or prompt + completion)

    def _number(self, calls: Sequence[_ToolCall], words: str) -> list[ToolCallDelta]:
        self._texts.append(words)
        deltas = []
        for call in calls:
            function = call.function or _Function()
            name, arguments = function.name or "", function.arguments or ""
            self._texts.append(name + arguments)
            index, id = self._tool_calls.place(call.index, call.id or "", name)
            deltas.append(ToolCallDelta(index, id, name, arguments))
        return deltas


def _excerpt(data: bytes) -> str:
    return plain_words(data[:2000].decode("utf-8", "replace").strip())[:200]


class _ToolCallNumbers:
    """Finds out which call a piece belongs to.

    Some services leave out the index, others send 0 for every call and tell them apart by id, others send
    an index and no id.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._made_up: list[bool] = []
        self._named: list[bool] = []
        self._places: dict[int, int] = {}

    def place(self, index: int | None, id: str, name: str) -> tuple[int, str]:
        """Position of the call, and its id if this is its first piece (else ``""``)."""
        known = self._places.get(index) if index is not None else len(self._ids) - 1
        if known is None or known < 0:
            return self._open(index, id, name)
        if id and id != self._ids[known] and not self._made_up[known]:
            if id in self._ids:
                return self._ids.index(id), ""
            return self._open(index, id, name)
        if index is None and not id and name and self._named[known]:
            return self._open(index, id, name)
        self._named[known] = self._named[known] or bool(name)
        return known, ""

    def _open(self, index: int | None, id: str, name: str) -> tuple[int, str]:
        place = len(self._ids)
        self._made_up.append(not id)
        id = id or f"call_{place}"
        self._ids.append(id)
        self._named.append(bool(name))
        if index is not None:
            self._places[index] = place
        return place, id


def _decode_loosely(payload: bytes) -> _Event | None:
    """Read an event whose fields have unusual types, e.g. text as a list of parts; ``None`` if not JSON."""
    try:
        raw = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return None
    if not isinstance(raw, Mapping):
        return _Event()
    choices = raw.get("choices")
    loose = (
        [_loose_choice(item) for item in choices if isinstance(item, Mapping)]
        if isinstance(choices, list)
        else None
    )
    return _Event(
        choices=loose,
        usage=_loose_usage(raw.get("usage")),
        error=raw.get("error"),
        message=raw.get("message"),
    )


def _loose_choice(raw: Mapping[str, Any]) -> _Choice:
    delta = raw.get("delta") or raw.get("message")
    reason, index = raw.get("finish_reason"), raw.get("index")
    return _Choice(
        delta=_loose_delta(delta) if isinstance(delta, Mapping) else None,
        index=index if isinstance(index, int) else None,
        finish_reason=str(reason) if reason is not None else None,
        usage=_loose_usage(raw.get("usage")),
    )


def _loose_delta(raw: Mapping[str, Any]) -> _Delta:
    text, thoughts = _loose_text(raw.get("content"))
    thoughts += _loose_text(raw.get("reasoning_content") or raw.get("reasoning"))[0]
    calls = raw.get("tool_calls")
    return _Delta(
        content=text,
        reasoning_content=thoughts,
        refusal=_loose_text(raw.get("refusal"))[0],
        tool_calls=[_loose_call(item) for item in calls if isinstance(item, Mapping)]
        if isinstance(calls, list)
        else None,
    )


def _loose_text(raw: object) -> tuple[str, str]:
    """Text and thoughts of a content that may be a list of parts (Mistral's thinking models)."""
    if isinstance(raw, str):
        return raw, ""
    text = thoughts = ""
    for part in raw if isinstance(raw, list) else []:
        if isinstance(part, Mapping):
            text += _loose_text(part.get("text"))[0]
            thoughts += _loose_text(part.get("thinking"))[0]
        elif isinstance(part, str):
            text += part
    return text, thoughts


def _loose_call(raw: Mapping[str, Any]) -> _ToolCall:
    function = raw.get("function")
    inner: Mapping[str, Any] = function if isinstance(function, Mapping) else {}
    index, id, name, arguments = raw.get("index"), raw.get("id"), inner.get("name"), inner.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = msgspec.json.encode(arguments).decode()
    return _ToolCall(
        index=index if isinstance(index, int) else None,
        id=str(id) if id is not None else None,
        function=_Function(str(name) if name is not None else None, arguments),
    )


def _loose_usage(raw: object) -> _Usage | None:
    if not isinstance(raw, Mapping):
        return None
    counts = [raw.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    return _Usage(*(int(count) if isinstance(count, int | float) else None for count in counts))

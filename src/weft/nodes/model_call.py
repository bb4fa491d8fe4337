"""Calling a chat model and folding the stream of its reply; shared by all nodes that ask one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from weft.errors import ProviderError
from weft.nodes.context import Context
from weft.nodes.model_config import ModelConfig, ResolvedModel
from weft.nodes.shown_file import with_bytes
from weft.providers import (
    ChatRequest,
    Message,
    Part,
    TextPart,
    TokenUsage,
    ToolCall,
    ToolCallDelta,
    Usage,
    estimate_prompt_tokens,
    estimate_tokens,
    join_tool_calls,
)
from weft.variables import Value

_MAX_RECORDED_URL = 200


class ReplySink:
    """Takes the pieces of a reply as they come; this one only keeps them."""

    __slots__ = ("pieces", "thoughts")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        """The text, to be joined."""
        self.thoughts: list[str] = []
        """What the model thought, where that is known apart from the text; to be joined."""

    def text(self, piece: str) -> None:
        """The text goes on."""
        self.pieces.append(piece)

    def reasoning(self, piece: str) -> None:
        """The service sends a thought apart from the text."""
        self.thoughts.append(piece)

    def finish(self) -> None:
        """The reply is complete."""

    def break_off(self) -> None:
        """The service failed in the middle of the reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """A whole reply."""

    text: str
    reasoning: str
    tool_calls: list[ToolCall]
    usage: Usage
    finish_reason: str | None


async def call_model(
    context: Context,
    config: ModelConfig,
    model: ResolvedModel,
    request: ChatRequest,
    sink: ReplySink | None = None,
) -> ModelReply:
    """Ask a model and listen to the end.

    What was asked, what it cost and how it ended is noted in the context's `process_data`, `usage` and
    `metadata`. A call that breaks off counts with an estimate of the tokens used until then.

    Raises:
        ProviderError: The service failed.
        NodeFailedError: A file that it shall see cannot be had.
    """
    sink = sink or ReplySink()
    _note_request(context, config, request)
    request = msgspec.structs.replace(request, messages=await with_bytes(request.messages, context))
    clock = context.services.clock
    began = clock.monotonic()
    first: float | None = None
    tokens: TokenUsage | None = None
    finish_reason: str | None = None
    calls: list[ToolCallDelta] = []
    usage = Usage.zero()
    chunks = model.chat.stream_chat(request)
    try:
        async for chunk in chunks:
            if chunk.usage is not None:
                tokens, finish_reason = chunk.usage, chunk.finish_reason
                continue
            if first is None:
                first = clock.monotonic()
            if chunk.text:
                sink.text(chunk.text.replace("\0", ""))  # no database holds it
            if chunk.reasoning:
                sink.reasoning(chunk.reasoning)
            if chunk.tool_calls:
                calls.extend(chunk.tool_calls)
        sink.finish()
    except ProviderError:
        sink.break_off()
        raise
    finally:
        if hasattr(chunks, "aclose"):
            await chunks.aclose()
        if tokens is not None or first is not None:
            usage = context.services.models.prices.usage(
                config.provider,
                _priced_name(context, config, model),
                tokens or _estimate(request, sink),
                latency=clock.monotonic() - began,
                time_to_first_token=None if first is None else first - began,
            )
            _note_usage(context, usage, finish_reason)
    return ModelReply(
        text="".join(sink.pieces),
        reasoning="".join(sink.thoughts),
        tool_calls=join_tool_calls(calls),
        usage=usage,
        finish_reason=finish_reason,
    )


def usage_value(usage: Usage) -> dict[str, Value]:
    """The usage as an output of a node."""
    return cast("dict[str, Value]", usage.to_wire())


def _priced_name(context: Context, config: ModelConfig, model: ResolvedModel) -> str:
    """What the model that answers is called in the price list; a deployment may have any name."""
    known = context.services.models.prices.find(config.provider, model.name)
    return config.name if known is None else model.name


def _estimate(request: ChatRequest, sink: ReplySink) -> TokenUsage:
    prompt = estimate_prompt_tokens(request.messages, request.tools)
    completion = estimate_tokens("".join((*sink.thoughts, *sink.pieces)))
    return TokenUsage(prompt, completion, prompt + completion)


def _note_usage(context: Context, usage: Usage, finish_reason: str | None) -> None:
    context.usage = usage
    context.metadata["total_tokens"] = usage.total_tokens
    context.metadata["total_price"] = format(usage.total_price, "f")
    context.metadata["currency"] = usage.currency
    context.process_data["usage"] = usage_value(usage)
    context.process_data["finish_reason"] = finish_reason


def _note_request(context: Context, config: ModelConfig, request: ChatRequest) -> None:
    context.process_data = {
        "model_mode": config.mode,
        "prompts": _recorded(request.messages, marked=context.recalls),
        "model_provider": config.provider,
        "model_name": config.name,
    }


def _recorded(messages: Sequence[Message], *, marked: bool) -> list[Value]:
    """A prompt; where a node remembers, each message says whether it is remembered."""
    return [
        {
            "role": message.role,
            "text": message.text,
            "files": []
            if isinstance(message.content, str)
            else [_recorded_part(part) for part in message.content if not isinstance(part, TextPart)],
            **({"from_history": message.from_history} if marked else {}),
        }
        for message in messages
    ]


def _recorded_part(part: Part) -> dict[str, Value]:
    """A part without its text; an address that carries the bytes themselves is cut."""
    url = "" if isinstance(part, TextPart) else part.url
    if len(url) > _MAX_RECORDED_URL and url.startswith("data:"):
        url = f"{url[:40]}…"
    return {"type": type(part).__name__.removesuffix("Part").lower(), "url": url}

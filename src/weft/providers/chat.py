"""The face that every chat model shows: one request in, a stream of chunks out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from weft.providers.message import Message, Tool, ToolCallDelta

Feature: TypeAlias = Literal["vision", "audio", "video", "document", "tool-call", "structured-output"]


class ChatRequest(Struct, frozen=True):
    """What a model is asked."""

    model: str
    """The service's own name of the model, as `Models.resolve` returned it."""
    messages: list[Message]
    parameters: dict[str, object] = {}
    """The app's `completion_params`: `temperature`, `max_tokens`, `response_format`, ..."""
    stop: list[str] = []
    tools: list[Tool] = []
    tool_choice: str | None = None
    """``auto``, ``none``, ``required`` or the name of one tool."""
    response_schema: dict[str, object] | None = None
    """JSON Schema that the reply shall follow; sent only to models with ``structured-output``."""
    user: str | None = None
    node_id: str = ""
    """Who asks. For scripts and logs; it never leaves the process."""
    example: str = ""
    """A reply of the form that is asked for, for models that do not think; it never leaves the process."""


class TokenUsage(Struct, frozen=True):
    """Tokens of one call."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class ChatChunk(Struct, frozen=True):
    """A piece of a reply.

    Only the last chunk of a reply has `usage` (always) and `finish_reason` (if the service gave one);
    it has nothing else.
    """

    text: str = ""
    reasoning: str = ""
    """What the model thought before it answered, where the service sends it apart from the text."""
    tool_calls: list[ToolCallDelta] = []
    usage: TokenUsage | None = None
    finish_reason: str | None = None
    """``stop``, ``length``, ``tool_calls``, ``content_filter`` or a word of the service's own."""


class ChatModel(Protocol):
    """The chat models of one provider."""

    name: str
    """The provider's name as the app spells it."""

    def features(self, model: str) -> frozenset[Feature]:
        """What that model can do beyond text."""
        ...

    def context_size(self, model: str) -> int | None:
        """How many tokens prompt and reply may have together; ``None`` if unknown."""
        ...

    def stream_chat(self, request: ChatRequest) -> AsyncIterator[ChatChunk]:
        """Ask the model; chunks come as the service sends them.

        Leaving the iteration early, or cancelling the task, ends the call at the service; wrap the
        iterator in `contextlib.aclosing` when you leave a loop by ``break``.

        Raises:
            CredentialsError: The service refused the key.
            RateLimitedError: Too many requests, also after the configured retries.
            QuotaExceededError: Nothing left to spend.
            UnsupportedModelError: The service does not know the model.
            ProviderTimeoutError: No connection, or silence for too long.
            BadReplyError: The service failed, broke off or sent what cannot be understood. Chunks
                that came before it broke have been given out.
            ProviderError: The service refused the request for another reason.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

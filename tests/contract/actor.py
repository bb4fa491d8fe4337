"""A chat model that says what a test tells it to, when the test lets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

from weft.errors import ProviderError
from weft.providers import ChatChunk, ChatRequest, Feature, TokenUsage, last_user_text

Part = Callable[[ChatRequest], AsyncIterator[str | ChatChunk]]
"""What to say to a request: pieces of text, or whole chunks. It may wait in between, and raise at the end."""

TITLE = "A title"
"""What every conversation is called by this model."""


class Gate:
    """A place where a part waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    async def wait(self) -> None:
        self.reached.set()
        await self._open.wait()

    async def seen(self) -> None:
        """Wait until somebody stands before the gate."""
        async with asyncio.timeout(10):
            await self.reached.wait()


class Actor:
    """The model; without a part it says ``You said:`` and repeats what it was told."""

    name = "actor"

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []
        self._parts: dict[str, Part] = {}

    def play(self, cue: str, part: Part) -> None:
        """Play a part for requests with that cue in the last message of the user, or from that node."""
        self._parts[cue] = part

    def forget(self) -> None:
        """Play no part any more."""
        self._parts.clear()

    def asked(self, cue: str) -> list[ChatRequest]:
        """The requests of nodes that hold the cue."""
        return [request for request in self.requests if cue in last_user_text(request.messages)]

    def features(self, model: str) -> frozenset[Feature]:
        return frozenset({"vision", "tool-call", "structured-output"})

    def context_size(self, model: str) -> int | None:
        return None

    async def close(self) -> None:
        return None

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        said = 0
        async for piece in self._part(request)(request):
            said += 1
            yield ChatChunk(text=piece) if isinstance(piece, str) else piece
            if isinstance(piece, ChatChunk) and piece.usage is not None:
                return
        asked = sum(len(message.text.split()) for message in request.messages)
        yield ChatChunk(usage=TokenUsage(asked, said, asked + said), finish_reason="stop")

    def _part(self, request: ChatRequest) -> Part:
        if not request.node_id:
            return pieces([TITLE])
        self.requests.append(request)
        text = last_user_text(request.messages)
        for cue, part in self._parts.items():
            if cue == request.node_id or cue in text:
                return part
        return pieces(words(f"You said: {text}"))


def pieces(texts: Iterable[str]) -> Part:
    """A part that says these texts at once."""
    kept = list(texts)

    async def part(request: ChatRequest) -> AsyncIterator[str | ChatChunk]:
        for text in kept:
            yield text

    return part


def raising(error: ProviderError, *texts: str) -> Part:
    """A part that says these texts and fails."""

    async def part(request: ChatRequest) -> AsyncIterator[str | ChatChunk]:
        for text in texts:
            yield text
        raise error

    return part


def words(text: str) -> list[str]:
    """Pieces that end before each blank."""
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]

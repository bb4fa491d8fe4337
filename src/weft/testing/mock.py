"""Stand-ins for what a node would get from outside: a model's reply, a tool's result, a failure.

A mock takes the place of one node's work in a chatflow that is otherwise run as it is. Error strategies,
retries, streaming and records work on it as on the real thing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from weft.errors import ConfigError, NodeFailedError
from weft.graph import NodeSpec
from weft.nodes import Context, Node, NodeResult, build_node
from weft.providers import (
    ChatChunk,
    ChatRequest,
    Feature,
    Http,
    Models,
    ModelsConfig,
    ProviderConfig,
    ProviderType,
    TokenUsage,
)
from weft.registry import Registry
from weft.variables import Value, revive

MODEL_TYPES = frozenset({"llm", "question-classifier", "parameter-extractor"})
"""Node types that ask a model once; a mock may say what it replies."""


class Mock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens instead; give one of `text`, `chunks`, `outputs` and `error`."""

    text: str | None = None
    """The model's reply, for nodes that ask a model; the node makes of it what it always does."""
    chunks: list[str] | None = None
    """The same in the pieces in which it streams."""
    outputs: dict[str, Any] | None = None
    """The node's outputs; its own work is left out."""
    handle: str | None = None
    """With `outputs`: the way out that a branch takes."""
    error: str | None = None
    """Why the node fails."""
    error_type: str = "MockedError"

    def __post_init__(self) -> None:
        given = [name for name in ("text", "chunks", "outputs", "error") if getattr(self, name) is not None]
        if len(given) != 1:
            told = "nothing" if not given else " and ".join(given)
            raise ValueError(f"a mock says one of text, chunks, outputs and error; this one says {told}")


Run = Callable[[Context], Awaitable[NodeResult]]


class Mocks:
    """The mocks of one app.

    Args:
        given: By the node's id, its title, or ``type:`` and its type; of several that fit, that order
            counts. A list is what happens the first time, the second and so on; its last entry stays.
    """

    def __init__(self, given: Mapping[str, Mock | Sequence[Mock]]) -> None:
        self._given = {key: [mock] if isinstance(mock, Mock) else list(mock) for key, mock in given.items()}
        self._calls: dict[str, int] = {}
        self._found: set[str] = set()

    def build(self, spec: NodeSpec) -> Node[Any]:
        """Make a node, with its mock in the place of its work if it has one."""
        node = build_node(spec)
        for key in (spec.id, spec.title, f"type:{spec.type}"):
            if key in self._given:
                self._found.add(key)
                if spec.type not in MODEL_TYPES and any(_reply(mock) for mock in self._given[key]):
                    raise ConfigError(
                        f"mock {key!r}: node {spec.id!r} is of type {spec.type!r} and asks no model itself; "
                        "say its outputs instead of text"
                    )
                stand_in(node, self._work(key, node.run))
                break
        return node

    def restart(self) -> None:
        """Begin again with the first entry of every list."""
        self._calls.clear()

    def check(self) -> None:
        """Make sure that every mock has found its node.

        Raises:
            ConfigError: Some have not.
        """
        lost = [key for key in self._given if key not in self._found]
        if lost:
            raise ConfigError(
                f"mocks without a node: {', '.join(map(repr, lost))}; a mock goes by a node's id, its title, "
                "or type:<type>"
            )

    def _work(self, key: str, original: Run) -> Run:
        async def run(context: Context) -> NodeResult:
            mocks = self._given[key]
            calls = self._calls.get(key, 0)
            self._calls[key] = calls + 1
            return await play(mocks[min(calls, len(mocks) - 1)], context, original)

        return run


def stand_in(node: Node[Any], run: Run) -> None:
    """Put a function in the place of a node's work; everything else about the node stays."""
    vars(node)["run"] = run


async def play(mock: Mock, context: Context, original: Run, usage: TokenUsage | None = None) -> NodeResult:
    """Do what a mock says.

    Args:
        mock: What to do.
        context: Of the node.
        original: The node's own work.
        usage: Tokens that a reply takes; counted in words unless given.

    Raises:
        NodeFailedError: It says that the node fails.
    """
    if mock.error is not None:
        raise NodeFailedError(mock.error, error_type=mock.error_type)
    if mock.outputs is not None:
        await asyncio.sleep(0)
        outputs: dict[str, Value] = {name: revive(value) for name, value in mock.outputs.items()}
        return NodeResult(outputs, handle=mock.handle)
    reply = _Reply(mock.chunks if mock.chunks is not None else [mock.text or ""], usage)
    context.services = replace(context.services, models=reply.models(context))
    return await original(context)


def _reply(mock: Mock) -> bool:
    return mock.text is not None or mock.chunks is not None


class _Reply:
    """A model that says these pieces."""

    name = "mock"

    def __init__(self, pieces: Sequence[str], usage: TokenUsage | None) -> None:
        self._pieces = pieces
        self._usage = usage

    def models(self, context: Context) -> Models:
        """A gateway where it answers for all."""
        types: Registry[ProviderType] = Registry("provider type", "weft.testing.providers", {})
        types.add("mock", lambda name, config, *, clock, http: self)
        services = context.services
        config = ModelsConfig(default=ProviderConfig(type="mock"), prices=services.models.prices)
        return Models(config, clock=services.clock, http=Http(None), types=types)

    def features(self, model: str) -> frozenset[Feature]:
        return frozenset({"vision", "audio", "video", "document"})

    def context_size(self, model: str) -> int | None:
        return None

    async def close(self) -> None:
        return None

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        for piece in self._pieces:
            yield ChatChunk(text=piece)
        yield ChatChunk(usage=self._usage or self._counted(request), finish_reason="stop")

    def _counted(self, request: ChatRequest) -> TokenUsage:
        said = sum(len(piece.split()) for piece in self._pieces)
        asked = sum(len(message.text.split()) for message in request.messages)
        return TokenUsage(asked, said, asked + said)

"""The models that knowledge retrieval asks: what they do, and what it costs."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from weft.nodes.context import Context, usage_metadata
from weft.nodes.model_call import ModelReply, call_model
from weft.nodes.model_config import ModelConfig, ResolvedModel
from weft.providers import ChatRequest, EmbeddingModel, Message, TokenUsage, Usage
from weft.retrieval import Embedder

_PUBLISHER = "langgenius"
"""Providers of this publisher have names of three words."""


def note_usage(context: Context, usage: Usage) -> None:
    """Count a call to a model for the node, beside those before it."""
    context.usage = usage if context.usage is None else context.usage + usage
    context.metadata |= usage_metadata(context.usage)


def note_tokens(context: Context, provider: str, model: str, tokens: TokenUsage, began: float) -> None:
    """Count a call that began at that time of the clock and used these tokens."""
    latency = context.services.clock.monotonic() - began
    note_usage(context, context.services.models.prices.usage(provider, model, tokens, latency=latency))


async def ask_model(
    context: Context, config: ModelConfig, system: str, query: str, *, example: str
) -> ModelReply:
    """Put a task to a chat model; its cost is added to the node's, and its prompt is not recorded.

    Args:
        context: Of the node.
        config: Which model, and how.
        system: The task.
        query: The text that it is about.
        example: A reply of the right form, for models that do not think.

    Raises:
        ProviderError: The service failed, or nobody answers for the model.
    """
    model = ResolvedModel.find(context, config)
    parameters, stop = config.parameters(context.pool)
    request = ChatRequest(
        model.name,
        [Message("system", system), Message("user", query)],
        parameters=parameters,
        stop=stop,
        user=context.run.user,
        node_id=context.node_id,
        example=example,
    )
    nothing = Usage.zero()
    before, recorded, context.usage = context.usage, context.process_data, nothing
    try:
        return await call_model(context, config, model, request)
    finally:
        spent, context.usage, context.process_data = context.usage, before, recorded
        if spent is not nothing:
            note_usage(context, spent)


class NodeEmbedders:
    """The embedding models of the server, as datasets see them; questions count for the node.

    What is embedded of a dataset does not: it is kept, and whoever searches first is not the one who pays.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def find(self, name: str) -> Embedder:
        """The model of that name; see `weft.retrieval.Embedders`."""
        provider, model = _split(name)
        found, known_as = self._context.services.models.resolve_embedding(provider, model)
        return _NodeEmbedder(self._context, found, known_as)


class _NodeEmbedder:
    def __init__(self, context: Context, found: EmbeddingModel, model: str) -> None:
        self._context = context
        self._found = found
        self._model = model
        self.key = f"{found.name}/{model}"

    async def embed_texts(self, texts: Sequence[str]) -> list[array[float]]:
        return (await self._found.embed(self._model, texts)).vectors

    async def embed_query(self, text: str) -> array[float]:
        began = self._context.services.clock.monotonic()
        embeddings = await self._found.embed(self._model, [text])
        if embeddings.usage.total_tokens:
            note_tokens(self._context, self._found.name, self._model, embeddings.usage, began)
        return embeddings.vectors[0]


def _split(name: str) -> tuple[str, str]:
    """``provider/model``, where a provider is one word or three, and a model any number."""
    parts = name.split("/")
    words = 3 if parts[0] == _PUBLISHER else 1
    return "/".join(parts[:words]), "/".join(parts[words:])

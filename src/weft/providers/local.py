"""The provider ``weft``: models that are part of this program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from weft.clock import Clock
from weft.errors import UnsupportedModelError
from weft.providers.chat import ChatChunk, ChatRequest, Feature
from weft.providers.config import ProviderConfig
from weft.providers.embedding import Embeddings
from weft.providers.http import Http
from weft.providers.ngram import HASHED_NGRAM, ngram_vector


class LocalModels:
    """Embeds texts with `hashed-ngram`, in this process and at no cost; it does not chat."""

    def __init__(self, name: str, config: ProviderConfig, *, clock: Clock, http: Http) -> None:
        self.name = name

    def features(self, model: str) -> frozenset[Feature]:
        """None."""
        return frozenset()

    def context_size(self, model: str) -> int | None:
        """Unknown."""
        return None

    def stream_chat(self, request: ChatRequest) -> AsyncIterator[ChatChunk]:
        """There is nobody to talk to."""
        raise self._unknown(request.model, "chat")

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """Turn texts into vectors of 512 numbers; see `EmbeddingModel.embed`."""
        if model != HASHED_NGRAM:
            raise self._unknown(model, "embedding")
        if len(texts) <= 1:
            return Embeddings([ngram_vector(text) for text in texts])
        return Embeddings(await asyncio.to_thread(lambda: [ngram_vector(text) for text in texts]))

    async def close(self) -> None:
        """Nothing to do."""

    def _unknown(self, model: str, use: str) -> UnsupportedModelError:
        return UnsupportedModelError(
            f"provider {self.name!r} has no model {model!r} for {use}; it has only {HASHED_NGRAM!r}, "
            "for embedding",
            provider=self.name,
            model=model,
        )

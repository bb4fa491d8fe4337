"""The face that embedding models show: texts in, vectors out."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from weft.providers.chat import TokenUsage


class Embeddings(Struct, frozen=True):
    """What became of some texts."""

    vectors: list[array[float]]
    """One each, in the order of the texts, of type code ``f`` and all of one length."""
    usage: TokenUsage = TokenUsage()


@runtime_checkable
class EmbeddingModel(Protocol):
    """The embedding models of one provider."""

    name: str
    """The provider's name as the app spells it."""

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """Turn texts into vectors whose angles say how alike the texts are.

        Args:
            model: The service's own name of the model.
            texts: Any number; they are sent in as many requests as it takes.

        Raises:
            ProviderError: As for `ChatModel.stream_chat`.
        """
        ...

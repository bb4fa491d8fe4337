"""The face that rerank models show: how well each of some texts suits a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from weft.providers.chat import TokenUsage


class Reranking(Struct, frozen=True):
    """What a model thinks of some texts."""

    scores: list[float | None]
    """One each, in the order of the texts, mostly from 0 to 1; ``None`` for what the model left out."""
    usage: TokenUsage = TokenUsage()


@runtime_checkable
class RerankModel(Protocol):
    """The rerank models of one provider."""

    name: str
    """The provider's name as the app spells it."""

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Reranking:
        """Score texts by how well they answer a question.

        Args:
            model: The service's own name of the model.
            query: The question.
            texts: At least one.

        Raises:
            ProviderError: As for `ChatModel.stream_chat`.
        """
        ...

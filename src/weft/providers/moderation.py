"""The face of models that find what should not be said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct


class Moderation(Struct, frozen=True):
    """What a model thinks of a text."""

    flagged: bool
    categories: list[str] = []
    """Those that apply, in the service's words."""


@runtime_checkable
class ModerationModel(Protocol):
    """The moderation models of one provider."""

    name: str
    """The provider's name as the app spells it."""

    async def moderate(self, model: str, texts: Sequence[str]) -> list[Moderation]:
        """Judge texts, each for itself.

        Args:
            model: The service's own name of the model.
            texts: At least one.

        Raises:
            ProviderError: As for `ChatModel.stream_chat`.
        """
        ...

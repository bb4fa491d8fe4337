"""The embedding model that an app's annotations are compared by."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from weft.errors import CredentialsError, UnsupportedModelError
from weft.providers import EmbeddingModel, Models

log = logging.getLogger(__name__)

_BUILT_IN = ("weft", "hashed-ngram")


class ModelEmbedder:
    """A model of a provider as an `Embedder`.

    Args:
        found: Who embeds.
        model: What the model is called there.
    """

    def __init__(self, found: EmbeddingModel, model: str) -> None:
        self._found = found
        self._model = model

    @property
    def label(self) -> str:
        """Provider and model."""
        return f"{self._found.name}/{self._model}"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `Embedder.embed`."""
        embeddings = await self._found.embed(self._model, texts)
        return [list(vector) for vector in embeddings.vectors]


def find_embedder(models: Models, provider: str, model: str) -> ModelEmbedder:
    """The embedder for what a caller has named; the built-in one for a provider that is not set up here.

    Callers that come from elsewhere name the model that they had there. Annotations shall work for them too,
    and the built-in model always does.

    Args:
        models: Who answers for a model.
        provider: As the caller spells it; empty for the usual one.
        model: As the caller spells it; empty for the provider's own.

    Raises:
        ConfigError: The provider's settings are wrong.
        ProviderError: There is not even the built-in model.
    """
    try:
        return ModelEmbedder(*models.resolve_embedding(provider, model))
    except (CredentialsError, UnsupportedModelError) as error:
        log.info("annotations are compared by %s/%s: %s", *_BUILT_IN, error)
        return ModelEmbedder(*models.resolve_embedding(*_BUILT_IN))

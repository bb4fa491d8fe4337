"""What can be searched, and what a search needs from outside."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Protocol

from weft.retrieval.condition import MetadataFilter
from weft.retrieval.passage import Passage


class Embedder(Protocol):
    """A model that turns texts into vectors whose angles say how alike the texts are."""

    @property
    def key(self) -> str:
        """What tells its vectors from those of all other models."""
        ...

    async def embed_texts(self, texts: Sequence[str]) -> list[array[float]]:
        """Vectors of what is searched, all of one length, in order.

        Raises:
            ProviderError: The model's service failed.
        """
        ...

    async def embed_query(self, text: str) -> array[float]:
        """The vector of a question.

        Raises:
            ProviderError: The model's service failed.
        """
        ...


class Embedders(Protocol):
    """All models that there are."""

    def find(self, name: str) -> Embedder:
        """The model of that name.

        Args:
            name: ``provider/model``; empty for the one that is usually taken.

        Raises:
            ProviderError: Nobody answers for it; the message says what to set.
        """
        ...


class Retriever(Protocol):
    """One dataset."""

    @property
    def dataset_id(self) -> str:
        """The id that apps know it by."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def description(self) -> str:
        """What can be found in it, for a model that has to choose; may be empty."""
        ...

    async def metadata_fields(self) -> Sequence[str]:
        """What is noted down about its documents and can be filtered by; empty where nobody knows.

        Raises:
            RetrievalError: The dataset cannot be read now.
        """
        ...

    async def search(
        self,
        query: str,
        *,
        top_k: int,
        score_threshold: float | None = None,
        filters: MetadataFilter | None = None,
        embedders: Embedders | None = None,
    ) -> list[Passage]:
        """The passages that suit a query, best first.

        Args:
            query: What somebody wants to know; not empty.
            top_k: How many passages at the most.
            score_threshold: Leave out what has a lower score; ``None`` leaves out nothing.
            filters: What the documents must be like.
            embedders: Models for datasets that are searched by meaning here; without them words have to do.

        Raises:
            RetrievalError: The dataset cannot be searched now.
            ProviderError: An embedding model failed.
        """
        ...

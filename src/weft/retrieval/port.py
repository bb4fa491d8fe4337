"""What can be searched."""

from __future__ import annotations

from typing import Protocol

from weft.retrieval.condition import MetadataFilter
from weft.retrieval.passage import Passage


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

    async def search(
        self,
        query: str,
        *,
        top_k: int,
        score_threshold: float | None = None,
        filters: MetadataFilter | None = None,
    ) -> list[Passage]:
        """The passages that suit a query, best first.

        Args:
            query: What somebody wants to know; not empty.
            top_k: How many passages at the most.
            score_threshold: Leave out what has a lower score; ``None`` leaves out nothing.
            filters: What the documents must be like.

        Raises:
            RetrievalError: The dataset cannot be searched now.
        """
        ...

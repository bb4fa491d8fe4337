"""Which of an app's annotations is most like a question."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Protocol, TypeAlias

from weft.store import Annotation

_AT_ONCE = 200
"""Comparisons after which others get their turn; they take about 4 ms."""


class Embedder(Protocol):
    """One model that turns texts into vectors whose angles say how alike the texts are."""

    @property
    def label(self) -> str:
        """Provider and model, to tell its vectors from others'."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text, in order, all of one length.

        Raises:
            ProviderError: The model failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Match:
    """The annotation that is most like a question."""

    annotation: Annotation
    score: float
    """0 to 1; 1 for the same text, whatever its case and the blanks around it."""


_Entry: TypeAlias = tuple[Annotation, Sequence[float], float]


class AnnotationIndex:
    """The annotations of one app, ready to be compared with.

    Args:
        annotations: All of them, oldest first; of two that ask the same the newer counts.
        embedder: Whose vectors are compared. Annotations that it has not seen match exactly or not at all.
    """

    def __init__(self, annotations: Sequence[Annotation], embedder: Embedder) -> None:
        self._embedder = embedder
        self._exact = {normal_form(annotation.question): annotation for annotation in annotations}
        self._entries: list[_Entry] = []
        for annotation in annotations:
            vector = annotation.embedding
            length = math.hypot(*vector) if vector and annotation.embedding_model == embedder.label else 0.0
            if vector and length:
                self._entries.append((annotation, vector, length))

    async def best(self, question: str) -> Match | None:
        """The annotation that is most like the question; `None` if nothing can be compared.

        Raises:
            ProviderError: The embedding model failed.
        """
        exact = self._exact.get(normal_form(question))
        if exact is not None:
            return Match(exact, 1.0)
        if not self._entries:
            return None
        (vector,) = await self._embedder.embed([question])
        length = math.hypot(*vector)
        if not length:
            return None
        found: Match | None = None
        for place, (annotation, other, other_length) in enumerate(self._entries):
            if place % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            if len(other) != len(vector):
                continue
            score = min(1.0, max(0.0, sum(map(mul, vector, other)) / (length * other_length)))
            if found is None or score >= found.score:
                found = Match(annotation, score)
        return found


def normal_form(question: str) -> str:
    """A question without what does not matter: case, and blanks around it."""
    return question.strip().casefold()

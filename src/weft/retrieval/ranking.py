"""Keyword search by BM25, in memory."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Sequence

from weft.retrieval.words import index_words, query_words

_K1 = 1.2
_B = 0.75


class KeywordIndex:
    """Texts by the words in them.

    Args:
        texts: What is searched; results name them by their place, from 0.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        # Place and count by turns: a tenth of what a list of pairs takes.
        self._postings: dict[str, array[int]] = {}
        lengths = []
        for place, text in enumerate(texts):
            words = index_words(text)
            lengths.append(len(words))
            for word, count in Counter(words).items():
                self._postings.setdefault(word, array("I")).extend((place, count))
        average = sum(lengths) / len(lengths) if lengths else 0.0
        self._slack = [_K1 * (1 - _B + _B * length / average) if average else _K1 for length in lengths]

    def search(
        self, query: str, limit: int, allowed: Sequence[bool] | None = None
    ) -> list[tuple[int, float]]:
        """Places and scores of the texts that suit best, best first.

        A score is the share of the query's weight that a text carries, from 0 to 1; words that no text has
        weigh nothing.

        Args:
            query: Words in any order.
            limit: How many at the most.
            allowed: For each text whether it may be found; ``None`` for all.
        """
        scores: dict[int, float] = {}
        weights = 0.0
        for word in query_words(query):
            postings = self._postings.get(word)
            if postings is None:
                continue
            texts = len(postings) // 2
            weight = math.log(1 + (len(self._slack) - texts + 0.5) / (texts + 0.5))
            weights += weight
            for place, count in zip(postings[::2], postings[1::2], strict=True):
                if allowed is None or allowed[place]:
                    scores[place] = scores.get(place, 0.0) + weight * count / (count + self._slack[place])
        best = heapq.nsmallest(limit, scores.items(), key=lambda entry: (-entry[1], entry[0]))
        return [(place, score / weights) for place, score in best]


def similarity(query: str, texts: Sequence[str]) -> list[float]:
    """How alike a query and each text are by their words, weighed against one another; from 0 to 1.

    Source: Dify knowledge retrieval, weighted reranking: the cosine of TF-IDF vectors.
    """
    counts = [Counter(index_words(text)) for text in texts]
    spread = Counter(word for count in counts for word in count)
    weight = {word: math.log((1 + len(texts)) / (1 + number)) + 1 for word, number in spread.items()}
    wanted = {word: weight[word] for word in query_words(query) if word in weight}
    return [
        _cosine(wanted, {word: number * weight[word] for word, number in count.items()}) for count in counts
    ]


def _cosine(left: dict[str, float], right: dict[str, float]) -> float:
    product = sum(value * right.get(word, 0.0) for word, value in left.items())
    if not product:
        return 0.0
    return product / (math.hypot(*left.values()) * math.hypot(*right.values()))

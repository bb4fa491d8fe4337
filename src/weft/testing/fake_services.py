"""What the fake model service does beside chatting: it embeds, reranks, speaks, listens and moderates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

_EMBEDDINGS = "/v1/embeddings"
_RERANK = "/v1/rerank"
_SPEECH = "/v1/audio/speech"
_TRANSCRIPTIONS = "/v1/audio/transcriptions"
_MODERATIONS = "/v1/moderations"
SERVICE_PATHS = (_EMBEDDINGS, _RERANK, _SPEECH, _TRANSCRIPTIONS, _MODERATIONS)
"""Addresses that are no chat."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def answer_service(
    path: str, body: bytes, *, text: str | None, raw: Sequence[bytes] | None, with_usage: bool
) -> dict[str, object] | list[bytes]:
    """The reply to a request.

    Vectors count letters, a reranked text scores the share of the question's words that it has, speech is
    ``ID3`` and the spoken text, one piece a word, a text is flagged if it says ``bad``.

    Args:
        path: One of `SERVICE_PATHS`.
        body: Of the request.
        text: What is heard in a recording; its size in bytes unless given.
        raw: Audio to send instead.
        with_usage: Report tokens: a word is one.

    Returns:
        JSON, or the pieces of a recording.
    """
    if path == _TRANSCRIPTIONS:
        return {"text": f"{len(body)} bytes" if text is None else text}
    asked: dict[str, Any] = msgspec.json.decode(body)
    if path == _SPEECH:
        words = re.findall(r"\S+\s*", asked["input"])
        return list(raw) if raw is not None else [b"ID3", *(word.encode() for word in words)]
    if path == _EMBEDDINGS:
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        data: list[dict[str, object]] = [
            {"object": "embedding", "index": index, "embedding": _vector(item)}
            for index, item in enumerate(texts)
        ]
        return {"object": "list", "model": asked.get("model"), "data": data, **_usage(with_usage, texts)}
    if path == _RERANK:
        texts = asked["documents"]
        results = [
            {"index": index, "relevance_score": _share(asked["query"], item)}
            for index, item in enumerate(texts)
        ]
        results.sort(key=lambda result: -result["relevance_score"])
        return {"results": results[: asked.get("top_n")], **_usage(with_usage, [asked["query"], *texts])}
    texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
    return {"results": [{"flagged": "bad" in item, "categories": {"hate": "bad" in item}} for item in texts]}


def _vector(text: str) -> list[float]:
    counts = Counter(text.lower())
    return [float(counts[letter]) for letter in _LETTERS] + [1.0]


def _share(query: str, text: str) -> float:
    wanted = set(query.lower().split())
    return len(wanted & set(text.lower().split())) / len(wanted) if wanted else 0.0


def _usage(with_usage: bool, texts: Sequence[str]) -> dict[str, object]:
    count = sum(len(text.split()) for text in texts)
    return {"usage": {"prompt_tokens": count, "total_tokens": count}} if with_usage else {}

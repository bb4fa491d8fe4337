"""What accompanies an answer: usage and the passages it was built from."""

from __future__ import annotations

from pydantic import Field

from weft.wire._field import JsonObject, ListOf, Part
from weft.wire._model import SparseModel, WireModel
from weft.wire.instant import Created
from weft.wire.usage import Usage


class RetrieverResource(Created, WireModel):
    """One passage of a knowledge base that went into an answer."""

    id: str | None = None
    message_id: str | None = None
    position: int | None = None
    """Place among the passages of this answer, from 1."""
    dataset_id: str | None = None
    dataset_name: str | None = None
    document_id: str | None = None
    document_name: str | None = None
    data_source_type: str | None = None
    segment_id: str | None = None
    score: float | None = None
    hit_count: int | None = None
    word_count: int | None = None
    segment_position: int | None = None
    index_node_hash: str | None = None
    content: str | None = None
    summary: str | None = None
    created_at: int | None = None
    """Unix seconds."""


class AnswerMetadata(SparseModel):
    """`metadata` of an answer and of `message_end`."""

    annotation_reply: JsonObject | None = None
    """Null; the key is left out altogether after an annotation answered."""
    retriever_resources: ListOf[RetrieverResource] = Field(default_factory=list)
    usage: Part[Usage] = Field(default_factory=Usage)

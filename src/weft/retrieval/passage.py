"""A piece of a document that was found."""

from __future__ import annotations

from dataclasses import dataclass, field

from weft.variables import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document and where it comes from; what a dataset does not know is ``None``."""

    content: str
    score: float | None = None
    """The higher the better; most datasets keep to 0 to 1."""
    vector_score: float | None = None
    """The part of the score that comes from likeness of meaning, where that is known apart; from 0 to 1."""
    title: str = ""
    document_id: str = ""
    document_name: str = ""
    data_source_type: str | None = None
    """Such as ``upload_file``; ``external`` for what comes from outside of Dify."""
    segment_id: str | None = None
    position: int | None = None
    """Of the piece in its document, from 1."""
    word_count: int | None = None
    hit_count: int | None = None
    index_node_hash: str | None = None
    summary: str | None = None
    child_chunks: list[Value] = field(default_factory=list)
    files: list[Value] = field(default_factory=list)
    metadata: dict[str, Value] = field(default_factory=dict)
    """What was noted down about the document."""
    external: bool = False
    """Whether it comes from a service that knows nothing of segments."""

"""Annotations: fixed answers to known questions. Source: Dify service API, `/apps/annotations`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from weft.wire._field import OptionalText, Text
from weft.wire._model import WireModel
from weft.wire.instant import Created
from weft.wire.page import Page

AnnotationReplyAction = Literal["enable", "disable"]


class Annotation(Created, WireModel):
    """A question and the answer that is given to it without asking a model."""

    id: str
    question: str | None = None
    answer: str | None = None
    hit_count: int | None = 0
    created_at: int | None = None
    """Unix seconds."""


AnnotationPage = Page[Annotation]


def _number_or(default: int) -> BeforeValidator:
    def read(value: object) -> int:
        text = str(value)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        return number or default

    return BeforeValidator(read)


class AnnotationsQuery(WireModel):
    """Query string of the list; numbers that make no sense fall back to the defaults."""

    page: Annotated[int, _number_or(1)] = 1
    limit: Annotated[int, _number_or(20)] = 20
    keyword: OptionalText = None
    """Part of question or answer, in any case."""


class AnnotationRequest(WireModel):
    """Body that creates or changes an annotation."""

    question: str
    answer: str


class AnnotationReplyRequest(WireModel):
    """Body that switches answering by annotations on."""

    score_threshold: Annotated[float, Field(ge=0, le=1)]
    """How alike a query must be to be answered, 0 to 1."""
    embedding_provider_name: str
    embedding_model_name: str


class AnnotationReplyJob(WireModel):
    """A switching on or off that is under way."""

    job_id: str
    job_status: str
    """``waiting``, ``processing``, ``completed`` or ``error``."""


class AnnotationReplyJobStatus(AnnotationReplyJob):
    """How far a switching on or off is."""

    error_msg: Text = ""
    """Empty unless `job_status` is ``error``."""

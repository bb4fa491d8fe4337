"""Feedback on answers. Source: Dify service API, `/messages/{id}/feedbacks` and `/app/feedbacks`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from weft.wire._field import PLAIN_INTEGER, ListOf, Text, User
from weft.wire._model import WireModel
from weft.wire.instant import Updated

Rating = Literal["like", "dislike"]


class FeedbackRequest(WireModel):
    """Body of an opinion; without a rating it takes the last one back."""

    rating: Rating | None = None
    content: str | None = None
    user: User


class FeedbacksQuery(WireModel):
    """Query string of all opinions on an app's answers."""

    page: Annotated[int, Field(ge=1), PLAIN_INTEGER] = 1
    limit: Annotated[int, Field(ge=1, le=101), PLAIN_INTEGER] = 20


class Feedback(Updated, WireModel):
    """One opinion on one answer."""

    id: str
    app_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    rating: Text = ""
    content: str | None = None
    from_source: Text = "user"
    """``user`` or ``admin``."""
    from_end_user_id: str | None = None
    from_account_id: str | None = None
    created_at: str | None = None
    """ISO 8601; without a zone it means UTC."""
    updated_at: str | None = None
    """ISO 8601; without a zone it means UTC."""


class FeedbackList(WireModel):
    """A page of opinions, newest first; the server tells neither its number nor the total."""

    data: ListOf[Feedback] = Field(default_factory=list)

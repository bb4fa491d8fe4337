"""All feedback of an app together with what it is about, for taking it elsewhere."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from weft.store.codec import instant, micros
from weft.store.records import FeedbackSource, Rating
from weft.store.tables import accounts, conversations, feedbacks, messages

_JOINED = (
    feedbacks.join(messages, messages.c.id == feedbacks.c.message_id)
    .join(conversations, conversations.c.id == messages.c.conversation_id)
    .outerjoin(accounts, accounts.c.id == feedbacks.c.account_id)
)


class FeedbackFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which feedback is wanted; everything that is given must hold."""

    from_source: FeedbackSource | None = None
    rating: Rating | None = None
    has_comment: bool | None = None
    start: datetime | None = None
    """Inclusive."""
    end: datetime | None = None
    """Exclusive."""


class ExportedFeedback(msgspec.Struct, frozen=True):
    """A judgement with its message."""

    id: str
    rating: Rating
    content: str | None
    from_source: FeedbackSource
    created_at: datetime
    end_user_id: str | None
    account_name: str | None
    message_id: str
    query: str
    answer: str
    """Its beginning."""
    message_created_at: datetime
    conversation_id: str
    conversation_name: str


def list_all(
    connection: Connection, app_id: str, wanted: FeedbackFilter, *, answer_chars: int
) -> tuple[ExportedFeedback, ...]:
    """The feedback of an app, newest first, with the first characters of the answers."""
    conditions: list[ColumnElement[bool]] = [feedbacks.c.app_id == app_id]
    if wanted.from_source is not None:
        conditions.append(feedbacks.c.from_source == wanted.from_source)
    if wanted.rating is not None:
        conditions.append(feedbacks.c.rating == wanted.rating)
    if wanted.has_comment is not None:
        comment = func.coalesce(feedbacks.c.content, "")
        conditions.append(comment != "" if wanted.has_comment else comment == "")
    if wanted.start is not None:
        conditions.append(feedbacks.c.created_at >= micros(wanted.start))
    if wanted.end is not None:
        conditions.append(feedbacks.c.created_at < micros(wanted.end))
    rows = connection.execute(
        select(
            feedbacks.c.id,
            feedbacks.c.rating,
            feedbacks.c.content,
            feedbacks.c.from_source,
            feedbacks.c.created_at,
            feedbacks.c.end_user_id,
            accounts.c.name,
            messages.c.id,
            messages.c.query,
            func.substr(messages.c.answer, 1, answer_chars),
            messages.c.created_at,
            conversations.c.id,
            conversations.c.name,
        )
        .select_from(_JOINED)
        .where(*conditions)
        .order_by(feedbacks.c.created_at.desc(), feedbacks.c.id.desc())
    )
    return tuple(
        ExportedFeedback(*row[:4], instant(row[4]), *row[5:10], instant(row[10]), *row[11:]) for row in rows
    )

"""Feedback: what people think of answers, at most one judgement per message and side."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Integer, bindparam, delete, select

from weft.store.codec import Codec
from weft.store.records import Feedback, FeedbackSource
from weft.store.statement import Statement, upserting
from weft.store.tables import feedbacks

_CODEC = Codec(Feedback, feedbacks)
_PUT = upserting(
    feedbacks,
    "message_id",
    "from_source",
    changes=["rating", "content", "updated_at", "end_user_id", "account_id"],
)
_OF_APP = select(feedbacks).where(feedbacks.c.app_id == bindparam("app_id"))
_FIND = Statement(
    _OF_APP.where(feedbacks.c.message_id == bindparam("message_id")).where(
        feedbacks.c.from_source == bindparam("from_source")
    ),
    ["app_id", "message_id", "from_source"],
)
_REMOVE = Statement(
    delete(feedbacks)
    .where(feedbacks.c.app_id == bindparam("of_app"))
    .where(feedbacks.c.message_id == bindparam("of_message"))
    .where(feedbacks.c.from_source == bindparam("of_source")),
    ["of_app", "of_message", "of_source"],
)
_FARTHEST = 2**31 - 1
"""As far as both databases count without complaint."""
_PAGE = Statement(
    _OF_APP.order_by(feedbacks.c.created_at.desc(), feedbacks.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("skipped", type_=Integer)),
    ["app_id", "limit", "skipped"],
)


def put(connection: Connection, feedback: Feedback) -> Feedback:
    """Store a judgement in the place of the one that this side has given of the message, if any.

    The caller has made sure that the message is the app's. A judgement that is overwritten keeps its id and
    the time of its first giving; all else is the new one's, its content too where there is none.

    Args:
        connection: In a write.
        feedback: The judgement.

    Returns:
        It as it is stored.
    """
    _PUT.run(connection, *_CODEC.encode(feedback))
    found = find(connection, feedback.app_id, feedback.message_id, feedback.from_source)
    return feedback if found is None else found


def find(
    connection: Connection, app_id: str, message_id: str, from_source: FeedbackSource
) -> Feedback | None:
    """What that side thinks of a message of the app."""
    row = _FIND.row(connection, app_id, message_id, from_source)
    return None if row is None else _CODEC.decode(row)


def remove(connection: Connection, app_id: str, message_id: str, from_source: FeedbackSource) -> bool:
    """Take a judgement back; whether there was one."""
    return _REMOVE.run(connection, app_id, message_id, from_source) > 0


def list_page(connection: Connection, app_id: str, *, page: int = 1, limit: int = 20) -> tuple[Feedback, ...]:
    """A numbered page of all feedback of an app, of both sides, newest first; empty past the end.

    Source: Dify service API, `GET /app/feedbacks`.
    """
    skipped = min((page - 1) * limit, _FARTHEST)
    return _CODEC.decode_all(_PAGE.rows(connection, app_id, limit, skipped))


def list_by_message(
    connection: Connection, app_id: str, message_ids: Sequence[str]
) -> dict[str, tuple[Feedback, ...]]:
    """The feedback of messages by message id, the user's first; a message without any is absent."""
    if not message_ids:
        return {}
    query = (
        select(feedbacks)
        .where(feedbacks.c.app_id == app_id)
        .where(feedbacks.c.message_id.in_(message_ids))
        .order_by(feedbacks.c.from_source.desc())
    )
    found: dict[str, tuple[Feedback, ...]] = {}
    for feedback in _CODEC.decode_all(connection.execute(query).all()):
        found[feedback.message_id] = (*found.get(feedback.message_id, ()), feedback)
    return found

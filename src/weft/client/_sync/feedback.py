# Written by scripts/unasync.py from ../_async/feedback.py; change that file instead.
"""Opinions on answers, and the people behind them. Source: Dify service API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._call import get, given, path, send_only
from weft.client._feedback import feedbacks_walk
from weft.client._sync.items import Items
from weft.client._sync.session import Session
from weft.client._walk import OnProgress

if TYPE_CHECKING:
    from weft.wire import EndUser, Feedback, FeedbackList, Rating


class FeedbackOperations(Session):
    """What people think of answers."""

    def feedback(
        self, message_id: str, rating: Rating | None, *, user: str, content: str | None = None
    ) -> None:
        """Like or dislike an answer; a later opinion takes the place of this one, its content included.

        Args:
            message_id: Of the answer.
            rating: ``like``, ``dislike``, or ``None`` to take the last one back.
            user: Whose message it is.
            content: Why.

        Raises:
            NotFoundError: The message does not exist, or is another user's.
            InvalidRequestError: There is no opinion to take back.
        """
        fields = {**given(user=user, content=content), "rating": rating}
        address = path("messages", message_id, "feedbacks")
        self._send(send_only("POST", address, wire.FeedbackRequest, fields))

    def app_feedbacks(self, *, page: int = 1, limit: int = 20) -> FeedbackList:
        """One page of everybody's opinions, newest first.

        Args:
            page: Number of the page, from 1.
            limit: Opinions per page, 1 to 101.
        """
        return self._send(get(wire.FeedbackList, "/app/feedbacks", page=page, limit=limit))

    def iter_app_feedbacks(
        self, *, limit: int = 100, max_items: int | None = None, progress: OnProgress | None = None
    ) -> Items[Feedback]:
        """Everybody's opinions, newest first, page by page, none twice.

        Args:
            limit: Opinions per request, 1 to 101.
            max_items: Opinions at most.
            progress: Told after every page how far it is.
        """
        return self._walk(feedbacks_walk(limit), max_items=max_items, progress=progress)

    def end_user(self, end_user_id: str) -> EndUser:
        """The person behind a `user` text.

        Args:
            end_user_id: From `created_by` of an upload, or from a log or an opinion.

        Raises:
            NotFoundError: There is no such person in this app.
        """
        return self._send(get(wire.EndUser, path("end-users", end_user_id)))

# Written by scripts/unasync.py from ../_async/message.py; change that file instead.
"""Messages of a conversation. Source: Dify service API, `GET /messages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from weft import wire
from weft.client._call import get, path
from weft.client._sync.items import Items
from weft.client._sync.session import Session
from weft.client._walk import BackwardWalk, ChronologicalWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import CursorPage, Message


class MessageOperations(Session):
    """What was said in a conversation."""

    def messages(
        self,
        conversation_id: str,
        *,
        user: str | None = None,
        first_id: str | None = None,
        limit: int = 20,
    ) -> CursorPage[Message]:
        """One page of a conversation's messages, oldest first; pages go backwards in time.

        Args:
            conversation_id: Which conversation.
            user: Whose it is; ``None`` is the user shared by all who give none.
            first_id: First message of the page before; only older ones are returned.
            limit: Messages per page, 1 to 100.

        Raises:
            NotFoundError: The conversation or the message does not exist, or is another user's.
        """
        return self._send(
            get(
                wire.MessagePage,
                "/messages",
                conversation_id=conversation_id,
                user=user,
                first_id=first_id,
                limit=limit,
            )
        )

    def iter_messages(
        self,
        conversation_id: str,
        *,
        user: str | None = None,
        limit: int = 100,
        order: Literal["asc", "desc"] = "asc",
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> Items[Message]:
        """All messages of a conversation.

        Args:
            conversation_id: Which conversation.
            user: Whose it is; ``None`` is the user shared by all who give none.
            limit: Messages per request, 1 to 100.
            order: ``asc`` is as they were said, and reads all pages before the first message is
                given out; ``desc`` is newest first, page by page.
            max_items: Messages at most.
            progress: Told after every page how far it is.

        Raises:
            NotFoundError: The conversation does not exist, or is another user's.
        """
        page = get(wire.MessagePage, "/messages", conversation_id=conversation_id, user=user, limit=limit)
        walk = BackwardWalk(page) if order == "desc" else ChronologicalWalk(page)
        return self._walk(walk, max_items=max_items, progress=progress)

    def suggested_questions(self, message_id: str, *, user: str) -> list[str]:
        """Questions that could be asked after an answer; usually three, none when no model makes any.

        Args:
            message_id: Of the answer.
            user: Whose it is.

        Raises:
            NotFoundError: The message does not exist, or is another user's.
            InvalidRequestError: The app does not suggest questions.
        """
        address = path("messages", message_id, "suggested")
        return (self._send(get(wire.SuggestedQuestions, address, user=user))).data

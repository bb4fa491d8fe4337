"""Conversations. Source: Dify service API, `/conversations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.items import AsyncItems
from weft.client._async.session import Session
from weft.client._call import get, given, path, send, send_only
from weft.client._walk import ForwardWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import Conversation, ConversationSort, CursorPage


class ConversationOperations(Session):
    """Conversations of one user with the app."""

    async def conversations(
        self,
        *,
        user: str | None = None,
        last_id: str | None = None,
        limit: int = 20,
        sort_by: ConversationSort = "-updated_at",
    ) -> CursorPage[Conversation]:
        """One page of a user's conversations.

        Args:
            user: Whose; ``None`` is the user shared by all who give none.
            last_id: Last conversation of the page before.
            limit: Conversations per page, 1 to 100.
            sort_by: Order; a minus sign means newest first.

        Raises:
            NotFoundError: `last_id` is no conversation of this user.
        """
        return await self._send(
            get(
                wire.ConversationPage,
                "/conversations",
                user=user,
                last_id=last_id,
                limit=limit,
                sort_by=sort_by,
            )
        )

    def iter_conversations(
        self,
        *,
        user: str | None = None,
        limit: int = 100,
        sort_by: ConversationSort = "-updated_at",
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[Conversation]:
        """All conversations of a user, page by page, none lost or twice though messages arrive meanwhile.

        Args:
            user: Whose; ``None`` is the user shared by all who give none.
            limit: Conversations per request, 1 to 100.
            sort_by: Order; a minus sign means newest first.
            max_items: Conversations at most.
            progress: Told after every page how far it is.
        """
        page = get(wire.ConversationPage, "/conversations", user=user, limit=limit, sort_by=sort_by)
        return self._walk(ForwardWalk(page), max_items=max_items, progress=progress)

    async def rename_conversation(
        self,
        conversation_id: str,
        name: str | None = None,
        *,
        user: str | None = None,
        auto_generate: bool = False,
    ) -> Conversation:
        """Give a conversation another name.

        Args:
            conversation_id: Which.
            name: The new name, at most 255 characters.
            user: Whose conversation it is.
            auto_generate: Whether a model makes up the name instead.

        Raises:
            InvalidRequestError: There is neither a name nor the wish to have one made up.
            NotFoundError: The conversation does not exist, or is another user's.
        """
        fields = {**given(name=name, user=user), "auto_generate": auto_generate}
        return await self._send(
            send(
                "POST",
                wire.Conversation,
                path("conversations", conversation_id, "name"),
                wire.ConversationRenameRequest,
                fields,
            )
        )

    async def delete_conversation(self, conversation_id: str, *, user: str | None = None) -> None:
        """Delete a conversation with its messages; its runs stay in the logs.

        Args:
            conversation_id: Which.
            user: Whose conversation it is.

        Raises:
            NotFoundError: The conversation does not exist, or is another user's.
        """
        await self._send(
            send_only(
                "DELETE",
                path("conversations", conversation_id),
                wire.ConversationDeleteRequest,
                given(user=user),
            )
        )

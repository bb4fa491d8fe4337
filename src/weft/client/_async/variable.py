"""Conversation variables. Source: Dify service API, `/conversations/{id}/variables`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.items import AsyncItems
from weft.client._async.session import Session
from weft.client._call import get, given, path, send
from weft.client._walk import ForwardWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import ConversationVariable, CursorPage


class VariableOperations(Session):
    """Variables that a conversation keeps between its messages."""

    async def conversation_variables(
        self,
        conversation_id: str,
        *,
        user: str | None = None,
        last_id: str | None = None,
        limit: int = 20,
        variable_name: str | None = None,
    ) -> CursorPage[ConversationVariable]:
        """One page of a conversation's variables, in the order they were made.

        Args:
            conversation_id: Which conversation.
            user: Whose it is; ``None`` is the user shared by all who give none.
            last_id: Last variable of the page before.
            limit: Variables per page, 1 to 100.
            variable_name: Part of the name, in any case.

        Raises:
            NotFoundError: The conversation does not exist, or is another user's.
        """
        return await self._send(
            get(
                wire.VariablePage,
                path("conversations", conversation_id, "variables"),
                user=user,
                last_id=last_id,
                limit=limit,
                variable_name=variable_name,
            )
        )

    def iter_conversation_variables(
        self,
        conversation_id: str,
        *,
        user: str | None = None,
        limit: int = 100,
        variable_name: str | None = None,
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[ConversationVariable]:
        """All variables of a conversation, page by page.

        Args:
            conversation_id: Which conversation.
            user: Whose it is; ``None`` is the user shared by all who give none.
            limit: Variables per request, 1 to 100.
            variable_name: Part of the name, in any case.
            max_items: Variables at most.
            progress: Told after every page how far it is.
        """
        address = path("conversations", conversation_id, "variables")
        page = get(wire.VariablePage, address, user=user, limit=limit, variable_name=variable_name)
        return self._walk(ForwardWalk(page), max_items=max_items, progress=progress)

    async def update_conversation_variable(
        self, conversation_id: str, variable_id: str, value: object, *, user: str | None = None
    ) -> ConversationVariable:
        """Set a variable; the next run of the conversation sees it.

        Args:
            conversation_id: Which conversation.
            variable_id: Which variable.
            value: JSON value of the variable's type.
            user: Whose conversation it is.

        Raises:
            InvalidRequestError: The value has another type than the variable.
            NotFoundError: The conversation or the variable does not exist.
        """
        return await self._send(
            send(
                "PUT",
                wire.ConversationVariable,
                path("conversations", conversation_id, "variables", variable_id),
                wire.VariableUpdateRequest,
                {"value": value, **given(user=user)},
            )
        )

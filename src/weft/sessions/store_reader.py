"""Turns of conversations out of the server's own records."""

from __future__ import annotations

from weft.errors import NotFoundError
from weft.sessions.turn import SessionHead, Turn, TurnPage
from weft.store import (
    Connection,
    Message,
    Store,
    apps,
    conversation_variables,
    conversations,
    end_users,
    messages,
    node_executions,
    runs,
    workflows,
)


class StoreReader:
    """A `SessionReader` over a `Store`, for the conversations of one app.

    Args:
        store: The records.
        app_id: The app; conversations of others are not found.
    """

    def __init__(self, store: Store, app_id: str) -> None:
        self._store = store
        self._app_id = app_id

    async def head(self, session_id: str, *, user_id: str | None) -> SessionHead:
        """See `SessionReader.head`; `user_id` is the end user's text, or the account's id."""
        return await self._store.read(lambda connection: self._head(connection, session_id, user_id))

    def _head(self, connection: Connection, session_id: str, user_id: str | None) -> SessionHead:
        app = apps.find(connection, self._app_id)
        if app is None:
            raise NotFoundError(f"there is no app {self._app_id!r}", kind="app", id=self._app_id)
        conversation = conversations.get(connection, app.id, session_id, end_user_id=None)
        end_user = None
        if conversation.end_user_id is not None:
            end_user = end_users.find(connection, app.id, conversation.end_user_id)
        owner = conversation.account_id if end_user is None else end_user.session_id
        if user_id is not None and owner != user_id:
            raise NotFoundError("Conversation Not Exists.", kind="conversation", id=session_id)
        newest = messages.list_page(connection, app.id, session_id, limit=1).items
        run_id = newest[0].run_id if newest else None
        run = None if run_id is None else runs.find(connection, app.id, run_id)
        return SessionHead(
            app=app,
            conversation=conversation,
            end_user=end_user,
            variables=conversation_variables.list_all(connection, app.id, session_id),
            workflow=None if run is None else workflows.find(connection, app.id, run.workflow_id),
        )

    async def turns(self, session_id: str, *, before: str | None, limit: int, detail: bool) -> TurnPage:
        """See `SessionReader.turns`."""

        def read(connection: Connection) -> TurnPage:
            page = messages.list_page(connection, self._app_id, session_id, first_id=before, limit=limit)
            return TurnPage(tuple(self._turns(connection, page.items, detail=detail)), page.has_more)

        return await self._store.read(read)

    async def find_turn(self, session_id: str, id: str) -> Turn | None:
        """See `SessionReader.find_turn`."""

        def read(connection: Connection) -> Turn | None:
            run = runs.find(connection, self._app_id, id)
            message_id = id if run is None else run.message_id
            message = None if message_id is None else messages.find(connection, self._app_id, message_id)
            if message is None or message.conversation_id != session_id:
                return None
            return self._turns(connection, (message,), detail=True)[0]

        return await self._store.read(read)

    def _turns(self, connection: Connection, found: tuple[Message, ...], *, detail: bool) -> list[Turn]:
        files = messages.list_files(connection, [message.id for message in found]) if detail and found else {}
        turns = []
        for message in found:
            run = None if message.run_id is None else runs.find(connection, self._app_id, message.run_id)
            executions = (
                node_executions.list_by_run(connection, self._app_id, run.id)
                if detail and run is not None
                else ()
            )
            turns.append(
                Turn(message=message, run=run, executions=executions, files=files.get(message.id, ()))
            )
        return turns

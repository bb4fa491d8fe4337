"""Turns of conversations out of the server's own records."""

from __future__ import annotations

from weft.errors import NotFoundError
from weft.sessions.turn import SessionHead, Turn, TurnPage
from weft.store import (
    App,
    Connection,
    EndUser,
    Message,
    Run,
    Store,
    apps,
    conversation_variables,
    conversations,
    end_users,
    messages,
    runs,
    session_rows,
    workflows,
)


class StoreReader:
    """A `SessionReader` over a `Store`, for the conversations of one app, or for its runs if it has none.

    Args:
        store: The records.
        app_id: The app; what belongs to others is not found.
        end_user_id: Only what this end user has; `None` for everybody's.
    """

    def __init__(self, store: Store, app_id: str, *, end_user_id: str | None = None) -> None:
        self._store = store
        self._app_id = app_id
        self._end_user_id = end_user_id

    async def head(self, session_id: str, *, user_id: str | None) -> SessionHead:
        """See `SessionReader.head`; `user_id` is the end user's text, or the account's id."""
        return await self._store.read(lambda connection: self._head(connection, session_id, user_id))

    def _head(self, connection: Connection, session_id: str, user_id: str | None) -> SessionHead:
        app = apps.find(connection, self._app_id)
        if app is None:
            raise NotFoundError(f"there is no app {self._app_id!r}", kind="app", id=self._app_id)
        if app.mode == "workflow":
            return self._run_head(connection, app, session_id, user_id)
        conversation = conversations.get(connection, app.id, session_id, end_user_id=self._end_user_id)
        end_user = self._end_user(connection, conversation.end_user_id)
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

    def _run_head(
        self, connection: Connection, app: App, session_id: str, user_id: str | None
    ) -> SessionHead:
        run = runs.find(connection, app.id, session_id)
        end_user = None if run is None else self._end_user(connection, run.end_user_id)
        if (
            run is None
            or (self._end_user_id is not None and run.end_user_id != self._end_user_id)
            or (user_id is not None and user_id != (end_user.session_id if end_user else run.account_id))
        ):
            raise NotFoundError("Workflow run not found.", kind="run", id=session_id)
        return SessionHead(
            app=app,
            end_user=end_user,
            workflow=workflows.find(connection, app.id, run.workflow_id),
            session_id=run.id,
            run=run,
        )

    def _end_user(self, connection: Connection, end_user_id: str | None) -> EndUser | None:
        return None if end_user_id is None else end_users.find(connection, self._app_id, end_user_id)

    async def turns(self, session_id: str, *, before: str | None, limit: int, detail: bool) -> TurnPage:
        """See `SessionReader.turns`."""

        def read(connection: Connection) -> TurnPage:
            page = messages.list_page(connection, self._app_id, session_id, first_id=before, limit=limit)
            if page.items:
                return TurnPage(tuple(self._turns(connection, page.items, detail=detail)), page.has_more)
            run = runs.find(connection, self._app_id, session_id)
            return TurnPage(() if run is None else (self._alone(connection, run, detail=detail),), False)

        return await self._store.read(read)

    async def find_turn(self, session_id: str, id: str) -> Turn | None:
        """See `SessionReader.find_turn`."""

        def read(connection: Connection) -> Turn | None:
            run = runs.find(connection, self._app_id, id)
            if run is not None and run.message_id is None:
                return self._alone(connection, run, detail=True) if run.id == session_id else None
            message_id = id if run is None else run.message_id
            message = None if message_id is None else messages.find(connection, self._app_id, message_id)
            if message is None or message.conversation_id != session_id:
                return None
            return self._turns(connection, (message,), detail=True)[0]

        return await self._store.read(read)

    def _alone(self, connection: Connection, run: Run, *, detail: bool) -> Turn:
        """The run of an app without conversations."""
        found = session_rows.list_executions(connection, self._app_id, [run.id]) if detail else {}
        return Turn(run=run, executions=found.get(run.id, ()))

    def _turns(self, connection: Connection, found: tuple[Message, ...], *, detail: bool) -> list[Turn]:
        run_ids = [message.run_id for message in found if message.run_id is not None]
        ran = session_rows.list_runs(connection, self._app_id, run_ids)
        executions = session_rows.list_executions(connection, self._app_id, list(ran)) if detail else {}
        files = messages.list_files(connection, [message.id for message in found]) if detail else {}
        return [
            Turn(
                message=message,
                run=ran.get(message.run_id or ""),
                executions=executions.get(message.run_id or "", ()),
                files=files.get(message.id, ()),
            )
            for message in found
        ]

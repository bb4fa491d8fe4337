"""Turns of conversations out of the server's own records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.clock import Clock, SystemClock
from weft.errors import InvalidRequestError, NotFoundError
from weft.sessions.change import SessionChange
from weft.sessions.opinion import opinions_of
from weft.sessions.state_writing import change_session
from weft.sessions.turn import SessionHead, Turn, TurnPage
from weft.store import (
    App,
    Connection,
    EndUser,
    Form,
    Link,
    Message,
    NodeExecution,
    Run,
    Store,
    app_annotations,
    apps,
    conversation_variables,
    conversations,
    end_users,
    feedbacks,
    forms,
    messages,
    runs,
    session_rows,
    workflows,
)

_QUICK = 16
"""So few turns without detail are read in less time than it takes to hand the work to a thread."""
_ASKS = "human-input"


class StoreReader:
    """A `SessionReader` over a `Store`, for the conversations of one app, or for its runs if it has none.

    Args:
        store: The records.
        app_id: The app; what belongs to others is not found.
        end_user_id: Only what this end user has; `None` for everybody's.
        clock: Says when a session was changed.
    """

    def __init__(
        self, store: Store, app_id: str, *, end_user_id: str | None = None, clock: Clock | None = None
    ) -> None:
        self._store = store
        self._app_id = app_id
        self._end_user_id = end_user_id
        self._clock = clock or SystemClock()

    async def head(self, session_id: str, *, user_id: str | None, detail: bool = True) -> SessionHead:
        """See `SessionReader.head`; `user_id` is the end user's text, or the account's id."""
        read = self._store.read if detail else self._store.read_quick
        return await read(lambda connection: self._head(connection, session_id, user_id, detail=detail))

    def _head(
        self, connection: Connection, session_id: str, user_id: str | None, *, detail: bool
    ) -> SessionHead:
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
        if not detail:
            return SessionHead(app=app, conversation=conversation, end_user=end_user)
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
            first = None
            if before is not None:
                first = messages.find(connection, self._app_id, before)
                if first is None or first.conversation_id != session_id:
                    raise NotFoundError("First Message Not Exists.", kind="message", id=before)
            page = session_rows.list_turns(connection, self._app_id, session_id, before=first, limit=limit)
            if page.items or first is not None:
                return TurnPage(tuple(self._turns(connection, page.items, detail=detail)), page.has_more)
            run = runs.find(connection, self._app_id, session_id)
            return TurnPage(() if run is None else (self._alone(connection, run, detail=detail),), False)

        quick = limit <= _QUICK and not detail
        return await (self._store.read_quick if quick else self._store.read)(read)

    async def find_turn(self, session_id: str, id: str) -> Turn | None:
        """See `SessionReader.find_turn`."""

        def read(connection: Connection) -> Turn | None:
            run = runs.find(connection, self._app_id, id)
            if run is not None and run.message_id is None:
                return self._alone(connection, run, detail=True) if run.id == session_id else None
            message_id = id if run is None else run.message_id
            found = (
                None if message_id is None else session_rows.find_turn(connection, self._app_id, message_id)
            )
            if found is None or found[1].conversation_id != session_id:
                return None
            return self._turns(connection, (found,), detail=True)[0]

        return await self._store.read(read)

    async def links(self, session_id: str) -> Sequence[Link]:
        """See `SessionReader.links`."""
        return await self._store.read(
            lambda connection: session_rows.list_links(connection, self._app_id, session_id)
        )

    async def change(self, session_id: str, change: SessionChange) -> None:
        """See `SessionReader.change`."""
        now = self._clock.now()

        def write(connection: Connection) -> None:
            app = apps.find(connection, self._app_id)
            if app is not None and app.mode == "workflow":
                raise InvalidRequestError("Sessions of a workflow app are its runs; they cannot be changed.")
            change_session(connection, self._app_id, session_id, change, now, end_user_id=self._end_user_id)

        await self._store.write(write)

    def _alone(self, connection: Connection, run: Run, *, detail: bool) -> Turn:
        """The run of an app without conversations."""
        if not detail:
            return Turn(run=run)
        found = session_rows.list_executions(connection, self._app_id, [run.id])
        asked = _forms(connection, (run,), found)
        return Turn(run=run, executions=found.get(run.id, ()), forms=asked.get(run.id, ()))

    def _turns(
        self,
        connection: Connection,
        found: Sequence[tuple[Link, Message, Run | None]],
        *,
        detail: bool,
    ) -> list[Turn]:
        if not detail:
            return [Turn(message=message, run=run, link=link) for link, message, run in found]
        ran = [run for _, _, run in found if run is not None]
        ids = [message.id for _, message, _ in found]
        executions = session_rows.list_executions(connection, self._app_id, [run.id for run in ran])
        files = messages.list_files(connection, ids)
        asked = _forms(connection, ran, executions)
        given = feedbacks.list_by_message(connection, self._app_id, ids)
        corrected = app_annotations.list_by_message(connection, self._app_id, ids)
        return [
            Turn(
                message=message,
                run=run,
                link=link,
                executions=executions.get(message.run_id or "", ()),
                files=files.get(message.id, ()),
                forms=asked.get(message.run_id or "", ()),
                feedback=given.get(message.id, ()),
                annotation=corrected.get(message.id),
                opinions=opinions_of(given.get(message.id, ()), corrected.get(message.id)),
            )
            for link, message, run in found
        ]


def _forms(
    connection: Connection, ran: Sequence[Run], executions: Mapping[str, Sequence[NodeExecution]]
) -> Mapping[str, Sequence[Form]]:
    """The forms of runs, looked for where a run can have any."""
    ids = [
        run.id
        for run in ran
        if run.status == "paused" or any(item.node_type == _ASKS for item in executions.get(run.id, ()))
    ]
    return forms.list_by_runs(connection, ids) if ids else {}

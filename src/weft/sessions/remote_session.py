"""A session that lies on a server, read over HTTP when it is asked for, and no more of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.errors import InvalidRequestError, NotFoundError, StoreError
from weft.sessions.change import SessionChange, change_of
from weft.sessions.json_text import load_object
from weft.sessions.message import Message
from weft.sessions.plain import JsonObject, objects, plain_object, taken
from weft.sessions.query import RunPage
from weft.sessions.session import WorkflowChatInteraction, WorkflowSession
from weft.sessions.workflow_run import WorkflowRunOutput

if TYPE_CHECKING:
    from weft.client import AsyncSessionHandle


class RemoteSession:
    """A session on a server, with the methods of `StoredSession`; each is one request.

    ::

        session = RemoteSession(client.session(conversation_id, user="ada"))
        print(await session.get_workflow_history_context(3))

    Args:
        handle: Asks the server, with an account or with an app's key.
    """

    def __init__(self, handle: AsyncSessionHandle) -> None:
        self._handle = handle

    async def load(
        self, last_n_runs: int | None = None, *, steps: bool = True, messages: bool = True
    ) -> WorkflowSession:
        """As `StoredSession.load`.

        Raises:
            NotFoundError: There is no such session.
        """
        told = _Told(await self._handle.load_text(last_n_runs, steps=steps, messages=messages))
        session = told()
        session._as_it_was = told
        return session

    async def save(self, session: WorkflowSession) -> WorkflowSession:
        """As `StoredSession.save`, of a session that `load` gave."""
        change = change_of(session)
        if session.session_id != self._handle.id:
            raise InvalidRequestError(
                f"session {session.session_id!r} is not the session {self._handle.id!r}"
            )
        if not change:
            return session
        now, was = await self._change(change), session._as_it_was
        (told,) = objects([now.get("session_data")])
        session.session_data.update(plain_object(told))
        session.updated_at = int(str(now["updated_at"]))
        if isinstance(was, _Told):
            session._as_it_was = _Told(was.text, plain_object(told))
        return session

    async def set_session_name(self, name: str) -> None:
        """As `StoredSession.set_session_name`."""
        await self._change(SessionChange(session_name=name))

    async def update_session_state(self, updates: Mapping[str, object]) -> JsonObject:
        """As `StoredSession.update_session_state`."""
        now = await self._change(SessionChange(session_state=updates))
        (data,) = objects([now.get("session_data")])
        (state,) = objects([data.get("session_state")])
        return plain_object(state)

    async def _change(self, change: SessionChange) -> JsonObject:
        return await self._handle.change(
            session_name=change.session_name,
            session_state=plain_object(change.session_state) or None,
            was_name=change.was_name,
            was_state=plain_object(change.was_state) or None,
        )

    async def get_runs(
        self, before: str | None = None, limit: int = 20, *, steps: bool = True, messages: bool = True
    ) -> RunPage:
        """As `StoredSession.get_runs`, with at most 100 runs."""
        page = await self._handle.get_runs(before, limit, steps=steps, messages=messages)
        return RunPage(tuple(WorkflowRunOutput.from_dict(run) for run in page.data), page.has_more)

    async def get_run(self, run_id: str) -> WorkflowRunOutput | None:
        """As `StoredSession.get_run`; also `None` if there is no such session."""
        try:
            return WorkflowRunOutput.from_dict(await self._handle.get_run(run_id))
        except NotFoundError:
            return None

    async def get_workflow_history(self, num_runs: int | None = None) -> list[tuple[str, str]]:
        """As `WorkflowSession.get_workflow_history`."""
        return await self._handle.get_workflow_history(num_runs)

    async def get_workflow_history_context(
        self, num_runs: int | None = None, *, escape: bool = False
    ) -> str | None:
        """As `WorkflowSession.get_workflow_history_context`."""
        return await self._handle.get_workflow_history_context(num_runs, escape=escape)

    async def get_chat_history(self, last_n_runs: int | None = None) -> list[WorkflowChatInteraction]:
        """As `WorkflowSession.get_chat_history`."""
        found = await self._handle.get_chat_history(last_n_runs)
        return [WorkflowChatInteraction(turn["input"], turn["output"]) for turn in found]

    async def get_messages(
        self,
        agent_id: str | None = None,
        team_id: str | None = None,
        last_n_runs: int | None = None,
        limit: int | None = None,
        skip_roles: Collection[str] | None = None,
        skip_statuses: Collection[str] | None = None,
        skip_history_messages: bool = True,
        skip_member_messages: bool = True,
    ) -> list[Message]:
        """As `WorkflowSession.get_messages`."""
        try:
            found = await self._handle.get_messages(
                agent_id,
                team_id,
                last_n_runs,
                limit,
                skip_roles,
                skip_statuses,
                skip_history_messages,
                skip_member_messages,
            )
        except InvalidRequestError as error:
            if bool(agent_id) == bool(team_id):
                raise ValueError(str(error)) from error
            raise
        return [Message.from_dict(message) for message in found]


@dataclass(frozen=True, slots=True)
class _Told:
    """A session as a server has told it, which can be read once more."""

    text: bytes
    changed: JsonObject = field(default_factory=dict)
    """Parts of its `session_data` that have been saved since."""

    def __call__(self) -> WorkflowSession:
        session = WorkflowSession.loaded(load_object(self.text.decode()), taken)
        if session is None:
            raise StoreError("the server's answer is no session")
        session.session_data.update(plain_object(self.changed))
        return session

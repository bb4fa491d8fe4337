"""One workflow session of a server. Only Weft has these operations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.session import Session
from weft.client._call import Call, given, nothing, path
from weft.client._sessions import ask_object, ask_text, read_object, rows_of, words

if TYPE_CHECKING:
    from weft.wire import Listing


class AsyncSessionHandle:
    """A conversation, or a run of a workflow app, as a session; made from an id without asking the server.

    What it gives is the plain data of `weft.sessions`: `WorkflowSession.from_dict` takes what `load` gives,
    and `weft.sessions.RemoteSession` gives all of it as objects.

    Args:
        client: Who asks.
        address: Of the list of sessions.
        id: UUID of the session.
        user: Whose session it is, where an app's key asks.
    """

    def __init__(self, client: Session, address: str, id: str, user: str | None = None) -> None:
        self.client = client
        self.id = id
        self.user = user
        self._address = address + path(id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    async def load(
        self, last_n_runs: int | None = None, *, steps: bool = True, messages: bool = True
    ) -> dict[str, object]:
        """The session with its runs.

        Args:
            last_n_runs: Only the last so many; ``None`` for all of them.
            steps: With what each step did.
            messages: With the runs of agents and teams and their messages.

        Raises:
            NotFoundError: There is none, or it is another user's.
        """
        return await self._ask("", last_n_runs=last_n_runs, steps=steps, messages=messages)

    async def load_text(
        self, last_n_runs: int | None = None, *, steps: bool = True, messages: bool = True
    ) -> bytes:
        """What `load` gives, as the JSON that the server has sent.

        Args:
            last_n_runs: As in `load`.
            steps: As in `load`.
            messages: As in `load`.

        Raises:
            NotFoundError: There is none, or it is another user's.
        """
        query = given(user=self.user, last_n_runs=last_n_runs, steps=steps, messages=messages)
        return await self.client._send(ask_text(self._address, **query))

    async def get_runs(
        self, first_id: str | None = None, limit: int = 20, *, steps: bool = True, messages: bool = True
    ) -> Listing[dict[str, object]]:
        """The newest runs, or the newest before one of them, oldest first.

        Args:
            first_id: The first run of the page after.
            limit: Runs per page, 1 to 100.
            steps: With what each step did.
            messages: With the runs of agents and teams and their messages.
        """
        query = given(user=self.user, first_id=first_id, limit=limit, steps=steps, messages=messages)
        call = ask_object(f"{self._address}/runs", **query)
        return wire.SessionRunPage.from_dict(await self.client._send(call))

    async def get_run(self, run_id: str) -> dict[str, object]:
        """One run.

        Args:
            run_id: Its id, or that of its message.

        Raises:
            NotFoundError: The session has none of that id.
        """
        return await self._ask("/runs" + path(run_id))

    async def get_workflow_history(self, num_runs: int | None = None) -> list[tuple[str, str]]:
        """Input and output of the last completed runs as texts, oldest first.

        Args:
            num_runs: At most so many; ``None`` for all.
        """
        found = await self._ask("/history", num_runs=num_runs)
        return [(str(pair["input"]), str(pair["output"])) for pair in rows_of(found)]

    async def get_workflow_history_context(
        self, num_runs: int | None = None, *, escape: bool = False
    ) -> str | None:
        """The same as a text to put in front of a prompt; ``None`` if there are no such runs.

        Args:
            num_runs: At most so many; ``None`` for all.
            escape: Keep texts of earlier runs from ending the block or beginning a run in it.
        """
        found = (await self._ask("/history", num_runs=num_runs, escape=escape)).get("context")
        return None if found is None else str(found)

    async def get_chat_history(self, last_n_runs: int | None = None) -> list[dict[str, object]]:
        """`input` and `output` of the last runs that have both, whatever their state.

        Args:
            last_n_runs: Look at so many of all runs; ``None`` for all.
        """
        return rows_of(await self._ask("/chat-history", last_n_runs=last_n_runs))

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
    ) -> list[dict[str, object]]:
        """The messages of a node that asks a model, or of the app, oldest first.

        Args:
            agent_id: Id of the node.
            team_id: Id of the app, for the plain transcript.
            last_n_runs: Only those of its last so many runs.
            limit: At most so many, counted from the newest.
            skip_roles: Roles that are left out.
            skip_statuses: Runs of the agent or team in one of these states are left out.
            skip_history_messages: Leave out what was told again from earlier runs.
            skip_member_messages: Leave out what the nodes of the app said.

        Raises:
            InvalidRequestError: Both ids were given, or none while there are runs.
        """
        return rows_of(
            await self._ask(
                "/messages",
                agent_id=agent_id,
                team_id=team_id,
                last_n_runs=last_n_runs,
                limit=limit,
                skip_roles=words(skip_roles),
                skip_statuses=words(skip_statuses),
                skip_history_messages=skip_history_messages,
                skip_member_messages=skip_member_messages,
            )
        )

    async def change(
        self,
        *,
        session_name: str | None = None,
        session_state: Mapping[str, object] | None = None,
        was_name: str | None = None,
        was_state: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """Give the session another name, and variables of its conversation other values, or nothing at all.

        Args:
            session_name: At most 255 characters; ``None`` leaves the name.
            session_state: Variable to value; the others stay.
            was_name: The name that it must still have; ``None`` for whichever.
            was_state: Values that variables must still have.

        Returns:
            The session without its runs.

        Raises:
            InvalidRequestError: There is no such variable, or it cannot hold the value; or it is the run of a
                workflow app, which has none.
            ConflictError: Somebody else has changed the same thing meanwhile.
            NotFoundError: There is no such session, or it is another user's.
        """
        was = given(session_name=was_name, session_state=was_state)
        fields = given(session_name=session_name, session_state=session_state, was=was or None)
        body = self._body(wire.SessionChangeRequest, fields)
        return await self.client._send(Call("PATCH", self._address, read_object, body=body))

    async def rename(self, name: str) -> dict[str, object]:
        """Give the session another name; that is the name of its conversation.

        Args:
            name: At most 255 characters.

        Returns:
            The session without its runs.

        Raises:
            InvalidRequestError: It is the run of a workflow app, which has no name.
        """
        body = self._body(wire.ConversationRenameRequest, {"name": name})
        return await self.client._send(Call("POST", f"{self._address}/name", read_object, body=body))

    async def delete(self) -> None:
        """Delete the session; that deletes its conversation.

        Raises:
            NotFoundError: It is gone already.
            InvalidRequestError: It is the run of a workflow app.
        """
        body = self._body(wire.ConversationDeleteRequest, {})
        await self.client._send(Call("DELETE", self._address, nothing, body=body))

    async def _ask(self, below: str, **query: object) -> dict[str, object]:
        return await self.client._send(ask_object(self._address + below, user=self.user, **query))

    def _body(self, model: type[wire.WireModel], fields: Mapping[str, object]) -> bytes:
        return wire.encode_request(model, {**fields, **given(user=self.user)})

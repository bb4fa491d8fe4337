"""Conversations and runs as workflow sessions, as both doors answer; whose they are is the doors' business.

The bodies are what `weft.sessions` calls the plain data of a session, its runs and its messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError
from weft.server.console_api.field import Count, Limit, Moment, OptionalId, OptionalText
from weft.server.path import path_id
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.sessions import SessionChange, StoredSession, WorkflowRunOutput, history_context
from weft.store import App, Connection, Page, SessionEntry, SessionFilter, SortBy, session_list
from weft.wire import ConversationRenameRequest, SessionChangeRequest, WireModel, parse_request

NO_SESSION = "Session Not Exists."
NO_RUN = "Workflow run not found."
Open: TypeAlias = Callable[[Request, bool], Awaitable[tuple[StoredSession, Mapping[str, str]]]]
MAX_NAME_CHARS = 255


def _words(value: object) -> object:
    return [word for word in value.split(",") if word] if isinstance(value, str) else value


Words = Annotated[list[str] | None, BeforeValidator(_words)]
"""Words with commas between them."""


class SessionsQuery(WireModel):
    """Which sessions, from where on."""

    user: OptionalText = None
    name: OptionalText = None
    created_at__after: Moment = None
    created_at__before: Moment = None
    sort_by: SortBy = "-updated_at"
    last_id: OptionalId = None
    limit: Limit = 20


class DetailQuery(WireModel):
    """How much of each run."""

    steps: bool = True
    messages: bool = True


class SessionQuery(DetailQuery):
    """How much of a session."""

    last_n_runs: Count = None


class RunsQuery(DetailQuery):
    """Which page of runs."""

    first_id: OptionalId = None
    limit: Limit = 20


class HistoryQuery(WireModel):
    """How much of the history, and whether texts in it are made harmless."""

    num_runs: Count = None
    escape: bool = False


class ChatHistoryQuery(WireModel):
    """How much of the chat."""

    last_n_runs: Count = None


class MessagesQuery(WireModel):
    """Whose messages, and which; as `WorkflowSession.get_messages`."""

    agent_id: OptionalText = None
    team_id: OptionalText = None
    last_n_runs: Count = None
    limit: Count = None
    skip_roles: Words = None
    skip_statuses: Words = None
    skip_history_messages: bool = True
    skip_member_messages: bool = True


def parse_list(query: Mapping[str, str]) -> SessionsQuery:
    """What a caller wants listed.

    Raises:
        InvalidRequestError: A value is of the wrong kind.
    """
    return parse_request(SessionsQuery, given(query))


def find_page(
    connection: Connection, app: App, query: SessionsQuery, *, end_user_id: str | None = None
) -> Page[SessionEntry]:
    """A page of sessions.

    Args:
        connection: In a read.
        app: Of which app; one without conversations has its runs.
        query: Which.
        end_user_id: Only this end user's, and only through the app's key.

    Raises:
        NotFoundError: The page to go on from does not exist.
    """
    wanted = SessionFilter(
        user=query.user if end_user_id is None else None,
        end_user_id=end_user_id,
        name=query.name or "",
        created_after=query.created_at__after,
        created_before=query.created_at__before,
        sort_by=query.sort_by,
    )
    find = session_list.list_runs if app.mode == "workflow" else session_list.list_conversations
    return find(connection, app.id, wanted, last_id=query.last_id, limit=query.limit)


def show_page(app: App, query: SessionsQuery, page: Page[SessionEntry]) -> Response:
    """A page of summaries."""
    data = [
        {
            "session_id": entry.id,
            "user_id": entry.user,
            "workflow_id": app.id,
            "workflow_name": app.name,
            "session_name": entry.name,
            "created_at": seconds(entry.created_at),
            "updated_at": seconds(entry.updated_at),
            "run_count": entry.run_count,
        }
        for entry in page.items
    ]
    return json_reply({"limit": query.limit, "has_more": page.has_more, "data": data})


class SessionPages:
    """The pages that show one session, the same at both doors.

    Args:
        open: Finds the session that a request is about, and gives what its address asks for beside it; the
            flag says whether more than the session's head will be shown.
    """

    def __init__(self, open: Open) -> None:
        self._open = open

    def routes(self, path: str) -> list[Route]:
        """All of them, below the session's own path."""
        return [
            Route(path, self.detail, methods=["GET"]),
            Route(f"{path}/runs", self.runs, methods=["GET"]),
            Route(f"{path}/runs/{{run_id}}", self.run, methods=["GET"]),
            Route(f"{path}/history", self.history, methods=["GET"]),
            Route(f"{path}/chat-history", self.chat_history, methods=["GET"]),
            Route(f"{path}/messages", self.messages, methods=["GET"]),
        ]

    async def detail(self, request: Request) -> Response:
        """One session."""
        session, query = await self._open(request, True)
        wanted = parse_request(SessionQuery, query)
        text = await session.dump(wanted.last_n_runs, steps=wanted.steps, messages=wanted.messages)
        return Response(text, media_type="application/json")

    async def runs(self, request: Request) -> Response:
        """A page of its runs."""
        session, query = await self._open(request, True)
        wanted = parse_request(RunsQuery, query)
        page = await session.get_runs(
            wanted.first_id, wanted.limit, steps=wanted.steps, messages=wanted.messages
        )
        data = [_run(run) for run in page.runs]
        return json_reply({"limit": wanted.limit, "has_more": page.has_more, "data": data})

    async def run(self, request: Request) -> Response:
        """One of its runs."""
        session, _ = await self._open(request, True)
        run_id = path_id(request, "run_id", NO_RUN)
        run = await session.get_run(run_id)
        if run is None:
            raise NotFoundError(NO_RUN, kind="run", id=run_id)
        return json_reply(_run(run))

    async def history(self, request: Request) -> Response:
        """Its history."""
        session, query = await self._open(request, False)
        wanted = parse_request(HistoryQuery, query)
        pairs = await session.get_workflow_history(wanted.num_runs)
        return json_reply(
            {
                "data": [{"input": given, "output": made} for given, made in pairs],
                "context": history_context(pairs, escape=wanted.escape),
            }
        )

    async def chat_history(self, request: Request) -> Response:
        """Its history as a chat."""
        session, query = await self._open(request, False)
        wanted = parse_request(ChatHistoryQuery, query)
        found = await session.get_chat_history(wanted.last_n_runs)
        return json_reply({"data": [{"input": turn.input, "output": turn.output} for turn in found]})

    async def messages(self, request: Request) -> Response:
        """Messages of an agent or of the team."""
        session, query = await self._open(request, True)
        wanted = parse_request(MessagesQuery, query)
        try:
            found = await session.get_messages(
                wanted.agent_id,
                wanted.team_id,
                wanted.last_n_runs,
                wanted.limit,
                wanted.skip_roles,
                wanted.skip_statuses,
                wanted.skip_history_messages,
                wanted.skip_member_messages,
            )
        except ValueError as error:  # both were named, or neither
            raise InvalidRequestError(str(error)) from error
        return json_reply({"data": [message.to_dict() for message in found]})


def wanted_name(body: ConversationRenameRequest) -> str:
    """The name that a session shall have.

    Raises:
        InvalidRequestError: One shall be made up, which is the business of conversations.
    """
    if body.name is None or not body.name.strip() or len(body.name) > MAX_NAME_CHARS:
        raise InvalidRequestError(f"name must have 1 to {MAX_NAME_CHARS} characters")
    return body.name


def wanted_change(body: Mapping[str, object]) -> SessionChange:
    """What shall change.

    Raises:
        InvalidRequestError: Nothing, or something is of the wrong kind.
    """
    wanted = parse_request(SessionChangeRequest, body)
    return SessionChange(
        session_name=wanted.session_name,
        session_state=wanted.session_state,
        was_name=wanted.was.session_name,
        was_state=wanted.was.session_state,
    )


def check_changeable(app: App) -> None:
    """Make sure that sessions of the app can be renamed and deleted.

    Raises:
        InvalidRequestError: They are single runs.
    """
    if app.mode == "workflow":
        raise InvalidRequestError("Sessions of a workflow app are its runs; they cannot be changed.")


def _run(run: WorkflowRunOutput) -> dict[str, object]:
    return {**run.to_dict()}


def given(query: Mapping[str, str]) -> dict[str, str]:
    """What is not empty; the rest is as if it had not been said."""
    return {name: value for name, value in query.items() if value != ""}

"""A user's conversations, or runs of a workflow app, as workflow sessions. Not part of Dify's API."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server import session_view as view
from weft.server.call import WORKFLOW_MODES, Call
from weft.server.path import path_id
from weft.server.reply import json_reply, no_content
from weft.sessions import StoredSession, StoreReader, change_session
from weft.store import conversations
from weft.wire import ConversationRenameRequest, parse_request


async def listing(request: Request) -> Response:
    """A page of the user's sessions."""
    call = await Call.begin(request)
    user = await call.end_user(call.query, required=True)
    call.check_mode(*WORKFLOW_MODES)
    query = view.parse_list(call.query)
    page = await call.runtime.store.read(
        lambda connection: view.find_page(connection, call.app, query, end_user_id=user.id)
    )
    return view.show_page(call.app, query, page)


async def detail(request: Request) -> Response:
    """One session."""
    call, session = await _open(request)
    return await view.show_session(session, call.query)


async def runs(request: Request) -> Response:
    """A page of its runs."""
    call, session = await _open(request)
    return await view.show_runs(session, call.query)


async def run(request: Request) -> Response:
    """One of its runs."""
    _, session = await _open(request)
    return await view.show_run(session, path_id(request, "run_id", "Workflow run not found."))


async def history(request: Request) -> Response:
    """Its history."""
    call, session = await _open(request, detail=False)
    return await view.show_history(session, call.query)


async def chat_history(request: Request) -> Response:
    """Its history as a chat."""
    call, session = await _open(request, detail=False)
    return await view.show_chat_history(session, call.query)


async def messages(request: Request) -> Response:
    """Messages of an agent or of the team."""
    call, session = await _open(request)
    return await view.show_messages(session, call.query)


async def rename(request: Request) -> Response:
    """Give a session another name."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body, required=True)
    call.check_mode(*WORKFLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    name = view.wanted_name(parse_request(ConversationRenameRequest, body))
    reader = StoreReader(call.runtime.store, call.app.id, end_user_id=user.id)
    await StoredSession.open(reader, session_id)
    view.check_changeable(call.app)
    now = call.runtime.clock.now()
    await call.runtime.store.write(
        lambda connection: conversations.rename(
            connection, call.app.id, session_id, name, now, end_user_id=user.id
        )
    )
    return json_reply((await StoredSession.open(reader, session_id)).head.to_dict())


async def change(request: Request) -> Response:
    """Give a session another name, and variables other values."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body, required=True)
    call.check_mode(*WORKFLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    wanted = view.wanted_change(body)
    reader = StoreReader(call.runtime.store, call.app.id, end_user_id=user.id)
    await StoredSession.open(reader, session_id)
    view.check_changeable(call.app)
    now = call.runtime.clock.now()
    await call.runtime.store.write(
        lambda connection: change_session(
            connection, call.app.id, session_id, wanted, now, end_user_id=user.id
        )
    )
    return json_reply((await StoredSession.open(reader, session_id)).head.to_dict())


async def delete(request: Request) -> Response:
    """Remove a session from every listing; its runs and logs remain."""
    call = await Call.begin(request)
    user = await call.end_user(await call.json(), required=True)
    call.check_mode(*WORKFLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    reader = StoreReader(call.runtime.store, call.app.id, end_user_id=user.id)
    await StoredSession.open(reader, session_id)
    view.check_changeable(call.app)
    now = call.runtime.clock.now()
    await call.runtime.store.write(
        lambda connection: conversations.mark_deleted(
            connection, call.app.id, session_id, now, end_user_id=user.id
        )
    )
    return no_content()


async def _open(request: Request, *, detail: bool = True) -> tuple[Call, StoredSession]:
    call = await Call.begin(request)
    user = await call.end_user(call.query, required=True)
    call.check_mode(*WORKFLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    reader = StoreReader(call.runtime.store, call.app.id, end_user_id=user.id)
    return call, await StoredSession.open(reader, session_id, detail=detail)


_ONE = "/sessions/{session_id}"
ROUTES = [
    Route("/sessions", listing, methods=["GET"]),
    Route(_ONE, detail, methods=["GET"]),
    Route(_ONE, change, methods=["PATCH"]),
    Route(_ONE, delete, methods=["DELETE"]),
    Route(f"{_ONE}/name", rename, methods=["POST"]),
    Route(f"{_ONE}/runs", runs, methods=["GET"]),
    Route(f"{_ONE}/runs/{{run_id}}", run, methods=["GET"]),
    Route(f"{_ONE}/history", history, methods=["GET"]),
    Route(f"{_ONE}/chat-history", chat_history, methods=["GET"]),
    Route(f"{_ONE}/messages", messages, methods=["GET"]),
]

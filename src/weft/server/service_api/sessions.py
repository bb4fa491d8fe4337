"""A user's conversations, or runs of a workflow app, as workflow sessions. Not part of Dify's API."""

from __future__ import annotations

from collections.abc import Mapping

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


async def _open(request: Request, detail: bool) -> tuple[StoredSession, Mapping[str, str]]:
    call = await Call.begin(request)
    user = await call.end_user(call.query, required=True)
    call.check_mode(*WORKFLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    reader = StoreReader(call.runtime.store, call.app.id, end_user_id=user.id)
    return await StoredSession.open(reader, session_id, detail=detail), view.given(call.query)


_ONE = "/sessions/{session_id}"
PAGES = view.SessionPages(_open)
ROUTES = [
    Route("/sessions", listing, methods=["GET"]),
    *PAGES.routes(_ONE),
    Route(_ONE, change, methods=["PATCH"]),
    Route(_ONE, delete, methods=["DELETE"]),
    Route(f"{_ONE}/name", rename, methods=["POST"]),
]

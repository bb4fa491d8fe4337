"""Conversations of chatflows and runs of workflow apps as workflow sessions, whoever had them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server import session_view as view
from weft.server.console_api.call import FLOW_MODES, ConsoleCall
from weft.server.path import path_id
from weft.server.reply import json_reply, no_content
from weft.sessions import StoredSession, StoreReader, change_session
from weft.store import conversations
from weft.wire import ConversationRenameRequest, parse_request


async def listing(request: Request) -> Response:
    """A page of sessions."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    query = view.parse_list(call.query)
    return view.show_page(
        app, query, await call.read(lambda connection: view.find_page(connection, app, query))
    )


async def rename(request: Request) -> Response:
    """Give a session another name."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    name = view.wanted_name(parse_request(ConversationRenameRequest, await call.json()))
    reader = StoreReader(call.runtime.store, app.id)
    await StoredSession.open(reader, session_id)
    view.check_changeable(app)
    now = call.runtime.clock.now()
    await call.write(
        "conversation.rename",
        lambda connection: conversations.rename(connection, app.id, session_id, name, now, end_user_id=None),
        app_id=app.id,
        target_id=session_id,
    )
    return json_reply((await StoredSession.open(reader, session_id)).head.to_dict())


async def change(request: Request) -> Response:
    """Give a session another name, and variables other values."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    wanted = view.wanted_change(await call.json())
    reader = StoreReader(call.runtime.store, app.id)
    await StoredSession.open(reader, session_id)
    view.check_changeable(app)
    now = call.runtime.clock.now()
    await call.write(
        "conversation.update",
        lambda connection: change_session(connection, app.id, session_id, wanted, now),
        app_id=app.id,
        target_id=session_id,
        variables=sorted(wanted.session_state),
    )
    return json_reply((await StoredSession.open(reader, session_id)).head.to_dict())


async def delete(request: Request) -> Response:
    """Take a session out of all lists."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    await StoredSession.open(StoreReader(call.runtime.store, app.id), session_id)
    view.check_changeable(app)
    now = call.runtime.clock.now()
    await call.write(
        "conversation.delete",
        lambda connection: conversations.mark_deleted(connection, app.id, session_id, now, end_user_id=None),
        app_id=app.id,
        target_id=session_id,
    )
    return no_content()


async def _open(request: Request, detail: bool) -> tuple[StoredSession, Mapping[str, str]]:
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    reader = StoreReader(call.runtime.store, app.id)
    return await StoredSession.open(reader, session_id, detail=detail), view.given(call.query)


_ONE = "/apps/{app_id}/sessions/{session_id}"
PAGES = view.SessionPages(_open)
ROUTES = [
    Route("/apps/{app_id}/sessions", listing, methods=["GET"]),
    *PAGES.routes(_ONE),
    Route(_ONE, change, methods=["PATCH"]),
    Route(_ONE, delete, methods=["DELETE"]),
    Route(f"{_ONE}/name", rename, methods=["POST"]),
]

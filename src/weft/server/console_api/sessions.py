"""Conversations of chatflows and runs of workflow apps as workflow sessions, whoever had them."""

from __future__ import annotations

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


async def _open(request: Request, *, detail: bool = True) -> tuple[ConsoleCall, StoredSession]:
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    session_id = path_id(request, "session_id", view.NO_SESSION)
    reader = StoreReader(call.runtime.store, app.id)
    return call, await StoredSession.open(reader, session_id, detail=detail)


_ONE = "/apps/{app_id}/sessions/{session_id}"
ROUTES = [
    Route("/apps/{app_id}/sessions", listing, methods=["GET"]),
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

"""What anybody may ask. Source: Dify console API, `/setup`, `/version`, `/ping`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.runs import WORKSPACE_ID, Runtime
from weft.server.reply import json_reply
from weft.store import workspaces


async def setup(request: Request) -> Response:
    """Whether there is an account; a data folder is made with one."""
    runtime: Runtime = request.app.state.runtime
    workspace = await runtime.store.read_quick(lambda connection: workspaces.find(connection, WORKSPACE_ID))
    if workspace is None:
        return json_reply({"step": "not_started"})
    return json_reply({"step": "finished", "setup_at": workspace.created_at.isoformat()})


async def version(request: Request) -> Response:
    """Which program this is; it looks for no newer one."""
    return json_reply(
        {
            "version": request.app.state.version,
            "release_date": "",
            "release_notes": "",
            "can_auto_update": False,
            "features": {},
        }
    )


async def ping(request: Request) -> Response:
    """The server is there."""
    return json_reply({"result": "pong"})


ROUTES = [
    Route("/setup", setup, methods=["GET"]),
    Route("/version", version, methods=["GET"]),
    Route("/ping", ping, methods=["GET"]),
]

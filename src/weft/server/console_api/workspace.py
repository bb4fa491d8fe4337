"""The workspace, and what it has none of. Source: Dify console API, `/workspaces`.

Models and tools are configured where the server is started, not in the console, so their lists are empty.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError
from weft.server.console_api.call import ConsoleCall
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.store import accounts, workspaces

_NOTHING: list[object] = []


async def current(request: Request) -> Response:
    """The workspace that the account is in."""
    call = await ConsoleCall.begin(request, "dataset_operator")
    return json_reply({**await _workspace(call), "in_trial": False, "custom_config": {}})


async def listing(request: Request) -> Response:
    """The workspaces of the account: one."""
    call = await ConsoleCall.begin(request, "dataset_operator")
    return json_reply({"workspaces": [{**await _workspace(call), "current": True}]})


async def members(request: Request) -> Response:
    """The accounts of the workspace."""
    call = await ConsoleCall.begin(request)
    found = await call.read(lambda connection: accounts.list_by_workspace(connection, call.workspace_id))
    return json_reply(
        {
            "accounts": [
                {
                    "id": account.id,
                    "name": account.name,
                    "avatar": account.avatar,
                    "avatar_url": None,
                    "email": account.email,
                    "last_login_at": None
                    if account.last_login_at is None
                    else seconds(account.last_login_at),
                    "last_active_at": None
                    if account.last_active_at is None
                    else seconds(account.last_active_at),
                    "created_at": seconds(account.created_at),
                    "role": account.role,
                    "status": account.status,
                }
                for account in found
            ]
        }
    )


async def no_models(request: Request) -> Response:
    """Model providers that were configured here: none."""
    await ConsoleCall.begin(request)
    return json_reply({"data": _NOTHING})


async def no_tools(request: Request) -> Response:
    """Tool providers that were configured here: none."""
    await ConsoleCall.begin(request)
    return json_reply(_NOTHING)


async def _workspace(call: ConsoleCall) -> dict[str, object]:
    workspace = await call.read_quick(lambda connection: workspaces.find(connection, call.workspace_id))
    if workspace is None:
        raise NotFoundError("Workspace not found", kind="workspace", id=call.workspace_id)
    return {
        "id": workspace.id,
        "name": workspace.name,
        "plan": workspace.plan,
        "status": workspace.status,
        "created_at": seconds(workspace.created_at),
        "role": call.account.role,
    }


ROUTES = [
    Route("/workspaces", listing, methods=["GET"]),
    Route("/workspaces/current", current, methods=["GET"]),
    Route("/workspaces/current", current, methods=["POST"]),
    Route("/workspaces/current/members", members, methods=["GET"]),
    Route("/workspaces/current/model-providers", no_models, methods=["GET"]),
    Route("/workspaces/current/tool-providers", no_tools, methods=["GET"]),
]

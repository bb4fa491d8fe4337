"""The people whom an app knows. Source: Dify service API, `GET /end-users/{id}`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server.call import Call
from weft.server.errors import ApiError
from weft.server.path import path_id
from weft.server.reply import json_reply
from weft.store import end_users
from weft.wire import render_instant


async def detail(request: Request) -> Response:
    """One end user of the app."""
    call = await Call.begin(request)
    end_user_id = path_id(request, "end_user_id", "End user not found.")
    found = await call.read(lambda connection: end_users.find(connection, call.app.id, end_user_id))
    if found is None:
        raise ApiError(404, "end_user_not_found", "End user not found.")
    return json_reply(
        {
            "id": found.id,
            "tenant_id": found.workspace_id,
            "app_id": found.app_id,
            "type": found.type,
            "external_user_id": found.external_user_id,
            "name": found.name,
            "is_anonymous": found.is_anonymous,
            "session_id": found.session_id,
            "created_at": render_instant(found.created_at),
            "updated_at": render_instant(found.updated_at),
        }
    )


ROUTES = [Route("/end-users/{end_user_id}", detail, methods=["GET"])]

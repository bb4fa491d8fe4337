"""Completion apps, which answer without a conversation. Source: Dify service API, `/completion-messages`.

No export of such an app can be run yet, so one that is in the store is told to be unavailable, like an app of
any other kind that is asked here.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server.call import Call
from weft.server.errors import ApiError
from weft.server.reply import SUCCESS, json_reply


async def send(request: Request) -> Response:
    """Refuse: there is nothing here that could answer."""
    call = await Call.begin(request)
    await call.end_user(await call.json(), required=True)
    raise _unavailable()


async def stop(request: Request) -> Response:
    """Stop an answer of a completion app; says success, for there is none."""
    call = await Call.begin(request)
    await call.end_user(await call.json(), required=True)
    if call.app.mode != "completion":
        raise _unavailable()
    return json_reply(SUCCESS)


def _unavailable() -> ApiError:
    return ApiError(400, "app_unavailable", "App unavailable, please check your app configurations.")


ROUTES = [
    Route("/completion-messages", send, methods=["POST"]),
    Route("/completion-messages/{task_id}/stop", stop, methods=["POST"]),
]

"""The app as a model. Source: OpenAI API reference, `GET /models` and `GET /models/{model}`."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server.call import CHAT_MODES, Call
from weft.server.errors import ApiError
from weft.server.openai_api.errors import openai_errors
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.store import App

_NOT_IN_IDS = re.compile(r"[^\w.]+")


def model_id(app: App) -> str:
    """What an app is called as a model: its name in lower case, hyphens for what is no letter or digit."""
    return _NOT_IN_IDS.sub("-", app.name.lower()).strip("-") or app.id


@openai_errors
async def listing(request: Request) -> Response:
    """The one app that the key opens; none if it does not chat."""
    app = (await Call.begin(request)).app
    data = [_model(app)] if app.mode in CHAT_MODES else []
    return json_reply({"object": "list", "data": data})


@openai_errors
async def detail(request: Request) -> Response:
    """The app under its model id, its name or its own id."""
    app = (await Call.begin(request)).app
    wanted = str(request.path_params["model"])
    if app.mode not in CHAT_MODES or wanted not in (model_id(app), app.name, app.id):
        raise ApiError(404, "model_not_found", f"This key opens no model {wanted!r}, only {model_id(app)!r}.")
    return json_reply(_model(app))


def _model(app: App) -> dict[str, object]:
    return {
        "id": model_id(app),
        "object": "model",
        "created": seconds(app.created_at),
        "owned_by": "weft",
    }


ROUTES = [
    Route("/models", listing, methods=["GET"]),
    Route("/models/{model:path}", detail, methods=["GET"]),
]

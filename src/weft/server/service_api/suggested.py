"""Questions to ask next. Source: Dify service API, `GET /messages/{id}/suggested`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.runs import suggest
from weft.server.call import CHAT_MODES, Call
from weft.server.errors import ApiError
from weft.server.path import path_id
from weft.server.reply import json_reply
from weft.server.service_api.feedback import NO_MESSAGE, own_message
from weft.store import Connection, Message, messages

_TURNS = 3
"""Exchanges that a model is told."""


async def suggested(request: Request) -> Response:
    """What the user could ask after a message."""
    call = await Call.begin(request)
    user = await call.end_user(call.query, required=True)
    call.check_mode(*CHAT_MODES)
    message_id = path_id(request, "message_id", NO_MESSAGE)

    def read(connection: Connection) -> list[Message]:
        message = own_message(connection, call.app.id, message_id, user)
        before = messages.list_page(
            connection, call.app.id, message.conversation_id, first_id=message_id, limit=_TURNS - 1
        )
        return [turn for turn in (*before.items, message) if turn.answer]

    turns = await call.runtime.store.read(read)
    version = await call.published()
    feature = {} if version is None else version.feature("suggested_questions_after_answer")
    if version is None or not feature.get("enabled"):
        raise ApiError(400, "bad_request", "Suggested Questions Is Disabled.")
    told = [(turn.query, turn.answer) for turn in turns]
    questions = await suggest(told, call.runtime.models, feature, version.models())
    return json_reply({"result": "success", "data": questions})


ROUTES = [Route("/messages/{message_id}/suggested", suggested, methods=["GET"])]

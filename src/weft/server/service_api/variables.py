"""Conversation variables. Source: Dify service API, `/conversations/{id}/variables`."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError
from weft.server.call import CHAT_MODES, Call
from weft.server.errors import ApiError
from weft.server.path import path_id
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.store import Connection, ConversationVariable, Page, conversation_variables, conversations
from weft.variables import ValueType, matches, revive
from weft.wire import VariablesQuery, VariableUpdateRequest, parse_request

_ABSENT = "Conversation Variable Not Exists."
_NO_CONVERSATION = "Conversation Not Exists."


async def listing(request: Request) -> Response:
    """A page of a conversation's variables, oldest first."""
    call = await Call.begin(request)
    fields = call.query
    user = await call.end_user(fields)
    call.check_mode(*CHAT_MODES)
    conversation_id = path_id(request, "conversation_id", _NO_CONVERSATION)
    query = parse_request(VariablesQuery, fields)

    def read(connection: Connection) -> Page[ConversationVariable]:
        _check_conversation(connection, call, conversation_id, user.id)
        return conversation_variables.list_page(
            connection,
            call.app.id,
            conversation_id,
            name_contains=query.variable_name or "",
            last_id=query.last_id,
            limit=query.limit,
        )

    page = await call.runtime.store.read(read)
    data = [_shown(variable) for variable in page.items]
    return json_reply({"limit": query.limit, "has_more": page.has_more, "data": data})


async def update(request: Request) -> Response:
    """Give a variable another value; the next run of the conversation sees it."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body)
    call.check_mode(*CHAT_MODES)
    conversation_id = path_id(request, "conversation_id", _NO_CONVERSATION)
    variable_id = path_id(request, "variable_id", _ABSENT)
    value = parse_request(VariableUpdateRequest, body).value
    now = call.runtime.clock.now()

    def write(connection: Connection) -> ConversationVariable:
        _check_conversation(connection, call, conversation_id, user.id)
        found = conversation_variables.find(connection, call.app.id, conversation_id, variable_id)
        if found is None:
            raise NotFoundError(_ABSENT, kind="conversation_variable", id=variable_id)
        _check_type(found.value_type, value)
        return conversation_variables.update(
            connection, call.app.id, conversation_id, variable_id, value, now
        )

    return json_reply(_shown(await call.runtime.store.write(write)))


def _check_conversation(connection: Connection, call: Call, conversation_id: str, end_user_id: str) -> None:
    if conversations.find(connection, call.app.id, conversation_id, end_user_id=end_user_id) is None:
        raise NotFoundError(_NO_CONVERSATION, kind="conversation", id=conversation_id)


def _check_type(declared: str, value: Any) -> None:
    revived = revive(value)
    is_boolean = isinstance(value, bool) and declared == "number"
    if not matches(cast(ValueType, declared), revived) or is_boolean:
        raise ApiError(
            400, "bad_request", f"Value type mismatch: expected {declared}, got {_json_type(value)}."
        )


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _shown(variable: ConversationVariable) -> dict[str, object]:
    return {
        "id": variable.variable_id,
        "name": variable.name,
        "value_type": variable.value_type,
        "value": _text(variable.value),
        "description": variable.description,
        "created_at": seconds(variable.created_at),
        "updated_at": seconds(variable.updated_at),
    }


def _text(value: object) -> str | None:
    """The value as text: a text as it is, anything else as JSON with blanks after separators."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    return msgspec.json.encode(value).decode()


ROUTES = [
    Route("/conversations/{conversation_id}/variables", listing, methods=["GET"]),
    Route("/conversations/{conversation_id}/variables/{variable_id}", update, methods=["PUT"]),
]

"""Conversations: list, rename, delete. Source: Dify service API, `/conversations`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError, ProviderError
from weft.server.call import CHAT_MODES, Call
from weft.server.path import path_id
from weft.server.reply import json_reply, no_content
from weft.server.sse import seconds
from weft.store import Connection, Conversation, Message, conversations, messages
from weft.wire import (
    ConversationDeleteRequest,
    ConversationRenameRequest,
    ConversationsQuery,
    parse_request,
)


async def listing(request: Request) -> Response:
    """A page of the caller's conversations."""
    call = await Call.begin(request)
    fields = call.query
    user = await call.end_user(fields)
    call.check_mode(*CHAT_MODES)
    query = parse_request(ConversationsQuery, fields)
    page = await call.runtime.store.read(
        lambda connection: conversations.list_page(
            connection,
            call.app.id,
            user.id,
            sort_by=query.sort_by,
            last_id=query.last_id,
            limit=query.limit,
        )
    )
    data = [shown(conversation) for conversation in page.items]
    return json_reply({"limit": query.limit, "has_more": page.has_more, "data": data})


async def rename(request: Request) -> Response:
    """Give a conversation a name, or have one made up."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body)
    call.check_mode(*CHAT_MODES)
    conversation_id = path_id(request, "conversation_id", "Conversation Not Exists.")
    wanted = parse_request(ConversationRenameRequest, body)
    name = wanted.name or ""
    if wanted.auto_generate:
        name = await _made_up_name(call, conversation_id, user.id)
    now = call.runtime.clock.now()
    try:
        renamed = await call.runtime.store.write(
            lambda connection: conversations.rename(
                connection, call.app.id, conversation_id, name, now, end_user_id=user.id
            )
        )
    except NotFoundError as error:
        raise _absent(conversation_id) from error
    return json_reply(shown(renamed))


async def delete(request: Request) -> Response:
    """Remove a conversation from every listing; its runs and logs remain."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body)
    call.check_mode(*CHAT_MODES)
    conversation_id = path_id(request, "conversation_id", "Conversation Not Exists.")
    parse_request(ConversationDeleteRequest, body)
    now = call.runtime.clock.now()
    try:
        await call.runtime.store.write(
            lambda connection: conversations.mark_deleted(
                connection, call.app.id, conversation_id, now, end_user_id=user.id
            )
        )
    except NotFoundError as error:
        raise _absent(conversation_id) from error
    return no_content()


def shown(conversation: Conversation) -> dict[str, object]:
    """A conversation as the API shows it."""
    return {
        "id": conversation.id,
        "name": conversation.name,
        "inputs": conversation.inputs,
        "status": conversation.status,
        "introduction": conversation.introduction,
        "created_at": seconds(conversation.created_at),
        "updated_at": seconds(conversation.updated_at),
    }


async def _made_up_name(call: Call, conversation_id: str, end_user_id: str) -> str:
    """A name for the conversation's first message; the one that it has where the model fails."""

    def read(connection: Connection) -> tuple[Conversation, Message | None]:
        found = conversations.find(connection, call.app.id, conversation_id, end_user_id=end_user_id)
        if found is None:
            raise _absent(conversation_id)
        return found, messages.find_first(connection, call.app.id, conversation_id)

    conversation, first = await call.runtime.store.read(read)
    if first is None:
        raise InvalidRequestError("Message Not Exists.")
    version = await call.published()
    if version is None:
        raise InvalidRequestError("Workflow not published")
    try:
        return await call.runtime.runner.name_conversation(version, first.query)
    except ProviderError:
        return conversation.name


def _absent(conversation_id: str) -> NotFoundError:
    return NotFoundError("Conversation Not Exists.", kind="conversation", id=conversation_id)


ROUTES = [
    Route("/conversations", listing, methods=["GET"]),
    Route("/conversations/{conversation_id}/name", rename, methods=["POST"]),
    Route("/conversations/{conversation_id}", delete, methods=["DELETE"]),
]

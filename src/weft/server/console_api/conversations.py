"""Conversations of an app with everybody. Source: Dify console API, `/apps/{id}/chat-conversations`."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError
from weft.server.console_api.call import CHAT_MODES, ConsoleCall
from weft.server.console_api.field import Limit, OptionalText, PageNumber
from weft.server.console_api.time_range import parse_range, through_minute
from weft.server.path import path_id
from weft.server.reply import json_reply, no_content
from weft.server.sse import seconds
from weft.store import (
    App,
    ConversationEntry,
    ConversationFilter,
    Message,
    SortBy,
    Tally,
    console_logs,
    conversations,
    messages,
)
from weft.wire import WireModel, parse_request

NO_CONVERSATION = "Conversation Not Exists."


class ConversationsQuery(WireModel):
    """Query string of the list of conversations, besides its time range."""

    keyword: OptionalText = None
    annotation_status: Literal["annotated", "not_annotated", "all"] = "all"
    sort_by: SortBy = "-updated_at"
    page: PageNumber = 1
    limit: Limit = 20


async def listing(request: Request) -> Response:
    """A page of conversations."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*CHAT_MODES)
    return await _page(call, app, sort_by="-updated_at")


async def completions(request: Request) -> Response:
    """The like for completion apps; their conversations are single messages."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app("completion")
    return await _page(call, app, sort_by="-created_at")


async def _page(call: ConsoleCall, app: App, *, sort_by: SortBy) -> Response:
    fields = call.query
    query = parse_request(ConversationsQuery, {"sort_by": sort_by, **fields})
    start, end = parse_range(fields, call.zone)
    wanted = ConversationFilter(
        keyword=query.keyword or "",
        start=start,
        end=through_minute(end),
        annotation=query.annotation_status,
        sort_by=query.sort_by,
        with_debugger=app.mode != "advanced-chat",
    )
    page = await call.read(
        lambda connection: console_logs.list_page(
            connection, app.id, wanted, page=query.page, limit=query.limit
        )
    )
    return json_reply(
        {
            "page": query.page,
            "limit": query.limit,
            "total": page.total,
            "has_more": page.has_more,
            "data": [_item(entry) for entry in page.items],
        }
    )


async def detail(request: Request) -> Response:
    """One conversation; from now on it counts as read."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*CHAT_MODES)
    conversation_id = path_id(request, "conversation_id", NO_CONVERSATION)
    entry = await call.read(lambda connection: console_logs.find(connection, app.id, conversation_id))
    if entry is None:
        raise NotFoundError(NO_CONVERSATION, kind="conversation", id=conversation_id)
    if entry.conversation.read_at is None:
        now = call.runtime.clock.now()
        entry = await call.runtime.store.write(
            lambda connection: console_logs.mark_read(connection, app.id, conversation_id, now)
        )
    first = await call.read(lambda connection: messages.find_first(connection, app.id, conversation_id))
    return json_reply(
        {
            **_item(entry),
            "introduction": entry.conversation.introduction,
            "inputs": entry.conversation.inputs,
            "first_message": None if first is None else _first(first),
        }
    )


async def delete(request: Request) -> Response:
    """Take a conversation out of all lists."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*CHAT_MODES, "completion")
    conversation_id = path_id(request, "conversation_id", NO_CONVERSATION)
    now = call.runtime.clock.now()
    await call.write(
        "conversation.delete",
        lambda connection: conversations.mark_deleted(
            connection, app.id, conversation_id, now, end_user_id=None
        ),
        app_id=app.id,
        target_id=conversation_id,
    )
    return no_content()


def _item(entry: ConversationEntry) -> dict[str, object]:
    conversation = entry.conversation
    return {
        "id": conversation.id,
        "status": conversation.status,
        "from_source": conversation.from_source,
        "from_end_user_id": conversation.end_user_id,
        "from_end_user_session_id": entry.session_id,
        "from_account_id": conversation.account_id,
        "from_account_name": entry.account_name,
        "name": conversation.name,
        "summary": entry.summary,
        "read_at": None if conversation.read_at is None else seconds(conversation.read_at),
        "created_at": seconds(conversation.created_at),
        "updated_at": seconds(conversation.updated_at),
        "annotated": entry.annotated,
        "model_config": {"model": None, "pre_prompt": None},
        "message_count": entry.message_count,
        "user_feedback_stats": _tally(entry.by_user),
        "admin_feedback_stats": _tally(entry.by_admin),
        "status_count": {
            "success": entry.runs.get("succeeded", 0),
            "failed": entry.runs.get("failed", 0),
            "partial_success": entry.runs.get("partial-succeeded", 0),
            "paused": entry.runs.get("paused", 0),
        },
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {"like": tally.like, "dislike": tally.dislike}


def _first(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "query": message.query,
        "answer": message.answer,
        "inputs": message.inputs,
        "created_at": seconds(message.created_at),
    }


ROUTES = [
    Route("/apps/{app_id}/chat-conversations", listing, methods=["GET"]),
    Route("/apps/{app_id}/completion-conversations", completions, methods=["GET"]),
    Route("/apps/{app_id}/chat-conversations/{conversation_id}", detail, methods=["GET"]),
    Route("/apps/{app_id}/chat-conversations/{conversation_id}", delete, methods=["DELETE"]),
]

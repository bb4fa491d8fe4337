"""The history of a conversation. Source: Dify service API, `GET /messages`."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError
from weft.server.call import CHAT_MODES, Call
from weft.server.reply import json_reply
from weft.server.service_api.forms import extra_contents
from weft.server.signed_files import FreshLinks
from weft.server.sse import seconds
from weft.store import (
    Connection,
    Feedback,
    Form,
    Message,
    MessageFile,
    Page,
    conversations,
    feedbacks,
    forms,
    messages,
)
from weft.wire import MessagesQuery, parse_request


async def history(request: Request) -> Response:
    """A page of messages, oldest first; further pages lead back in time."""
    call = await Call.begin(request)
    fields = call.query
    user = await call.end_user(fields)
    call.check_mode(*CHAT_MODES)
    query = parse_request(MessagesQuery, fields)
    if query.conversation_id is None:
        return json_reply({"limit": query.limit, "has_more": False, "data": []})
    conversation_id = query.conversation_id

    def read(
        connection: Connection,
    ) -> tuple[
        Page[Message],
        dict[str, tuple[MessageFile, ...]],
        dict[str, tuple[Feedback, ...]],
        dict[str, tuple[Form, ...]],
    ]:
        found = conversations.find(connection, call.app.id, conversation_id, end_user_id=user.id)
        if found is None:
            raise NotFoundError("Conversation Not Exists.", kind="conversation", id=conversation_id)
        page = messages.list_page(
            connection, call.app.id, conversation_id, first_id=query.first_id, limit=query.limit
        )
        ids = [message.id for message in page.items]
        ratings = feedbacks.list_by_message(connection, call.app.id, ids)
        asked = forms.list_by_runs(connection, [message.run_id for message in page.items if message.run_id])
        return page, messages.list_files(connection, ids), ratings, asked

    page, files, ratings, asked = await call.runtime.store.read(read)
    links = await FreshLinks.of(call.runtime, call.app.id, page.items, files)
    data = [
        {
            **_message(message, files.get(message.id, ()), links),
            "feedback": _own(ratings.get(message.id, ())),
            "extra_contents": extra_contents(asked.get(message.run_id or "", ())),
        }
        for message in page.items
    ]
    return json_reply({"limit": query.limit, "has_more": page.has_more, "data": data})


def _message(message: Message, files: Sequence[MessageFile], links: FreshLinks) -> dict[str, object]:
    metadata = message.metadata or {}
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "parent_message_id": message.parent_message_id,
        "inputs": links.value(message.inputs),
        "query": message.query,
        "answer": links.text(message.answer),
        "feedback": None,
        "retriever_resources": metadata.get("retriever_resources") or [],
        "created_at": seconds(message.created_at),
        "agent_thoughts": [],
        "message_files": [_file(file, links.url(file)) for file in files],
        "status": message.status,
        "error": message.error,
        "extra_contents": [],
    }


def _own(given: Sequence[Feedback]) -> dict[str, str] | None:
    """The end user's feedback; what the app's makers think is not shown to them."""
    return next(({"rating": str(one.rating)} for one in given if one.from_source == "user"), None)


def _file(file: MessageFile, url: str | None) -> dict[str, object]:
    return {
        "id": file.id,
        "filename": file.name,
        "type": file.type,
        "url": url,
        "mime_type": file.mime_type,
        "size": file.size,
        "transfer_method": file.transfer_method,
        "belongs_to": file.belongs_to,
        "upload_file_id": file.upload_file_id,
    }


ROUTES = [Route("/messages", history, methods=["GET"])]

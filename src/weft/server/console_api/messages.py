"""Messages of an app, whoever sent them. Source: Dify console API, `/apps/{id}/chat-messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError
from weft.runs import suggest
from weft.server.console_api.app_view import account_summary
from weft.server.console_api.call import CHAT_MODES, ConsoleCall
from weft.server.console_api.conversations import NO_CONVERSATION
from weft.server.console_api.field import Id, Limit, OptionalId
from weft.server.path import path_id
from weft.server.reply import json_reply
from weft.server.signed_files import FreshLinks
from weft.server.sse import seconds
from weft.store import (
    Account,
    Annotation,
    AnnotationHit,
    Connection,
    Feedback,
    Message,
    MessageFile,
    Workflow,
    accounts,
    app_annotations,
    conversations,
    feedbacks,
    messages,
    workflows,
)
from weft.wire import WireModel, parse_request

NO_MESSAGE = "Message Not Exists."
_TURNS = 3
"""Exchanges that a model is told when it shall suggest questions."""


class MessagesQuery(WireModel):
    """Query string of the history of a conversation."""

    conversation_id: Id
    first_id: OptionalId = None
    limit: Limit = 20


class _Around(msgspec.Struct, frozen=True):
    """What is known about messages besides themselves, by their ids."""

    feedback: Mapping[str, Sequence[Feedback]]
    annotations: Mapping[str, Annotation]
    hits: Mapping[str, AnnotationHit]
    files: Mapping[str, Sequence[MessageFile]]
    people: Mapping[str, Account]


async def history(request: Request) -> Response:
    """A page of a conversation, oldest first; further pages lead back in time."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*CHAT_MODES)
    query = parse_request(MessagesQuery, call.query)
    conversation_id = query.conversation_id

    def read(connection: Connection) -> tuple[tuple[Message, ...], bool, _Around]:
        if conversations.find(connection, app.id, conversation_id, end_user_id=None) is None:
            raise NotFoundError(NO_CONVERSATION, kind="conversation", id=conversation_id)
        try:
            page = messages.list_page(
                connection, app.id, conversation_id, first_id=query.first_id, limit=query.limit
            )
        except NotFoundError as error:
            raise NotFoundError("First message not found", kind="message", id=query.first_id or "") from error
        return page.items, page.has_more, _around(connection, app.id, page.items)

    items, has_more, around = await call.read(read)
    links = await FreshLinks.of(call.runtime, app.id, items, around.files)
    return json_reply(
        {
            "limit": query.limit,
            "has_more": has_more,
            "data": [_shown(message, around, links) for message in items],
        }
    )


async def detail(request: Request) -> Response:
    """One message."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*CHAT_MODES, "completion")
    message_id = path_id(request, "message_id", NO_MESSAGE)

    def read(connection: Connection) -> tuple[Message, _Around]:
        message = get_message(connection, app.id, message_id)
        return message, _around(connection, app.id, [message])

    message, around = await call.read(read)
    links = await FreshLinks.of(call.runtime, app.id, [message], around.files)
    return json_reply(_shown(message, around, links))


async def suggested(request: Request) -> Response:
    """What the user could ask after a message; nothing where the app does not suggest questions."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*CHAT_MODES)
    message_id = path_id(request, "message_id", NO_MESSAGE)

    def read(connection: Connection) -> tuple[list[Message], Workflow | None]:
        message = get_message(connection, app.id, message_id)
        before = messages.list_page(
            connection, app.id, message.conversation_id, first_id=message_id, limit=_TURNS - 1
        )
        turns = [turn for turn in (*before.items, message) if turn.answer]
        return turns, workflows.find_published(connection, app.id)

    turns, published = await call.read(read)
    version = None if published is None else call.runtime.catalog.compile(published)
    feature = {} if version is None else version.feature("suggested_questions_after_answer")
    if version is None or not feature.get("enabled"):
        empty: list[str] = []
        return json_reply({"data": empty})
    told = [(turn.query, turn.answer) for turn in turns]
    return json_reply({"data": await suggest(told, call.runtime.models, feature, version.models())})


def get_message(connection: Connection, app_id: str, message_id: str) -> Message:
    """The app's message of that id.

    Raises:
        NotFoundError: There is none, or its conversation has been deleted.
    """
    message = messages.find(connection, app_id, message_id)
    if message is None or (
        conversations.find(connection, app_id, message.conversation_id, end_user_id=None) is None
    ):
        raise NotFoundError(NO_MESSAGE, kind="message", id=message_id)
    return message


def _around(connection: Connection, app_id: str, items: Sequence[Message]) -> _Around:
    ids = [message.id for message in items]
    given = feedbacks.list_by_message(connection, app_id, ids)
    annotated = app_annotations.list_by_message(connection, app_id, ids)
    hits = app_annotations.list_hits_by_message(connection, app_id, ids)
    people = {one.account_id for some in given.values() for one in some if one.account_id}
    people |= {annotation.account_id for annotation in annotated.values() if annotation.account_id}
    return _Around(
        given, annotated, hits, messages.list_files(connection, ids), accounts.list_by_id(connection, people)
    )


def _shown(message: Message, around: _Around, links: FreshLinks) -> dict[str, object]:
    annotation, hit = around.annotations.get(message.id), around.hits.get(message.id)
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "inputs": message.inputs,
        "query": message.query,
        "message": "",
        "message_tokens": message.message_tokens,
        "answer": message.answer,
        "answer_tokens": message.answer_tokens,
        "provider_response_latency": message.latency,
        "from_source": message.from_source,
        "from_end_user_id": message.end_user_id,
        "from_account_id": message.account_id,
        "feedbacks": [_feedback(one, around.people) for one in around.feedback.get(message.id, ())],
        "workflow_run_id": message.run_id,
        "annotation": None if annotation is None else _annotation(annotation, around.people),
        "annotation_hit_history": None if hit is None else _hit(hit),
        "created_at": seconds(message.created_at),
        "agent_thoughts": [],
        "message_files": [_file(file, links) for file in around.files.get(message.id, ())],
        "metadata": message.metadata or {},
        "status": message.status,
        "error": message.error,
        "parent_message_id": message.parent_message_id,
        "extra_contents": [],
    }


def _feedback(feedback: Feedback, people: Mapping[str, Account]) -> dict[str, object]:
    return {
        "rating": feedback.rating,
        "content": feedback.content,
        "from_source": feedback.from_source,
        "from_end_user_id": feedback.end_user_id,
        "from_account": account_summary(people.get(feedback.account_id or "")),
    }


def _annotation(annotation: Annotation, people: Mapping[str, Account]) -> dict[str, object]:
    return {
        "id": annotation.id,
        "question": annotation.question,
        "content": annotation.answer,
        "account": account_summary(people.get(annotation.account_id or "")),
        "created_at": seconds(annotation.created_at),
    }


def _hit(hit: AnnotationHit) -> dict[str, object]:
    return {
        "annotation_id": hit.annotation_id,
        "annotation_create_account": None,
        "created_at": seconds(hit.created_at),
    }


def _file(file: MessageFile, links: FreshLinks) -> dict[str, object]:
    return {
        "id": file.id,
        "filename": file.name,
        "type": file.type,
        "url": links.url(file),
        "mime_type": file.mime_type,
        "size": file.size,
        "transfer_method": file.transfer_method,
        "belongs_to": file.belongs_to,
        "upload_file_id": file.upload_file_id,
    }


ROUTES = [
    Route("/apps/{app_id}/chat-messages", history, methods=["GET"]),
    Route("/apps/{app_id}/chat-messages/{message_id}/suggested-questions", suggested, methods=["GET"]),
    Route("/apps/{app_id}/messages/{message_id}", detail, methods=["GET"]),
]

"""What end users think of answers. Source: Dify service API, `/messages/{id}/feedbacks`, `/app/feedbacks`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError
from weft.server.call import Call
from weft.server.path import path_id
from weft.server.reply import SUCCESS, json_reply
from weft.store import Connection, EndUser, Feedback, Message, conversations, feedbacks, messages
from weft.wire import FeedbackRequest, FeedbacksQuery, parse_request, render_instant

NO_MESSAGE = "Message Not Exists."


async def rate(request: Request) -> Response:
    """Like or dislike an answer, or take that back."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body, required=True)
    message_id = path_id(request, "message_id", NO_MESSAGE)
    wanted = parse_request(FeedbackRequest, body)
    runtime, app_id = call.runtime, call.app.id
    id, now = runtime.ids.new(), runtime.clock.now()

    def write(connection: Connection) -> None:
        message = own_message(connection, app_id, message_id, user)
        if wanted.rating is None:
            if not feedbacks.remove(connection, app_id, message_id, "user"):
                raise InvalidRequestError("rating cannot be None when feedback not exists")
            return
        feedback = Feedback(
            id=id,
            app_id=app_id,
            conversation_id=message.conversation_id,
            message_id=message_id,
            rating=wanted.rating,
            from_source="user",
            created_at=now,
            updated_at=now,
            content=wanted.content,
            end_user_id=user.id,
        )
        feedbacks.put(connection, feedback)

    await runtime.store.write(write)
    return json_reply(SUCCESS)


async def listing(request: Request) -> Response:
    """A page of all feedback of the app, newest first."""
    call = await Call.begin(request)
    query = parse_request(FeedbacksQuery, call.query)
    page = await call.runtime.store.read(
        lambda connection: feedbacks.list_page(connection, call.app.id, page=query.page, limit=query.limit)
    )
    return json_reply({"data": [_shown(feedback) for feedback in page]})


def own_message(connection: Connection, app_id: str, message_id: str, user: EndUser) -> Message:
    """A message of this user in a conversation that is not deleted.

    Raises:
        NotFoundError: There is none of that id.
    """
    message = messages.find(connection, app_id, message_id)
    if message is None or message.end_user_id != user.id:
        raise _absent(message_id)
    if conversations.find(connection, app_id, message.conversation_id, end_user_id=user.id) is None:
        raise _absent(message_id)
    return message


def _absent(message_id: str) -> NotFoundError:
    return NotFoundError(NO_MESSAGE, kind="message", id=message_id)


def _shown(feedback: Feedback) -> dict[str, object]:
    return {
        "id": feedback.id,
        "app_id": feedback.app_id,
        "conversation_id": feedback.conversation_id,
        "message_id": feedback.message_id,
        "rating": feedback.rating,
        "content": feedback.content,
        "from_source": feedback.from_source,
        "from_end_user_id": feedback.end_user_id,
        "from_account_id": feedback.account_id,
        "created_at": render_instant(feedback.created_at),
        "updated_at": render_instant(feedback.updated_at),
    }


ROUTES = [
    Route("/messages/{message_id}/feedbacks", rate, methods=["POST"]),
    Route("/app/feedbacks", listing, methods=["GET"]),
]

"""Sending a message, and stopping its answer. Source: Dify service API, `/chat-messages`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError
from weft.runs import AppVersion, LiveRun, RunRequest
from weft.server.call import CHAT_MODES, Call
from weft.server.errors import ApiError, error_response
from weft.server.reply import SUCCESS, json_reply
from weft.server.sse import run_error, seconds, stream_run
from weft.store import Conversation, EndUser, conversations
from weft.wire import ChatRequest, parse_request, parse_uuid


async def send(request: Request) -> Response:
    """Answer a message, as a stream or whole."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body, required=True)
    call.check_mode(*CHAT_MODES)
    chat = parse_request(ChatRequest, body)
    runner = call.runtime.runner
    runner.check_slot(call.app)
    version = await wanted_version(call, chat.workflow_id)
    conversation = await _conversation(call, chat.conversation_id, user)
    live = await runner.start(
        RunRequest(
            app=call.app,
            version=version,
            end_user=user,
            inputs=chat.inputs,
            query=chat.query,
            files=chat.files or (),
            conversation=conversation,
            auto_generate_name=chat.auto_generate_name,
        )
    )
    if chat.streaming:
        server = call.runtime.settings.server
        return stream_run(
            live,
            user.session_id,
            ping_seconds=server.ping_seconds,
            stop_when_left=server.stop_when_client_leaves,
        )
    await live.ended()
    return _whole_answer(live, call.app.mode)


async def stop(request: Request) -> Response:
    """Stop a running answer; says success whatever there was to stop."""
    call = await Call.begin(request)
    user = await call.end_user(await call.json(), required=True)
    call.check_mode(*CHAT_MODES)
    stop_task(call, request.path_params["task_id"], user)
    return json_reply(SUCCESS)


async def wanted_version(call: Call, workflow_id: str | None) -> AppVersion:
    """The version that a request names, else the published one.

    Raises:
        ApiError: The id is malformed, or the draft's.
        NotFoundError: The app has no such version.
        InvalidRequestError: Nothing is published.
    """
    if workflow_id is None:
        published = await call.published()
        if published is None:
            raise InvalidRequestError("Workflow not published")
        return published
    try:
        normal = parse_uuid(workflow_id)
    except ValueError as error:
        raise ApiError(400, "bad_request", f"Invalid workflow_id format: '{workflow_id}'. ") from error
    version = await call.version(normal)
    if version is None:
        raise NotFoundError(f"Workflow not found with id: {workflow_id}", kind="workflow", id=workflow_id)
    return version


def stop_task(call: Call, task_id: str, user: EndUser) -> None:
    """Stop a task of this app if this user started it; anything else is passed over in silence."""
    live = call.runtime.runner.live.find(task_id)
    if live is not None and live.run.app_id == call.app.id and live.owner == user.id:
        live.stop()


async def _conversation(call: Call, conversation_id: str | None, user: EndUser) -> Conversation | None:
    if conversation_id is None:
        return None
    found = await call.read(
        lambda connection: conversations.find(connection, call.app.id, conversation_id, end_user_id=user.id)
    )
    if found is None or found.from_source != "api":
        raise NotFoundError("Conversation Not Exists.", kind="conversation", id=conversation_id)
    return found


def _whole_answer(live: LiveRun, mode: str) -> Response:
    message, run = live.message, live.run
    if message is None or run.status == "failed":
        status, code, text = run_error(run.error, live.error_code)
        return error_response(status, code, text)
    return json_reply(
        {
            "event": "message",
            "task_id": live.task_id,
            "id": message.id,
            "message_id": message.id,
            "conversation_id": message.conversation_id,
            "mode": mode,
            "answer": message.answer,
            "metadata": message.metadata,
            "created_at": seconds(message.created_at),
        }
    )


ROUTES = [
    Route("/chat-messages", send, methods=["POST"]),
    Route("/chat-messages/{task_id}/stop", stop, methods=["POST"]),
]

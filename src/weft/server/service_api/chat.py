"""Sending a message, and stopping its answer. Source: Dify service API, `/chat-messages`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError
from weft.events import RunPaused
from weft.runs import AppVersion, LiveRun, RunRequest
from weft.server.call import CHAT_MODES, Call
from weft.server.direct_answer import stream_direct, whole_direct
from weft.server.errors import ApiError, error_response
from weft.server.reply import SUCCESS, json_reply
from weft.server.speech import find_auto_speaker
from weft.server.sse import paused_data, run_error, seconds, stream_run
from weft.store import Conversation, EndUser, Message, conversations
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
    conversation = await wanted_conversation(call, chat.conversation_id, user)
    wanted = RunRequest(
        app=call.app,
        version=version,
        end_user=user,
        inputs=chat.inputs,
        query=chat.query,
        files=chat.files or (),
        conversation=conversation,
        auto_generate_name=chat.auto_generate_name,
    )
    direct = await call.runtime.direct_answers.find(wanted)
    if direct is not None:
        return stream_direct(direct) if chat.streaming else whole_direct(direct, call.app.mode)
    live = await runner.start(wanted)
    if chat.streaming:
        server = call.runtime.settings.server
        return stream_run(
            live,
            user.session_id,
            ping_seconds=server.ping_seconds,
            stop_when_left=server.stop_when_client_leaves,
            speak=find_auto_speaker(call.runtime.models, version),
        )
    await live.ended()
    return _whole_answer(live, call.app.mode)


async def stop(request: Request) -> Response:
    """Stop a running answer; says success whatever there was to stop."""
    call = await Call.begin(request)
    user = await call.end_user(await call.json(), required=True)
    call.check_mode(*CHAT_MODES)
    await stop_task(call, request.path_params["task_id"], user)
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


async def stop_task(call: Call, task_id: str, user: EndUser) -> None:
    """Stop a task of this app if this user started it; anything else is passed over in silence."""
    await call.runtime.runner.stop(task_id, app_id=call.app.id, owner_id=user.id)


async def wanted_conversation(call: Call, conversation_id: str | None, user: EndUser) -> Conversation | None:
    """The conversation that a request goes on with, if any.

    Raises:
        NotFoundError: It is not one of this user with this app through its API.
    """
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
    if message is not None and live.paused is not None:
        return _paused_answer(live, message, live.paused, mode)
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


def _paused_answer(live: LiveRun, message: Message, paused: RunPaused, mode: str) -> Response:
    answer = {
        "id": message.id,
        "mode": mode,
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "workflow_run_id": live.run.id,
        "answer": message.answer,
        "metadata": message.metadata,
        "created_at": seconds(message.created_at),
    }
    told = paused_data(paused)
    names = ("paused_nodes", "reasons", "status", "elapsed_time", "total_tokens", "total_steps")
    data = {**answer, **{name: told[name] for name in names}}
    return json_reply({"event": "workflow_paused", "task_id": live.task_id, **answer, "data": data})


ROUTES = [
    Route("/chat-messages", send, methods=["POST"]),
    Route("/chat-messages/{task_id}/stop", stop, methods=["POST"]),
]

"""Asking an app as if it were a model. Source: OpenAI API reference, `POST /chat/completions`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.events import Event, RunFinished, RunPaused
from weft.runs import DirectAnswer, LiveRun, RunRequest
from weft.server.call import CHAT_MODES, Call
from weft.server.errors import ApiError
from weft.server.json_text import encode
from weft.server.openai_api.errors import openai_errors
from weft.server.openai_api.models import model_id
from weft.server.openai_api.reply import PING, Teller, whole
from weft.server.openai_api.request import (
    CONVERSATION_HEADER,
    CompletionRequest,
    GivenHistory,
    parse_completion,
)
from weft.server.service_api.chat import wanted_conversation, wanted_version
from weft.server.sse import FrameStream, run_error
from weft.store import Message


@openai_errors
async def complete(request: Request) -> Response:
    """Answer the last message of the user."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body)
    call.check_mode(*CHAT_MODES)
    asked = parse_completion(body, request.headers.get(CONVERSATION_HEADER))
    runner = call.runtime.runner
    runner.check_slot(call.app)
    conversation = await wanted_conversation(call, asked.conversation_id, user)
    wanted = RunRequest(
        app=call.app,
        version=await wanted_version(call, None),
        end_user=user,
        inputs=asked.inputs,
        query=asked.query,
        files=asked.files,
        conversation=conversation,
        auto_generate_name=False,
        history=None if conversation is not None else GivenHistory(asked.turns),
    )
    direct = await call.runtime.direct_answers.find(wanted)
    if direct is not None:
        return _direct(direct, asked, model_id(call.app))
    live = await runner.start(wanted)
    if asked.streaming:
        return _stream(call, live, asked)
    await _over(live)
    message, run = live.message, live.run
    if message is None or run.status == "failed":
        raise ApiError(*run_error(run.error, live.error_code))
    return _reply(encode(whole(message, model_id(call.app))), message)


async def _over(live: LiveRun) -> None:
    """Wait until the run has ended, or waits for a person."""
    over = asyncio.Event()

    def hear(event: Event) -> None:
        if isinstance(event, RunFinished | RunPaused):
            over.set()

    live.listen(hear)
    try:
        await over.wait()
    finally:
        live.leave(hear)


def _direct(answer: DirectAnswer, asked: CompletionRequest, model: str) -> Response:
    """An answer that an annotation gave."""
    message = answer.message
    if not asked.streaming:
        return _reply(encode(whole(message, model)), message)
    teller = Teller(message, model, include_usage=asked.include_usage)
    return _reply(b"".join(teller.tell_whole(message)), message, "text/event-stream")


def _reply(body: bytes, message: Message, media_type: str = "application/json") -> Response:
    return Response(body, 200, _headers(message), media_type=media_type)


def _stream(call: Call, live: LiveRun, asked: CompletionRequest) -> Response:
    """The chunks of a run that is about to begin; the run goes on when its reader leaves."""
    message = live.message
    if message is None:
        raise TypeError(f"run {live.run.id} of a chat app answers no message")
    server = call.runtime.settings.server
    teller = Teller(message, model_id(call.app), include_usage=asked.include_usage)

    def leave(left: bool) -> None:
        live.leave(hear)
        if left and server.stop_when_client_leaves:
            live.stop("The client left.")

    headers = [(name.encode(), value.encode()) for name, value in _headers(message).items()]
    stream = FrameStream(ping_seconds=server.ping_seconds, on_leave=leave, ping=PING, headers=headers)

    def hear(event: Event) -> None:
        told = False
        try:
            stream.put(teller.tell(event, live))
            told = True
        finally:
            if not told or isinstance(event, RunFinished | RunPaused):
                stream.end()

    live.listen(hear)
    return stream


def _headers(message: Message) -> dict[str, str]:
    return {
        CONVERSATION_HEADER: message.conversation_id,
        "access-control-expose-headers": CONVERSATION_HEADER,
    }


ROUTES = [Route("/chat/completions", complete, methods=["POST"])]

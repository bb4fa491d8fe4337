"""What happens in a run, told as Dify's stream events: the one place where our vocabulary becomes theirs.

A `Teller` turns events into frames, a `FrameStream` sends frames to one reader. Frames are encoded once, to
bytes; the piece of text, which is nearly all of the traffic, is put together by hand around its JSON text.

Source: Dify service API, event stream.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from weft.events import (
    AgentLogged,
    AnswerReplaced,
    ContainerAdvanced,
    ContainerFinished,
    ContainerStarted,
    Event,
    FileProduced,
    FormFilled,
    FormRequested,
    FormTimedOut,
    Frame,
    NodeFinished,
    NodeRetried,
    NodeStarted,
    PauseReason,
    ReasoningStreamed,
    RunFinished,
    RunPaused,
    RunStarted,
    TextStreamed,
)
from weft.runs import LiveRun
from weft.server.guarded_protocol import abort_of, leaving_of
from weft.server.json_text import encode
from weft.server.speech import Speak
from weft.server.speech_stream import SpeechStream
from weft.variables import Selector
from weft.wire import PING, encode_frame

log = logging.getLogger(__name__)

LAST = frozenset({RunFinished, RunPaused})
"""Types of the events after which a stream has nothing more to tell."""
_SILENT_TYPES = frozenset({"iteration", "loop", "iteration-start", "loop-start"})
"""Containers tell of themselves in events of their own; the starts inside them are not told."""
_MAX_WAITING = 8 * 1024 * 1024
"""Bytes that a reader may lag behind before it is dropped; its run goes on."""


class Teller:
    """Turns the events of one run into the frames of its stream.

    Args:
        live: The run; chat apps have a message, workflow apps do not.
        user: The caller's name for the end user.
    """

    def __init__(self, live: LiveRun, user: str) -> None:
        self._live = live
        self._user = user
        run, message = live.run, live.message
        self._common: dict[str, object] = {}
        if message is not None:
            self._common = {
                "conversation_id": message.conversation_id,
                "message_id": message.id,
                "created_at": seconds(message.created_at),
            }
        self._common["task_id"] = live.task_id
        self._of_run = {"workflow_run_id": run.id, **self._common}
        self._is_chat = message is not None
        self._selectors: dict[Selector, bytes] = {}
        text_event = {"event": "message", **self._common, "id": message.id} if message else None
        self._message_head = b"data: " + encode(text_event)[:-1] + b',"answer":' if text_event else b""
        self._chunk_head = (
            b"data: " + encode({"event": "text_chunk", **self._of_run})[:-1] + b',"data":{"text":'
        )

    def tell(self, event: Event) -> Iterable[bytes]:
        """The frames that say what happened; most events are one, some are none."""
        if type(event) is TextStreamed:
            return (self._text(event),)
        return self._tell(event)

    def tell_audio(self, audio: bytes | None) -> bytes:
        """The frame with a piece of the spoken answer; nothing means that no further piece comes."""
        name = "tts_message_end" if audio is None else "tts_message"
        return self._event(name, audio=b64encode(audio or b"").decode())

    def _text(self, event: TextStreamed) -> bytes:
        selector = self._selectors.get(event.selector)
        if selector is None:
            tail = b"}\n\n" if self._is_chat else b"}}\n\n"
            selector = b',"from_variable_selector":' + encode(event.selector) + tail
            self._selectors[event.selector] = selector
        head = self._message_head if self._is_chat else self._chunk_head
        return head + encode(event.text) + selector

    def _tell(self, event: Event) -> Iterable[bytes]:
        match event:
            case RunStarted():
                yield self._run_event("workflow_started", started_data(event))
            case NodeStarted() if event.node_type not in _SILENT_TYPES:
                yield self._run_event("node_started", _node_started(event))
            case NodeFinished() if event.node_type not in _SILENT_TYPES:
                yield self._run_event("node_finished", _node_finished(event))
            case NodeRetried():
                data = {**_node_finished(event), "status": "retry", "retry_index": event.retry_index}
                yield self._run_event("node_retry", data)
            case ContainerStarted():
                yield self._run_event(f"{event.kind}_started", _container_started(event))
            case ContainerAdvanced():
                yield self._run_event(f"{event.kind}_next", _container_next(event))
            case ContainerFinished():
                yield self._run_event(f"{event.kind}_completed", _container_completed(event))
            case AnswerReplaced() if self._is_chat:
                yield self._event("message_replace", answer=event.text, reason=event.reason)
            case AnswerReplaced():
                yield self._event("text_replace", data={"text": event.text})
            case ReasoningStreamed():
                data = {"reasoning": event.text, "node_id": event.node_id, "is_final": event.is_final}
                if self._live.message is not None:
                    data["message_id"] = self._live.message.id
                yield self._event("reasoning_chunk", data=data)
            case AgentLogged():
                yield self._event("agent_log", data=_agent_log(event))
            case FileProduced() if self._is_chat:
                file = event.file
                yield self._event(
                    "message_file", id=file.id, type=file.type, belongs_to="assistant", url=file.link
                )
            case RunFinished():
                yield from self._finished(event)
            case FormRequested():
                yield self._run_event("human_input_required", form_data(event))
            case FormFilled():
                yield self._run_event("human_input_form_filled", _form_filled(event))
            case FormTimedOut():
                data = {
                    "node_id": event.node_id,
                    "node_title": event.node_title,
                    "expiration_time": seconds(event.expires_at),
                }
                yield self._run_event("human_input_form_timeout", data)
            case RunPaused():
                yield self._run_event("workflow_paused", paused_data(event))
            case _:
                return

    def _finished(self, event: RunFinished) -> Iterable[bytes]:
        if not self._is_chat:
            yield self._run_event("workflow_finished", self._finished_data(event))
            return
        if event.status == "failed":
            yield self._run_event("workflow_finished", self._finished_data(event))
            status, code, text = run_error(event.error, event.error_code)
            yield self._event("error", status=status, code=code, message=text)
            return
        message = self._live.message
        metadata = dict(message.metadata or {}) if message is not None else {}
        yield self._event(
            "message_end",
            id=None if message is None else message.id,
            metadata=metadata,
            files=event.files,
        )
        yield self._run_event("workflow_finished", self._finished_data(event))

    def _finished_data(self, event: RunFinished) -> dict[str, object]:
        return {
            "id": event.run_id,
            "workflow_id": event.workflow_id,
            "status": event.status,
            "outputs": event.outputs,
            "error": event.error,
            "elapsed_time": event.elapsed_time,
            "total_tokens": event.total_tokens,
            "total_steps": event.total_steps,
            "created_by": {"id": self._live.owner, "user": self._user},
            "created_at": seconds(event.started_at),
            "finished_at": seconds(event.at),
            "exceptions_count": event.exceptions_count,
            "files": event.files,
        }

    def _event(self, name: str, **fields: object) -> bytes:
        return encode_frame(encode({"event": name, **self._common, **fields}))

    def _run_event(self, name: str, data: dict[str, object]) -> bytes:
        return encode_frame(encode({"event": name, **self._of_run, "data": data}))


_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class FrameStream(Response):
    """An event stream to one reader.

    Frames wait here while the connection is busy and leave together when it is free. A reader that leaves, or
    lags too far behind, is let go.

    Args:
        ping_seconds: Time between keep-alive frames.
        on_leave: Called once when nothing more is sent; true if the reader left before the end.
        ping: The keep-alive frame.
        headers: Sent besides those that every stream has.
    """

    def __init__(
        self,
        *,
        ping_seconds: float,
        on_leave: Callable[[bool], None],
        ping: bytes = PING,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self._ping_frame = ping
        self._head = [*_HEAD, *headers]
        self.background = None
        self._ping_seconds = ping_seconds
        self._on_leave: Callable[[bool], None] | None = on_leave
        self._waiting: list[bytes] = []
        self._size = 0
        self._ended = False
        self._left = False
        self._wake: asyncio.Future[None] | None = None
        self._abort: Callable[[], None] | None = None
        self._is_sending = False

    def put(self, frames: Iterable[bytes]) -> None:
        """Add frames to send."""
        if self._left:
            return
        for frame in frames:
            self._waiting.append(frame)
            self._size += len(frame)
        if self._size > _MAX_WAITING and self._is_sending:  # what nobody has begun to send is no lag
            # Sending may wait for this reader for ever, so what it has missed is given up here.
            log.warning("a reader lags %d bytes behind and is dropped; its run goes on", self._size)
            self._left = True
            self._waiting.clear()
            loop = asyncio.get_running_loop()
            loop.call_soon(self._let_go)
            if self._abort is not None:
                loop.call_soon(self._abort)  # with all that waits in the connection
        if self._wake is not None:
            self._rouse()

    def end(self) -> None:
        """Say that no frame follows."""
        self._ended = True
        self._rouse()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send frames as they come, and a ping every so often."""
        loop = asyncio.get_running_loop()
        self._abort = abort_of(scope)
        tell_leaving = leaving_of(scope)
        if tell_leaving is not None:
            tell_leaving(self._leave)
        self._timer = loop.call_later(self._ping_seconds, self._ping)
        watch: asyncio.Task[None] | None = None
        begun = False
        try:
            while not self._left:
                if self._waiting or self._ended:
                    if not begun:  # not before there is something to say, so that both leave together
                        begun = True
                        await send({"type": "http.response.start", "status": 200, "headers": self._head})
                    body, last = b"".join(self._waiting), self._ended
                    self._waiting.clear()
                    self._size = 0
                    # The end may come while this waits for the reader; then there is more to send.
                    self._is_sending = True
                    await send({"type": "http.response.body", "body": body, "more_body": not last})
                    self._is_sending = False
                    if last:
                        break
                else:
                    if begun and watch is None and tell_leaving is None:
                        watch = asyncio.create_task(self._watch(receive))
                    self._wake = loop.create_future()
                    await self._wake
        except OSError:
            self._left = True
        finally:
            self._wake = None
            self._timer.cancel()
            if watch is not None:
                watch.cancel()
            if tell_leaving is not None:
                tell_leaving(None)
            self._let_go()

    def _let_go(self) -> None:
        """Say once that nothing more is sent."""
        tell, self._on_leave = self._on_leave, None
        if tell is not None:
            tell(self._left)

    def _ping(self) -> None:
        self.put((self._ping_frame,))
        self._timer = asyncio.get_running_loop().call_later(self._ping_seconds, self._ping)

    async def _watch(self, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._leave()
                return

    def _leave(self) -> None:
        self._left = True
        self._rouse()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)


def stream_run(
    live: LiveRun, user: str, *, ping_seconds: float, stop_when_left: bool, speak: Speak | None = None
) -> FrameStream:
    """The stream of a run that is about to begin; the run goes on when its reader leaves.

    Args:
        live: The run.
        user: The caller's name for the end user.
        ping_seconds: Time between keep-alive frames.
        stop_when_left: Stop the run when its reader leaves.
        speak: Says the answer while it is written; its audio is told in between and after the end.
    """
    teller = Teller(live, user)

    def leave(left: bool) -> None:
        live.leave(listener)
        if speech is not None:
            speech.close()
        if left and stop_when_left:
            live.stop("The client left.")

    stream = FrameStream(ping_seconds=ping_seconds, on_leave=leave)

    def hear(event: Event) -> None:
        try:
            stream.put(teller.tell(event))
        except BaseException:
            end()
            raise
        if type(event) in LAST:
            end()

    def hear_aloud(event: Event) -> None:
        if speech is not None and type(event) is TextStreamed:
            speech.hear(event.text)
        hear(event)

    def end_speech() -> None:
        stream.put((teller.tell_audio(None),))
        stream.end()

    listener, end, speech = hear, stream.end, None
    if speak is not None:
        speech = SpeechStream(
            speak, tell=lambda audio: stream.put((teller.tell_audio(audio),)), ended=end_speech
        )
        listener, end = hear_aloud, speech.finish
    live.listen(listener)
    return stream


def seconds(moment: datetime) -> int:
    """Whole unix seconds."""
    return int(moment.timestamp())


def run_error(error: str | None, code: str | None) -> tuple[int, str, str]:
    """Status, code and message of a run that failed."""
    status = {"rate_limit_error": 429, "internal_server_error": 500}.get(code or "", 400)
    return status, code or "invalid_param", f"Run failed: {error}"


def started_data(event: RunStarted) -> dict[str, object]:
    """What is told of a run that begins."""
    return {
        "id": event.run_id,
        "workflow_id": event.workflow_id,
        "inputs": event.inputs,
        "created_at": seconds(event.at),
        "reason": event.reason,
    }


def form_data(event: FormRequested) -> dict[str, object]:
    """What is told of a form that waits."""
    return {
        "form_id": event.form_id,
        "node_id": event.node_id,
        "node_title": event.node_title,
        "form_content": event.content,
        "inputs": event.inputs,
        "actions": event.actions,
        "display_in_ui": event.display_in_ui,
        "form_token": event.token,
        "resolved_default_values": event.resolved_defaults,
        "expiration_time": seconds(event.expires_at),
    }


def paused_data(event: RunPaused) -> dict[str, object]:
    """What is told of a run that waits."""
    return {
        "workflow_run_id": event.run_id,
        "paused_nodes": [reason.node_id for reason in event.reasons if reason.node_id],
        "outputs": event.outputs,
        "reasons": [_reason(reason) for reason in event.reasons],
        "status": "paused",
        "created_at": seconds(event.started_at),
        "elapsed_time": event.elapsed_time,
        "total_tokens": event.total_tokens,
        "total_steps": event.total_steps,
    }


def _reason(reason: PauseReason) -> dict[str, object]:
    form = {} if reason.form is None else form_data(reason.form)
    return {"TYPE": reason.type, **form, "node_id": reason.node_id, "node_title": reason.node_title}


def _form_filled(event: FormFilled) -> dict[str, object]:
    return {
        "node_id": event.node_id,
        "node_title": event.node_title,
        "rendered_content": event.rendered_content,
        "action_id": event.action_id,
        "action_text": event.action_text,
        "submitted_data": event.submitted,
    }


def _node_started(event: NodeStarted) -> dict[str, object]:
    return {
        "id": event.execution_id,
        "node_id": event.node_id,
        "node_type": event.node_type,
        "title": event.title,
        "index": event.index,
        "predecessor_node_id": event.predecessor_id,
        "inputs": None,
        "inputs_truncated": False,
        "created_at": seconds(event.at),
        "extras": event.extras,
        "iteration_id": event.frame.iteration_id,
        "loop_id": event.frame.loop_id,
        "agent_strategy": event.agent_strategy,
    }


def _node_finished(event: NodeFinished | NodeRetried) -> dict[str, object]:
    finished = event if isinstance(event, NodeFinished) else None
    return {
        "id": event.execution_id,
        "node_id": event.node_id,
        "node_type": event.node_type,
        "title": event.title,
        "index": event.index,
        "predecessor_node_id": event.predecessor_id,
        "inputs": event.inputs,
        "inputs_truncated": False,
        "process_data": event.process_data,
        "process_data_truncated": False,
        "outputs": event.outputs,
        "outputs_truncated": False,
        "status": finished.status if finished else "retry",
        "error": event.error,
        "elapsed_time": event.elapsed_time,
        "execution_metadata": _metadata(event.metadata, event.frame),
        "created_at": seconds(event.started_at),
        "finished_at": seconds(event.at),
        "extras": finished.extras if finished else {},
        "files": finished.files if finished else [],
        "iteration_id": event.frame.iteration_id,
        "loop_id": event.frame.loop_id,
        "agent_strategy": None,
    }


def _metadata(metadata: Mapping[str, object], frame: Frame) -> dict[str, object]:
    place = {
        "iteration_id": frame.iteration_id,
        "iteration_index": frame.iteration_index,
        "loop_id": frame.loop_id,
        "loop_index": frame.loop_index,
    }
    return {**metadata, **{name: value for name, value in place.items() if value is not None}}


def _container_started(event: ContainerStarted) -> dict[str, object]:
    return {
        "id": event.node_id,
        "node_id": event.node_id,
        "node_type": event.node_type,
        "title": event.title,
        "created_at": seconds(event.at),
        "extras": {},
        "metadata": {f"{event.kind}_length": event.length},
        "inputs": event.inputs,
        "inputs_truncated": False,
        "iteration_id": event.frame.iteration_id,
        "loop_id": event.frame.loop_id,
    }


def _container_next(event: ContainerAdvanced) -> dict[str, object]:
    data: dict[str, object] = {
        "id": event.node_id,
        "node_id": event.node_id,
        "node_type": event.node_type,
        "title": event.title,
        "index": event.index,
        "created_at": seconds(event.at),
        "extras": {},
        "iteration_id": event.frame.iteration_id,
        "loop_id": event.frame.loop_id,
    }
    if event.kind == "loop":
        data["pre_loop_output"] = {}
    return data


def _container_completed(event: ContainerFinished) -> dict[str, object]:
    return {
        "id": event.node_id,
        "node_id": event.node_id,
        "node_type": event.node_type,
        "title": event.title,
        "outputs": event.outputs,
        "outputs_truncated": False,
        "inputs": event.inputs,
        "inputs_truncated": False,
        "status": event.status,
        "error": event.error,
        "elapsed_time": event.elapsed_time,
        "total_tokens": event.total_tokens,
        "execution_metadata": _metadata(event.metadata, event.frame),
        "created_at": seconds(event.started_at),
        "finished_at": seconds(event.at),
        "steps": event.steps,
        "extras": {},
        "iteration_id": event.frame.iteration_id,
        "loop_id": event.frame.loop_id,
    }


def _agent_log(event: AgentLogged) -> dict[str, object]:
    return {
        "node_execution_id": event.execution_id,
        "id": event.id,
        "label": event.label,
        "parent_id": event.parent_id,
        "error": event.error,
        "status": event.status,
        "data": event.data,
        "metadata": event.metadata,
        "node_id": event.node_id,
    }

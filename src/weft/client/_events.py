"""Reading an event stream: bytes to events, events to what is known of the answer so far.

A chat app's stream ends with `message_end` and `workflow_finished` in either order, or with
`workflow_paused`, or with `error`; an annotation's answer has no workflow events at all. So reading
goes on until the server closes, and only then is decided whether the stream was whole.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft import wire
from weft.client._core import ErrorReply, error_from
from weft.errors import StreamBrokenError, TransportError, WeftError

if TYPE_CHECKING:
    from weft.wire import (
        AnswerMetadata,
        ErrorEvent,
        FormDefinition,
        JsonObject,
        MessageFileEvent,
        MessageReplaceEvent,
        NodeEvent,
        NodeFinishedData,
        RunStatus,
        StreamEvent,
        UnknownEvent,
        Usage,
        WorkflowFinishedData,
        WorkflowPausedData,
    )

_ESSENTIAL = frozenset(
    {
        "message",
        "agent_message",
        "message_replace",
        "message_end",
        "text_chunk",
        "text_replace",
        "workflow_finished",
        "workflow_paused",
        "error",
    }
)
"""Events that must not be missed: without them the answer or its end would be wrong."""


@dataclass(slots=True)
class StreamResult:
    """What a stream has told so far; complete once the stream has ended."""

    conversation_id: str | None = None
    message_id: str | None = None
    task_id: str | None = None
    """What stops the run."""
    workflow_run_id: str | None = None
    created_at: int | None = None
    """Unix seconds of the message's creation."""
    metadata: AnswerMetadata | None = None
    """From `message_end`."""
    files: list[JsonObject] = field(default_factory=list)
    """From `message_end`, or from `workflow_finished` of a workflow app."""
    message_files: list[MessageFileEvent] = field(default_factory=list)
    node_events: list[NodeEvent] = field(default_factory=list)
    """Starts, ends, retries and rounds of nodes, in order."""
    finished: WorkflowFinishedData | None = None
    """How the run ended; ``None`` before that, and for answers without a run."""
    pause: WorkflowPausedData | None = None
    """Why the run waits; ``None`` unless it does."""
    forms: list[FormDefinition] = field(default_factory=list)
    """Human input forms that were asked for."""
    _pieces: list[str] = field(default_factory=list, repr=False)

    @property
    def answer(self) -> str:
        """The text so far, replacements respected."""
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    @property
    def usage(self) -> Usage | None:
        """Tokens and prices of the answer."""
        return self.metadata.usage if self.metadata else None

    @property
    def status(self) -> RunStatus | None:
        """How far the run is; ``None`` before its end, and for answers without a run."""
        if self.finished is not None:
            return self.finished.status
        return self.pause.status if self.pause else None

    @property
    def outputs(self) -> JsonObject | None:
        """Outputs of the run."""
        return self.finished.outputs if self.finished else None

    @property
    def nodes(self) -> list[NodeFinishedData]:
        """Node executions that ended, in order."""
        return [event.data for event in self.node_events if isinstance(event, wire.NodeFinishedEvent)]


class EventReader:
    """Bytes in, events out; `result` follows the events that were taken.

    Args:
        call: What is being answered, for messages.
        has_message: Whether the stream tells of a message (a chat app's does, a workflow app's does not).
    """

    def __init__(self, call: object, *, has_message: bool) -> None:
        self.result = StreamResult()
        self.is_over = False
        """Whether no more bytes will come."""
        self._call = call
        self._has_message = has_message
        self._decoder = wire.SseDecoder()
        self._payloads: deque[bytes] = deque()
        self._failure: TransportError | None = None
        self._run_started = False
        self._seen: set[tuple[object, ...]] = set()
        self._rejoined = False

    def feed(self, chunk: bytes) -> None:
        """Take in bytes as they arrive, in any split.

        Raises:
            StreamBrokenError: An event is too large.
        """
        try:
            self._payloads.extend(self._decoder.feed(chunk))
        except ValueError as error:
            raise self._broken(str(error)) from None

    def finish(self, failure: TransportError | None = None) -> None:
        """The server has closed the stream, or the connection failed."""
        self.is_over = True
        self._failure = failure
        for payload in self._decoder.flush():
            try:
                wire.parse_stream_event(payload)
            except ValueError:
                continue  # cut off in the middle of an event
            self._payloads.append(payload)

    def take(self, *, may_join: bool = False) -> StreamEvent | UnknownEvent | None:
        """The next event, or ``None`` when more bytes are needed or the stream has ended well.

        Args:
            may_join: Whether a stream that broke off may be joined again: then that is no error here.

        Raises:
            StreamBrokenError: The stream ended too early, or an event could not be understood.
            WeftError: The stream told of an error, which is raised in its own class.
        """
        while self._payloads:
            try:
                event = wire.parse_stream_event(self._payloads.popleft())
            except ValueError as error:
                raise self._broken(f"an event cannot be read: {error}") from None
            if isinstance(event, wire.MessageEvent):  # most events are, so they do not pass through all that
                self._follow(event)
                return event
            if isinstance(event, wire.PingEvent) or self._is_repeated(event):
                continue
            self._follow(event)
            return event
        if self.is_over and not (may_join and self.run_to_join):
            self._check_end()
        return None

    @property
    def run_to_join(self) -> str | None:
        """The run whose stream has broken off and can be joined again; ``None`` if it has not, or cannot."""
        result = self.result
        if not (self.is_over and self._run_started) or self._is_whole():
            return None
        return result.workflow_run_id if result.finished is None else None

    def join(self) -> None:
        """What is fed from now on comes from the run's other stream, and may begin with a replay."""
        self.is_over = False
        self._failure = None
        self._rejoined = True
        self._decoder = wire.SseDecoder()
        self._payloads.clear()

    def repair(self, answer: str) -> MessageReplaceEvent | None:
        """The event that makes the answer what the server has kept of it, if some of it was missed."""
        if answer == self.result.answer:
            return None
        event = wire.MessageReplaceEvent(
            answer=answer,
            reason="rejoined",
            task_id=self.result.task_id,
            conversation_id=self.result.conversation_id,
            message_id=self.result.message_id,
            created_at=self.result.created_at,
        )
        self._follow(event)
        return event

    @property
    def message_to_compare(self) -> tuple[str, str] | None:
        """Conversation and message of an answer that ended on a joined stream; ``None`` for all others."""
        result = self.result
        if not self._rejoined or not self._has_message or not self.is_over or result.finished is None:
            return None
        if result.conversation_id is None or result.message_id is None:
            return None
        return result.conversation_id, result.message_id

    def _is_repeated(self, event: StreamEvent | UnknownEvent) -> bool:
        key = _identity(event)
        if key is None:
            return False
        if key in self._seen:
            return self._rejoined
        self._seen.add(key)
        return False

    def _check_end(self) -> None:
        if self._failure is not None:
            if not self._is_whole():
                raise self._broken(str(self._failure)) from self._failure
        elif self._rejoined and not self._is_whole():
            raise self._broken("the server closed it before the run was finished")
        elif self.result.metadata is None and self.result.finished is None and self.result.pause is None:
            raise self._broken("the server closed it before the answer was complete")

    def _is_whole(self) -> bool:
        result = self.result
        if result.pause is not None:
            return True
        if result.finished is None and (self._run_started or not self._has_message):
            return False
        # A stream that was joined at the end of a run tells only how it finished.
        return result.metadata is not None or not self._has_message or self._rejoined

    def _broken(self, why: str) -> StreamBrokenError:
        answer = self.result.answer
        return StreamBrokenError(
            f"the event stream of {self._call} broke after {len(answer)} characters: {why}", answer=answer
        )

    def _follow(self, event: StreamEvent | UnknownEvent) -> None:
        result = self.result
        if event.task_id is not None:
            result.task_id = event.task_id
        if event.message_id is not None:
            result.message_id = event.message_id
            result.conversation_id = event.conversation_id
            result.created_at = event.created_at
        if isinstance(event, wire.MessageEvent):
            result._pieces.append(event.answer)
            return
        match event:
            case wire.AgentMessageEvent():
                result._pieces.append(event.answer)
            case wire.TextChunkEvent():
                result._pieces.append(event.data.text)
            case wire.MessageReplaceEvent():
                result._pieces[:] = [event.answer]
            case wire.TextReplaceEvent():
                result._pieces[:] = [event.data.text]
            case wire.MessageFileEvent():
                result.message_files.append(event)
            case wire.MessageEndEvent():
                result.metadata = event.metadata
                result.files = event.files or []
            case wire.ErrorEvent():
                raise self._told(event)
            case wire.UnknownEvent():
                if event.problem is not None and event.event in _ESSENTIAL:
                    raise self._broken(f"{event.event!r} is not as documented: {event.problem}")
            case _:
                self._follow_run(event)

    def _follow_run(self, event: StreamEvent | UnknownEvent) -> None:
        result = self.result
        match event:
            case wire.WorkflowStartedEvent():
                self._run_started = True
                result.workflow_run_id = event.workflow_run_id or event.data.id
                result.pause = None
            case wire.WorkflowFinishedEvent():
                result.workflow_run_id = event.workflow_run_id or event.data.id
                result.finished = event.data
                if not self._has_message:
                    result.files = event.data.files or []
            case wire.WorkflowPausedEvent():
                result.workflow_run_id = event.workflow_run_id or event.data.workflow_run_id
                result.pause = event.data
            case wire.HumanInputRequiredEvent():
                result.forms.append(event.data)
            case (
                wire.NodeStartedEvent()
                | wire.NodeFinishedEvent()
                | wire.NodeRetryEvent()
                | wire.IterationStartedEvent()
                | wire.IterationNextEvent()
                | wire.IterationCompletedEvent()
                | wire.LoopStartedEvent()
                | wire.LoopNextEvent()
                | wire.LoopCompletedEvent()
            ):
                result.node_events.append(event)
            case _:
                pass

    def _told(self, event: ErrorEvent) -> WeftError:
        told = ErrorReply(
            event.message or event.code, status=event.status, code=event.code, answer=self.result.answer
        )
        return error_from(told)


def _identity(event: StreamEvent | UnknownEvent) -> tuple[object, ...] | None:
    """What makes an event of a run the same one when it is told again; ``None`` for pieces of an answer."""
    match event:
        case wire.WorkflowStartedEvent() if event.data.reason != "resumption":
            return (event.event, event.data.id)
        case wire.WorkflowPausedEvent():
            return (event.event, event.data.created_at, *event.data.paused_nodes)
        case wire.NodeStartedEvent() | wire.NodeFinishedEvent():
            return (event.event, event.data.id)
        case wire.NodeRetryEvent():
            return (event.event, event.data.id, event.data.retry_index)
        case wire.IterationStartedEvent() | wire.LoopStartedEvent():
            return (event.event, event.data.id, event.data.created_at)
        case wire.IterationNextEvent() | wire.LoopNextEvent():
            return (event.event, event.data.id, event.data.index, event.data.created_at)
        case wire.IterationCompletedEvent() | wire.LoopCompletedEvent():
            return (event.event, event.data.id, event.data.finished_at)
        case wire.HumanInputRequiredEvent():
            return (event.event, event.data.form_id)
        case _:
            return None

"""Writing down what happens in a run.

The recorder listens like everybody else. Pieces of text are kept in memory and stored once, joined; node
executions are stored with the end of the run, or along the way when it takes long; a conversation variable is
stored as soon as it changes, because it stays changed even if the run fails afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from weft.clock import Clock
from weft.engine import FORMAT, RunOutcome
from weft.errors import StoreError
from weft.events import (
    AnswerReplaced,
    Event,
    FileProduced,
    NodeFinished,
    NodeRetried,
    NodeStarted,
    ResourcesRetrieved,
    TextStreamed,
    VariableUpdated,
)
from weft.ids import Ids
from weft.nodes import is_kept
from weft.runs.live import LiveRun
from weft.store import (
    Connection,
    ConversationVariable,
    Message,
    MessageFile,
    NodeExecution,
    Run,
    RunState,
    Store,
    conversation_variables,
    node_executions,
    run_states,
    runs,
)
from weft.variables import File, Value

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 2.0
"""Node executions of a run that goes on longer are stored along the way, so that it can be watched."""


class Recorder:
    """The record of one run."""

    def __init__(
        self,
        live: LiveRun,
        variables: dict[str, ConversationVariable],
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        goes_on: bool = False,
    ) -> None:
        self._live = live
        self._goes_on = goes_on
        """The run has paused before: its message holds what was said until then."""
        self._variables = variables
        """Conversation variables by name."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._pieces: list[str] = []
        self._executions: list[NodeExecution] = []
        self._resources: dict[tuple[object, object], dict[str, Value]] = {}
        self._files: list[File] = []
        self._flushed = clock.monotonic()
        self._writes: set[asyncio.Task[None]] = set()
        self._failed: list[Callable[[Connection], None]] = []
        """Writes that the store has refused; they are tried again with the end of the run."""
        self._order = asyncio.Lock()
        """Writes happen one after the other: of two values of a variable the later has to stay."""
        if goes_on and live.message is not None:
            self._pieces = [live.message.answer]
            for resource in _resources_of(live.message):
                self._resources[resource.get("dataset_id"), resource.get("document_id")] = resource
        live.answer_so_far = lambda: self.answer

    @property
    def answer(self) -> str:
        """The text that was shown so far."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def resources(self) -> list[dict[str, Value]]:
        """The passages that models were given, each document once, numbered from 1."""
        return [
            {**resource, "position": position}
            for position, resource in enumerate(self._resources.values(), start=1)
        ]

    def hear(self, event: Event) -> None:
        """Note an event."""
        kind = type(event)
        if kind is TextStreamed:
            self._pieces.append(event.text)  # type: ignore[union-attr]  # told by `kind`
            return
        match event:
            case NodeFinished():
                self._live.progress.end(event)
                self._executions.append(_finished(event, self._live.run))
                self._flush_if_late()
            case NodeStarted():
                self._live.progress.start(event)
            case NodeRetried():
                self._executions.append(_retried(event, self._live.run, self._ids))
            case VariableUpdated():
                self._keep_variable(event)
            case ResourcesRetrieved():
                for resource in event.resources:
                    key = (resource.get("dataset_id"), resource.get("document_id"))
                    self._resources.setdefault(key, resource)
            case FileProduced():
                self._files.append(event.file)
            case AnswerReplaced():
                self._pieces = [event.text]

    async def finish(self, outcome: RunOutcome, *, show_resources: bool) -> None:
        """Store how the run ended; afterwards it may be told.

        Raises:
            StoreError: The end could not be stored.
        """
        run, message, files = await self._ended(outcome, self._clock.now(), show_resources=show_resources)
        live = self._live
        executions, self._executions = self._executions, []
        failed, self._failed = self._failed, []

        def write(connection: Connection) -> None:
            for fn in failed:
                fn(connection)
            runs.finish(connection, run, message, executions, files)
            if self._goes_on:
                run_states.remove(connection, run.id)

        await self._store.write(write)
        live.run, live.message = run, message

    async def pause(self, outcome: RunOutcome, state: Mapping[str, object], *, show_resources: bool) -> bool:
        """Store that the run waits, and all that it needs to go on; afterwards it may be told.

        Args:
            outcome: What there is of the run.
            state: What `Engine.save` gave.
            show_resources: Whether the message shows what its models were given.

        Returns:
            Whether something that it waits for has come meanwhile.

        Raises:
            StoreError: It could not be stored.
        """
        now = self._clock.now()
        run, message, files = await self._ended(outcome, now, show_resources=show_resources)
        live = self._live
        waiting = [_paused(event, run) for event in live.progress.at_work()]
        executions = [*self._executions, *waiting]
        failed, self._failed = self._failed, []
        saved = RunState(run.id, FORMAT, state, now)
        awaited = {reason.form.form_id for reason in outcome.reasons if reason.form is not None}

        def write(connection: Connection) -> bool:
            for fn in failed:
                fn(connection)
            return runs.pause(connection, run, message, saved, awaited, executions, files)

        can_go_on = await self._store.write(write)
        self._executions, self._files = [], []
        live.run, live.message = run, message
        return can_go_on

    async def _ended(
        self, outcome: RunOutcome, now: datetime, *, show_resources: bool
    ) -> tuple[Run, Message | None, list[MessageFile]]:
        """The rows of a run that has ended or paused, once all that was written before is on disk."""
        if self._writes:
            await asyncio.gather(*self._writes, return_exceptions=True)
        live = self._live
        run = msgspec.structs.replace(
            live.run,
            status=outcome.status,
            outputs=outcome.outputs,
            error=outcome.error,
            elapsed_time=outcome.elapsed_time,
            total_tokens=outcome.usage.total_tokens,
            total_price=outcome.usage.total_price,
            currency=outcome.usage.currency,
            total_steps=outcome.total_steps,
            exceptions_count=outcome.exceptions_count,
            finished_at=None if outcome.status == "paused" else now,
        )
        if live.message is None:
            return run, None, []
        message = self._finished_message(live.message, outcome, now, show_resources=show_resources)
        return run, message, [self._message_file(message.id, file, now) for file in self._files]

    def _finished_message(
        self, message: Message, outcome: RunOutcome, now: datetime, *, show_resources: bool
    ) -> Message:
        usage = outcome.usage
        failed = outcome.status == "failed"
        return msgspec.structs.replace(
            message,
            answer=self.answer,
            status="error" if failed else "paused" if outcome.status == "paused" else "normal",
            error=outcome.error if failed else None,
            metadata={
                "annotation_reply": None,
                "retriever_resources": self.resources() if show_resources else [],
                "usage": usage.to_wire(),
            },
            message_tokens=usage.prompt_tokens,
            answer_tokens=usage.completion_tokens,
            total_price=usage.total_price,
            currency=usage.currency,
            latency=outcome.elapsed_time,
            updated_at=now,
        )

    def _message_file(self, message_id: str, file: File, now: datetime) -> MessageFile:
        return message_file(file, message_id, "assistant", now, self._ids)

    def _keep_variable(self, event: VariableUpdated) -> None:
        variable = self._variables.get(event.selector[1])
        if event.selector[0] != "conversation" or variable is None:
            return
        changed = msgspec.structs.replace(variable, value=event.value, updated_at=self._clock.now())
        self._variables[variable.name] = changed
        # The newest value when it comes to it, so that a write that is made up for later takes nothing back.
        self._write(
            lambda connection: conversation_variables.upsert(connection, [self._variables[variable.name]])
        )

    def _flush_if_late(self) -> None:
        now = self._clock.monotonic()
        if now - self._flushed > _FLUSH_SECONDS:
            self._flushed = now
            executions, self._executions = self._executions, []
            self._write(lambda connection: node_executions.append(connection, executions))

    def _write(self, fn: Callable[[Connection], None]) -> None:
        """Store something without waiting for it; `finish` waits for all of it, and makes up for failures."""

        async def write() -> None:
            try:
                async with self._order:
                    await self._store.write(fn)
            except StoreError:
                log.exception("part of the record of run %s could not be stored yet", self._live.run.id)
                self._failed.append(fn)

        task = asyncio.create_task(write())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)


def _resources_of(message: Message) -> list[dict[str, Value]]:
    """What the message of a run that has paused shows of what its models were given."""
    shown = (message.metadata or {}).get("retriever_resources")
    return (
        [dict(resource) for resource in shown if isinstance(resource, dict)]
        if isinstance(shown, list)
        else []
    )


def message_file(file: File, message_id: str, belongs_to: str, now: datetime, ids: Ids) -> MessageFile:
    """The row of a file that came with a message or was made for it."""
    kept = is_kept(file)
    return MessageFile(
        id=file.id if file.id and belongs_to == "assistant" else ids.new(),
        message_id=message_id,
        type=file.type,
        transfer_method="tool_file" if file.transfer_method == "datasource_file" else file.transfer_method,
        belongs_to="user" if belongs_to == "user" else "assistant",
        created_at=now,
        url=None if kept else file.remote_url or file.url,
        upload_file_id=file.related_id if kept else None,
        name=file.filename,
        mime_type=file.mime_type,
        size=file.size,
    )


def _finished(event: NodeFinished, run: Run) -> NodeExecution:
    frame = event.frame
    return NodeExecution(
        id=event.execution_id,
        run_id=run.id,
        app_id=run.app_id,
        index=event.index,
        node_id=event.node_id,
        node_type=event.node_type,
        title=event.title,
        status=event.status,
        created_at=event.started_at,
        predecessor_node_id=event.predecessor_id,
        inputs=event.inputs,
        process_data=event.process_data,
        outputs=event.outputs,
        error=event.error,
        elapsed_time=event.elapsed_time,
        execution_metadata=event.metadata,
        extras=event.extras,
        iteration_id=frame.iteration_id,
        iteration_index=frame.iteration_index,
        loop_id=frame.loop_id,
        loop_index=frame.loop_index,
        finished_at=event.at,
    )


def _paused(event: NodeStarted, run: Run) -> NodeExecution:
    frame = event.frame
    return NodeExecution(
        id=event.execution_id,
        run_id=run.id,
        app_id=run.app_id,
        index=event.index,
        node_id=event.node_id,
        node_type=event.node_type,
        title=event.title,
        status="paused",
        created_at=event.at,
        predecessor_node_id=event.predecessor_id,
        extras=event.extras,
        iteration_id=frame.iteration_id,
        iteration_index=frame.iteration_index,
        loop_id=frame.loop_id,
        loop_index=frame.loop_index,
    )


def _retried(event: NodeRetried, run: Run, ids: Ids) -> NodeExecution:
    frame = event.frame
    return NodeExecution(
        id=ids.new(),
        run_id=run.id,
        app_id=run.app_id,
        index=event.index,
        node_id=event.node_id,
        node_type=event.node_type,
        title=event.title,
        status="retry",
        created_at=event.started_at,
        predecessor_node_id=event.predecessor_id,
        inputs=event.inputs,
        process_data=event.process_data,
        outputs=event.outputs,
        error=event.error,
        elapsed_time=event.elapsed_time,
        execution_metadata={**event.metadata, "retry_index": event.retry_index},
        iteration_id=frame.iteration_id,
        iteration_index=frame.iteration_index,
        loop_id=frame.loop_id,
        loop_index=frame.loop_index,
        finished_at=event.at,
    )

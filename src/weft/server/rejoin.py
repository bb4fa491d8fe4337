"""Joining a run again: what has happened so far, what happens, and how it ends, wherever it goes on.

What goes on in this process is heard live. Of a run that another process owns only its record is known here:
it is looked at from time to time, and its end is told at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from weft.errors import WeftError
from weft.events import AnswerReplaced, Event, Frame, NodeStarted, RunPaused, RunStarted
from weft.runs import (
    LiveRun,
    Runtime,
    finished_event,
    form_requested,
    is_answered,
    paused_event,
    without_details,
)
from weft.server.sse import LAST, FrameStream, Teller
from weft.store import (
    Connection,
    Form,
    Message,
    NodeExecution,
    Run,
    forms,
    messages,
    node_executions,
    runs,
)
from weft.variables import revive
from weft.wire import PING

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the record of a run is looked at that goes on in another process."""
LOOK_RARELY_SECONDS = 5.0
"""The same of one that waits: what becomes of it is told, too."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a run."""

    run: Run
    message: Message | None
    waiting: Sequence[Form]
    executions: Sequence[NodeExecution] = ()
    waits: bool = False
    """It has paused, and nothing that it waits for has come."""


def read_known(connection: Connection, app_id: str, run_id: str, *, whole: bool) -> Known | None:
    """Look a run up, with what its nodes did if the whole of it is wanted."""
    run = runs.find(connection, app_id, run_id)
    if run is None:
        return None
    message = None if run.message_id is None else messages.find(connection, app_id, run.message_id)
    waiting = [form for form in forms.list_by_run(connection, run_id) if form.status == "waiting"]
    executions = node_executions.list_by_run(connection, app_id, run_id) if whole else ()
    waits = run.status == "paused" and not is_answered(connection, run_id)
    return Known(run, message, waiting, executions, waits)


class Rejoined:
    """One reader of a run that began before.

    Args:
        runtime: Where runs go on.
        known: The run as it lies on disk.
        user: The caller's name for the end user.
        snapshot: Tell first what has happened so far.
        through_pauses: Stay while the run waits.
    """

    def __init__(
        self, runtime: Runtime, known: Known, user: str, *, snapshot: bool, through_pauses: bool
    ) -> None:
        self._runtime = runtime
        self._known = known
        self._user = user
        self._snapshot = snapshot
        self._through_pauses = through_pauses
        self._live: LiveRun | None = None
        self._teller: Teller | None = None
        self._news = asyncio.Event()
        self._paused_told = known.waits and through_pauses
        """The reader knows that the run waits; who stays through pauses does not care for the present one."""
        self._done = False
        self.stream = FrameStream(
            ping_seconds=runtime.settings.server.ping_seconds, on_leave=lambda _: self._leave()
        )
        self._task: asyncio.Task[None] | None = None

    def open(self) -> FrameStream:
        """Begin to tell. Nothing was waited for since the run was looked up, or it is looked up again."""
        self.stream.put((PING,))  # the answer begins now, though nothing may happen for days
        self._runtime.runner.live.watch(self._known.run.id, self)
        live = self._runtime.runner.live.find_run(self._known.run.id)
        if self._snapshot:
            self._tell_so_far(live)
        if live is not None:
            self.began(live)
        self._task = asyncio.create_task(self._follow())
        return self.stream

    # What the runs of this process say (weft.runs.Watcher)

    def began(self, live: LiveRun) -> None:
        """The run begins or goes on here."""
        self._teller = Teller(live, self._user)
        self._live = live
        live.listen(self._hear)
        self._news.set()

    def changed(self) -> None:
        """Something has become of the run elsewhere."""
        self._news.set()

    def dismissed(self) -> None:
        """The server is about to end; what goes on here is told to its end."""
        self._through_pauses = False
        if not self._goes_on_here():
            self._done = True
            self._news.set()

    # Telling

    def _hear(self, event: Event) -> None:
        if self._teller is None:
            return
        told = False
        try:
            self.stream.put(self._teller.tell(event))
            told = True
        finally:
            if not told:
                self.stream.end()
        if type(event) in LAST:
            paused = type(event) is RunPaused
            self._paused_told = paused
            if self._live is not None:
                self._live.leave(self._hear)
                self._live = None
            if not (paused and self._through_pauses):
                self._done = True
                self.stream.end()
            self._news.set()

    def _tell(self, *events: Event) -> None:
        """Tell what the record says, as the run itself would have."""
        known = self._known
        teller = Teller(LiveRun(known.run, known.message, None), self._user)
        for event in events:
            self.stream.put(teller.tell(event))

    def _tell_so_far(self, live: LiveRun | None) -> None:
        known = self._known
        self._tell(*_so_far(known, live))
        self._tell(*map(form_requested, known.waiting))
        if live is None and known.waits:
            self._tell(self._pause())
            self._paused_told = True

    def _pause(self) -> RunPaused:
        return paused_event(self._known.run, self._known.waiting, self._runtime.clock.now())

    async def _follow(self) -> None:
        """Look at the record for as long as the run does not go on here."""
        try:
            while not await self._is_told():
                self._news.clear()
                await self._wait()
        except WeftError as error:
            log.warning("run %s cannot be followed any more: %s", self._known.run.id, error)
        except Exception:  # the border around a background task
            log.exception("run %s cannot be followed any more", self._known.run.id)
        finally:
            self.stream.end()

    async def _is_told(self) -> bool:
        """Whether all that the reader wants to know has been told."""
        if self._done or (self._paused_told and not self._through_pauses):
            return True
        if self._goes_on_here():
            return False
        run = self._known.run
        found = await self._runtime.store.read_quick(
            lambda connection: read_known(connection, run.app_id, run.id, whole=False)
        )
        if self._goes_on_here():  # it has begun to meanwhile
            return False
        if found is None:
            return True
        self._known = found
        if found.run.finished_at is not None:
            self._tell(*_end(found))
            return True
        if found.waits and not self._paused_told:
            self._tell(*map(form_requested, found.waiting), self._pause())
            self._paused_told = True
            return not self._through_pauses
        self._paused_told = found.waits
        return False

    def _goes_on_here(self) -> bool:
        return self._live is not None

    async def _wait(self) -> None:
        if self._goes_on_here():
            await self._news.wait()
            return
        seconds = LOOK_RARELY_SECONDS if self._paused_told else LOOK_SECONDS
        sleep = asyncio.create_task(self._runtime.clock.sleep(seconds))
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({sleep, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            news.cancel()

    def _leave(self) -> None:
        self._runtime.runner.live.unwatch(self._known.run.id, self)
        if self._live is not None:
            self._live.leave(self._hear)
        if self._task is not None:
            self._task.cancel()


def only_end(run: Run, user: str) -> bytes:
    """The single frame that is left of a run that is over."""
    alone = LiveRun(msgspec.structs.replace(run, task_id=run.id), None, None)
    return b"".join(Teller(alone, user).tell(finished_event(run)))


def _so_far(known: Known, live: LiveRun | None) -> Iterator[Event]:
    """What has happened: from the record, and from the run itself what is not there yet."""
    run = known.run
    yield RunStarted(
        run_id=run.id,
        workflow_id=run.workflow_id,
        inputs={name: revive(value) for name, value in run.inputs.items()},
        at=run.created_at,
    )
    newer = {} if live is None else dict(live.progress.story())
    for execution in known.executions:
        if execution.status != "retry" and execution.id not in newer:
            yield from _told(execution)
    for events in newer.values():
        yield from events
    text = known.message.answer if known.message is not None else ""
    if live is not None:
        text = live.answer_so_far()
    if text:
        yield AnswerReplaced(text=text, reason="state_snapshot")


def _told(execution: NodeExecution) -> Iterator[Event]:
    started = NodeStarted(
        execution_id=execution.id,
        node_id=execution.node_id,
        node_type=execution.node_type,
        title=execution.title,
        index=execution.index,
        at=execution.created_at,
        predecessor_id=execution.predecessor_node_id,
        frame=Frame(
            iteration_id=execution.iteration_id,
            iteration_index=execution.iteration_index,
            loop_id=execution.loop_id,
            loop_index=execution.loop_index,
        ),
    )
    yield started
    if execution.status != "paused":
        at = execution.finished_at or execution.created_at
        yield without_details(started, execution.status, at, execution.elapsed_time)


def _end(known: Known) -> Iterator[Event]:
    """How a run ended that was not heard here: its whole answer, then its end."""
    message = known.message
    if message is not None and message.answer:
        yield AnswerReplaced(text=message.answer, reason="state_snapshot")
    yield finished_event(known.run)

"""Runs that are going on in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from weft.engine import Engine
from weft.events import Event, ReasoningStreamed, RunPaused, TextStreamed
from weft.runs.progress import Progress
from weft.store import Conversation, Message, Run

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]
_PIECES = frozenset({TextStreamed, ReasoningStreamed})
"""Types of nearly all events: the pieces of what a model says."""

STOP_SECONDS = 10.0
"""How long a run may take to end after it was stopped."""


class LiveRun:
    """A run while it lasts. It owns itself: listeners come and go, the run goes on.

    Attributes:
        run: The row as it was stored last.
        message: The row of the message that the run answers; ``None`` in workflow apps.
        conversation: The conversation as it was when the run began.
        error_code: The API's code for why the run failed, where it has one of its own.
    """

    def __init__(self, run: Run, message: Message | None, conversation: Conversation | None) -> None:
        self.run = run
        self.message = message
        self.conversation = conversation
        self.error_code: str | None = None
        self.engine: Engine | None = None
        self.task: asyncio.Task[Any] | None = None
        self.paused: RunPaused | None = None
        """What it waits for, once it has ended by pausing."""
        self.progress = Progress()
        self.answer_so_far: Callable[[], str] = str
        """The text that was shown so far."""
        self._listeners: list[Listener] = []
        self._observers: list[Listener] = []
        """Those who do not care for pieces, and cost them nothing."""
        self._ended = asyncio.Event()

    @property
    def task_id(self) -> str:
        """What `stop` is called with."""
        return self.run.task_id or self.run.id

    @property
    def owner(self) -> str | None:
        """Id of the end user or account that started the run."""
        return self.run.end_user_id or self.run.account_id

    def listen(self, listener: Listener, *, pieces: bool = True) -> None:
        """Hear every event from now on. The listener must not block and must not raise.

        Args:
            listener: Is called with each event.
            pieces: Hear the pieces of text and thoughts too, which are nearly all of the events.
        """
        if pieces:
            self._listeners = [*self._listeners, listener]  # `emit` may be going through the old list
        else:
            self._observers = [*self._observers, listener]

    def leave(self, listener: Listener) -> None:
        """Hear nothing more."""
        self._listeners = [other for other in self._listeners if other != listener]
        self._observers = [other for other in self._observers if other != listener]

    def emit(self, event: Event) -> None:
        """Tell everybody; one listener's trouble is not the others'."""
        listeners = self._listeners
        if self._observers and type(event) not in _PIECES:
            listeners = [*listeners, *self._observers]
        for listener in listeners:
            try:
                listener(event)
            except Exception:  # the border between a run and those who watch it
                log.exception("a listener of run %s failed and is dropped", self.run.id)
                self.leave(listener)

    def stop(self, reason: str = "Stopped by user.") -> None:
        """End the run; what was answered so far is kept."""
        if self.engine is not None:
            self.engine.stop(reason)

    def end(self) -> None:
        """Say that `run` and `message` are final and on disk, or that the run has paused with them."""
        self._ended.set()

    async def ended(self) -> None:
        """Wait until the run is over, or has paused, and is on disk."""
        await self._ended.wait()


class Watcher(Protocol):
    """Somebody who waits for a run that does not go on here, or not yet."""

    def began(self, live: LiveRun) -> None:
        """The run begins or goes on in this process; nothing of it has been told."""
        ...

    def changed(self) -> None:
        """Something has become of the run elsewhere; its record says what."""
        ...

    def dismissed(self) -> None:
        """Nothing will be told any more: the process is about to end."""
        ...


class LiveRuns:
    """All runs of this process, by task."""

    def __init__(self) -> None:
        self._by_task: dict[str, LiveRun] = {}
        self._watchers: dict[str, list[Watcher]] = {}
        """By run id."""
        self._observers: list[Callable[[LiveRun], None]] = []
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, run: LiveRun) -> None:
        """A run begins."""
        self._by_task[run.task_id] = run
        self._idle.clear()
        for observer in self._observers:
            observer(run)
        if self._watchers:
            for watcher in self._watchers.get(run.run.id, ()):
                watcher.began(run)

    def remove(self, run: LiveRun) -> None:
        """A run is over, or has paused."""
        if self._by_task.get(run.task_id) is run:  # else it goes on already, as another
            del self._by_task[run.task_id]
        if not self._by_task:
            self._idle.set()

    def observe(self, observer: Callable[[LiveRun], None]) -> None:
        """Show somebody every run that begins or goes on here, before anything of it is told."""
        self._observers = [*self._observers, observer]

    def unobserve(self, observer: Callable[[LiveRun], None]) -> None:
        """Show that one no further run."""
        self._observers = [other for other in self._observers if other != observer]

    def find(self, task_id: str) -> LiveRun | None:
        """The run of that task, if it goes on here."""
        return self._by_task.get(task_id)

    def find_run(self, run_id: str) -> LiveRun | None:
        """The run of that id, if it goes on here."""
        return next((run for run in self._by_task.values() if run.run.id == run_id), None)

    def watch(self, run_id: str, watcher: Watcher) -> None:
        """Tell somebody when a run begins or goes on here, or something becomes of it elsewhere."""
        self._watchers[run_id] = [*self._watchers.get(run_id, ()), watcher]

    def unwatch(self, run_id: str, watcher: Watcher) -> None:
        """Tell that one nothing more."""
        left = [other for other in self._watchers.get(run_id, ()) if other is not watcher]
        if left:
            self._watchers[run_id] = left
        else:
            self._watchers.pop(run_id, None)

    def changed(self, run_id: str) -> None:
        """Say that something has become of a run that does not go on here."""
        for watcher in self._watchers.get(run_id, ()):
            watcher.changed()

    def dismiss(self) -> None:
        """Say that no run will begin or go on here any more."""
        for watchers in list(self._watchers.values()):
            for watcher in watchers:
                watcher.dismissed()

    def count(self, app_id: str) -> int:
        """How many runs of an app go on."""
        return sum(1 for run in self._by_task.values() if run.run.app_id == app_id)

    def __len__(self) -> int:
        return len(self._by_task)

    def __iter__(self) -> Iterator[LiveRun]:
        return iter(list(self._by_task.values()))

    async def drain(self, seconds: float) -> None:
        """Let the runs finish, and stop those that have not after that time.

        Those that do not even stop, because a node does not let go of its work, are left behind.
        """
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            for run in self:
                run.stop("The server is shutting down.")
            try:
                await asyncio.wait_for(self._idle.wait(), STOP_SECONDS)
            except TimeoutError:
                log.warning("%d runs did not stop in %g s and are left behind", len(self), STOP_SECONDS)

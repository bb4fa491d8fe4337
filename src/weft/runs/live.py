"""Runs that are going on in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

from weft.engine import Engine
from weft.events import Event
from weft.store import Conversation, Message, Run

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]

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
        self._listeners: list[Listener] = []
        self._ended = asyncio.Event()

    @property
    def task_id(self) -> str:
        """What `stop` is called with."""
        return self.run.task_id or self.run.id

    @property
    def owner(self) -> str | None:
        """Id of the end user or account that started the run."""
        return self.run.end_user_id or self.run.account_id

    def listen(self, listener: Listener) -> None:
        """Hear every event from now on. The listener must not block and must not raise."""
        self._listeners = [*self._listeners, listener]  # `emit` may be going through the old list

    def leave(self, listener: Listener) -> None:
        """Hear nothing more."""
        self._listeners = [other for other in self._listeners if other != listener]

    def emit(self, event: Event) -> None:
        """Tell everybody; one listener's trouble is not the others'."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # the border between a run and those who watch it
                log.exception("a listener of run %s failed and is dropped", self.run.id)
                self._listeners = [other for other in self._listeners if other is not listener]

    def stop(self, reason: str = "Stopped by user.") -> None:
        """End the run; what was answered so far is kept."""
        if self.engine is not None:
            self.engine.stop(reason)

    def end(self) -> None:
        """Say that `run` and `message` are final and on disk."""
        self._ended.set()

    async def ended(self) -> None:
        """Wait until the run is over and on disk."""
        await self._ended.wait()


class LiveRuns:
    """All runs of this process, by task."""

    def __init__(self) -> None:
        self._by_task: dict[str, LiveRun] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, run: LiveRun) -> None:
        """A run begins."""
        self._by_task[run.task_id] = run
        self._idle.clear()

    def remove(self, run: LiveRun) -> None:
        """A run is over."""
        self._by_task.pop(run.task_id, None)
        if not self._by_task:
            self._idle.set()

    def find(self, task_id: str) -> LiveRun | None:
        """The run of that task, if it goes on here."""
        return self._by_task.get(task_id)

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

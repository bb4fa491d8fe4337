"""What all frames of one run share: what it is made of, what it has used, and why it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from weft.engine.saved import SavedRun
from weft.errors import LimitExceededError, WeftError
from weft.events import Event
from weft.graph import Graph
from weft.nodes import Node, RunInfo, Services
from weft.providers import Usage
from weft.variables import Value, thaw_all

Emit = Callable[[Event], None]

TURN_SECONDS = 0.005
"""How long a run may keep the event loop to itself."""


class RunState:
    """The state of a run that is not the state of one of its frames."""

    def __init__(self, graph: Graph[Node[Any]], services: Services, info: RunInfo, emit: Emit) -> None:
        self.graph = graph
        self.services = services
        self.info = info
        self.emit = emit
        self.outputs: dict[str, Value] = {}
        self.usage = Usage.zero()
        self.steps = 0
        self.executions = 0
        self.exceptions_count = 0
        self.places = asyncio.Semaphore(services.limits.max_parallel)
        """Held by nodes that wait for the outside world."""
        self.turn_began = 0.0
        """When the run began, or last gave way to others, on the monotonic clock."""
        self.task: asyncio.Task[Any] | None = None
        """The one that runs the root frame, while it does."""
        self.cause: WeftError | None = None
        """Why the run was ended from outside its nodes."""
        self.cancelled = False
        """`task` was cancelled for that."""
        self.pausing = False
        """No further node is to start; those that are ready wait."""
        self.answers: Mapping[str, Mapping[str, Value]] = {}
        """What came from outside for nodes that have waited, by key."""
        self.saved_seconds = 0.0
        """How long the run went on before it was paused."""

    def restore(self, saved: SavedRun) -> None:
        """Take over what is not the state of a frame."""
        self.outputs = thaw_all(saved.outputs)
        self.usage = saved.usage
        self.steps = saved.steps
        self.executions = saved.executions
        self.exceptions_count = saved.exceptions_count
        self.saved_seconds = saved.elapsed_time

    def abort(self, cause: WeftError) -> None:
        """End the run now; nodes that are still at work are given up."""
        if self.cause is None:
            self.cause = cause
            if self.task is not None:
                # Not at once: a node or a listener may be calling, and a task that cancels itself takes the
                # cancellation along to whatever it waits for next, which may be no part of the run.
                self.task.get_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        if self.task is not None:
            self.cancelled = True
            self.task.cancel()

    def leave_if_ended(self) -> None:
        """Give up the present branch if the run was ended from outside its nodes.

        Raises:
            CancelledError: It was.
        """
        if self.cause is not None:
            raise asyncio.CancelledError

    def count_step(self) -> None:
        """A node of the root frame starts.

        Raises:
            CancelledError: The run has taken as many steps as it may, and ends.
        """
        limit = self.services.limits.max_steps
        if self.steps >= limit:
            self.abort(LimitExceededError("limits.max_steps", limit))
            raise asyncio.CancelledError
        self.steps += 1

    async def give_way(self) -> None:
        """Let others run: nodes that never wait would keep the event loop for as long as they go on."""
        await asyncio.sleep(0)
        self.turn_began = self.services.clock.monotonic()

    def add_usage(self, usage: Usage) -> None:
        """Count what a model call has used."""
        self.usage = self.usage + usage

    def merge_outputs(self, outputs: dict[str, Value]) -> None:
        """Add the outputs of a response: answers follow each other, anything else replaces."""
        answer = self.outputs.get("answer")
        for name, value in outputs.items():
            if name == "answer" and isinstance(answer, str) and isinstance(value, str):
                self.outputs[name] = answer + value
            else:
                self.outputs[name] = value


def current_task() -> asyncio.Task[Any]:
    """The task that runs; only called in one."""
    task = asyncio.current_task()
    assert task is not None
    return task

"""One run of a graph, from its first node to its outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from weft.engine.frame_run import FrameRun
from weft.engine.run_state import Emit, RunState, current_task
from weft.errors import LimitExceededError, RunStoppedError, WeftError
from weft.events import ROOT, RunStatus
from weft.graph import Graph
from weft.nodes import Node, RunInfo, Services
from weft.providers import Usage
from weft.variables import File, Value, VariablePool


@dataclass(slots=True)
class RunOutcome:
    """How a run ended."""

    status: RunStatus
    outputs: dict[str, Value]
    error: str | None
    cause: WeftError | None
    """What ended the run, where it did not end well."""
    usage: Usage
    total_steps: int
    exceptions_count: int
    elapsed_time: float
    """Seconds."""
    files: list[File] = field(default_factory=list)


class Engine:
    """Runs one graph once.

    Args:
        graph: The compiled graph.
        pool: Inputs of the start node and the variables of system, environment and conversation.
        services: What the nodes work with.
        info: Who runs what for whom.
        emit: Called with every event, in order, on the event loop; it must not block.
    """

    def __init__(
        self,
        graph: Graph[Node[Any]],
        pool: VariablePool,
        services: Services,
        info: RunInfo,
        emit: Emit,
    ) -> None:
        self._state = RunState(graph, services, info, emit)
        self._pool = pool

    async def run(self) -> RunOutcome:
        """Run to the end; every way to end is an outcome, except the cancellation of the calling task."""
        state, clock = self._state, self._state.services.clock
        began = clock.monotonic()
        limit = state.services.limits.max_run_seconds
        alarm = asyncio.get_running_loop().call_later(
            limit, state.abort, LimitExceededError("limits.max_run_seconds", limit)
        )
        frame = FrameRun(state, state.graph.root, self._pool, ROOT)
        task = state.task = current_task()
        before = task.cancelling()
        try:
            if state.cause is None:  # nobody stopped it before it began
                await frame.run()
        except asyncio.CancelledError:
            if state.cause is None or task.cancelling() > before + state.cancelled:
                raise
        finally:
            alarm.cancel()
            state.task = None
            if state.cancelled:
                task.uncancel()
        return self.outcome(state.cause or frame.failure, clock.monotonic() - began)

    def stop(self, reason: str = "Stopped by user.") -> None:
        """End the run because a person asked; what was answered so far is kept."""
        self._state.abort(RunStoppedError(reason))

    def outcome(self, cause: WeftError | None, elapsed_time: float) -> RunOutcome:
        """What there is of the run, ended by `cause`."""
        state = self._state
        status: RunStatus = "partial-succeeded" if state.exceptions_count else "succeeded"
        if cause is not None:
            status = "stopped" if isinstance(cause, RunStoppedError) else "failed"
        files = state.outputs.get("files")
        return RunOutcome(
            status=status,
            outputs={} if status == "failed" else state.outputs,
            error=None if cause is None else str(cause),
            cause=cause,
            usage=state.usage,
            total_steps=state.steps,
            exceptions_count=state.exceptions_count,
            elapsed_time=elapsed_time,
            files=[file for file in files if isinstance(file, File)] if isinstance(files, list) else [],
        )

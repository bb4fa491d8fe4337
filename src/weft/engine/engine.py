"""One run of a graph, from its first node to its outcome, with pauses in between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.engine.frame_run import FrameRun
from weft.engine.run_state import Emit, RunState, current_task
from weft.engine.saved import SavedFrame, SavedRun, load_saved, reasons_of
from weft.errors import LimitExceededError, RunError, RunStoppedError, VariableError, WeftError
from weft.events import ROOT, PauseReason, RunStatus, VariableUpdated
from weft.graph import Graph
from weft.nodes import Node, RunInfo, Services
from weft.providers import Usage
from weft.variables import File, Selector, Value, VariablePool, coerce, freeze

_NOT_SAVED = ("env",)
"""What the app's file says anyway, secrets among it, is given anew by whoever lets the run go on."""

_NO_ANSWERS: Mapping[str, Mapping[str, Value]] = {}


@dataclass(slots=True)
class RunOutcome:
    """How a run ended, or what it waits for."""

    status: RunStatus
    outputs: dict[str, Value]
    error: str | None
    cause: WeftError | None
    """What ended the run, where it did not end well."""
    usage: Usage
    total_steps: int
    exceptions_count: int
    elapsed_time: float
    """Seconds; pauses do not count."""
    files: list[File] = field(default_factory=list)
    reasons: list[PauseReason] = field(default_factory=list)
    """What a paused run waits for."""


class Engine:
    """Runs one graph once.

    Args:
        graph: The compiled graph.
        pool: Inputs of the start node and the variables of system, environment and conversation; of a run
            that goes on only those of the environment, the others are saved with it.
        services: What the nodes work with.
        info: Who runs what for whom.
        emit: Called with every event, in order, on the event loop; it must not block.
        saved: What `save` gave when the run was paused, to go on from there.

    Raises:
        RunError: The saved state cannot be read.
    """

    def __init__(
        self,
        graph: Graph[Node[Any]],
        pool: VariablePool,
        services: Services,
        info: RunInfo,
        emit: Emit,
        *,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        self._state = RunState(graph, services, info, emit)
        self._pool = pool
        self._frame: FrameRun | None = None
        self._elapsed = 0.0
        self._saved: SavedFrame | None = None
        if saved is not None:
            run = load_saved(saved)
            pool.restore(run.pool)
            self._state.restore(run)
            self._saved = run.frame

    async def run(self, answers: Mapping[str, Mapping[str, Value]] = _NO_ANSWERS) -> RunOutcome:
        """Run to the end or to a pause; every way to end is an outcome, except that the task is cancelled.

        Args:
            answers: What came from outside for nodes that wait, by the keys of their waits.

        Raises:
            RunError: The saved state does not fit the graph.
        """
        state, clock = self._state, self._state.services.clock
        state.answers = answers
        began = state.turn_began = clock.monotonic()
        limit = state.services.limits.max_run_seconds
        alarm = asyncio.get_running_loop().call_later(
            max(0.0, limit - state.saved_seconds),
            lambda: state.abort(LimitExceededError("limits.max_run_seconds", limit)),
        )
        frame = self._frame = FrameRun(state, state.graph.root, self._pool, ROOT, saved=self._saved)
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
        self._elapsed = state.saved_seconds + clock.monotonic() - began
        if frame.paused and state.cause is None:
            return self._pause()
        frame.give_up_waits()
        return self.outcome(state.cause or frame.failure, self._elapsed)

    def stop(self, reason: str = "Stopped by user.") -> None:
        """End the run because a person asked; what was answered so far is kept."""
        self._state.abort(RunStoppedError(reason))

    def pause(self) -> None:
        """Start no further node; once those at work have ended the run pauses, unless it is over by then."""
        self._state.pausing = True

    def set_variables(self, values: Mapping[Selector, Value]) -> None:
        """Change variables from outside; nodes that start from now on see the new values.

        Args:
            values: By selector, which has two parts; a variable that does not exist is made.

        Raises:
            VariableError: A selector is none of a variable that may be changed, or a value does not fit the
                declared type of its variable; nothing is changed then.
        """
        change_variables(self._pool, values)
        for selector in values:
            if selector[0] == "conversation":
                value, kind = self._pool.get(selector), self._pool.type_of(selector)
                self._state.emit(VariableUpdated(selector=selector, value=value, value_type=kind, node_id=""))

    def save(self) -> dict[str, Any]:
        """The whole state of a run that has paused, as data for JSON; its form is version `FORMAT`.

        Raises:
            RunError: It has not paused.
            VariableError: A variable cannot be saved.
        """
        state, frame = self._state, self._frame
        if frame is None or not frame.paused:
            raise RunError("the run has not paused, so there is nothing to save")
        return SavedRun(
            frame=frame.save(),
            pool=self._pool.save(without=_NOT_SAVED),
            outputs=freeze(state.outputs),
            usage=state.usage,
            steps=state.steps,
            executions=state.executions,
            exceptions_count=state.exceptions_count,
            elapsed_time=self._elapsed,
        ).dump()

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

    def _pause(self) -> RunOutcome:
        outcome = self.outcome(None, self._elapsed)
        outcome.status, outcome.outputs, outcome.files = "paused", {}, []
        outcome.reasons = reasons_of(() if self._frame is None else self._frame.waits)
        if self._state.pausing or not outcome.reasons:
            outcome.reasons.append(PauseReason(type="scheduling_pause", node_id="", node_title=""))
        return outcome


def change_variables(pool: VariablePool, values: Mapping[Selector, Value]) -> None:
    """Put values into a pool, all of them or none; see `Engine.set_variables`.

    Raises:
        VariableError: One of them cannot be put there.
    """
    fitting: dict[Selector, Value] = {}
    for selector, value in values.items():
        if len(selector) != 2 or selector[0] in _NOT_SAVED:
            raise VariableError(
                f"variable {'.'.join(selector)!r} cannot be changed from outside; name a node, sys or "
                "conversation, and one of its variables"
            )
        declared = pool.declared_type(selector)
        fitting[selector] = value if declared is None else coerce(declared, value, name=".".join(selector))
    for selector, value in fitting.items():
        pool.set(selector[0], selector[1], value)

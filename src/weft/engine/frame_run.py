"""One frame of a run: the root, or one item or round of a container.

A frame keeps for each of its nodes how many ways into it are still undecided and whether one was taken. When
the last is decided the node runs or is skipped. Nodes that follow each other run in one task; where the way
forks, each further branch gets a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.engine.answer_stream import AnswerStream
from weft.engine.execution import Execution, check_handle, failure_type
from weft.engine.readiness import Plan, PlannedNode, Readiness
from weft.engine.run_state import TURN_SECONDS, RunState, current_task
from weft.engine.saved import SavedFrame, SavedWait, wait_can_go_on
from weft.errors import NodeFailedError, RunError, WeftError
from weft.events import (
    ContainerKind,
    Event,
    Frame,
    NodeStarted,
    ReasoningStreamed,
)
from weft.nodes import Context, FrameResult, NodeResult, Resumption, Wait
from weft.providers import Usage
from weft.variables import Value, VariablePool, freeze, thaw_all

log = logging.getLogger(__name__)

_NO_USAGE = Usage.zero()


class FrameRun:
    """The state of one frame, and the `Port` of the nodes in it."""

    __slots__ = (
        "_broken",
        "_child_outputs",
        "_cut",
        "_main",
        "_outputs",
        "_pauses",
        "_plan",
        "_pool",
        "_readiness",
        "_saved",
        "_state",
        "_stream",
        "_tasks",
        "_where",
        "ended_loops",
        "failure",
        "parent",
        "usage",
    )

    def __init__(
        self,
        state: RunState,
        plan: Plan,
        pool: VariablePool,
        where: Frame,
        parent: FrameRun | None = None,
        saved: SavedFrame | None = None,
    ) -> None:
        self._state = state
        self._plan = plan
        self._pool = pool
        self._where = where
        self._stream = AnswerStream(plan, pool, where, state.emit) if plan.responses else None
        self._readiness = Readiness(plan, self._stream)
        self._tasks: set[asyncio.Task[None]] = set()
        """Branches that have a task of their own."""
        self._main: asyncio.Task[Any] | None = None
        """The task of the first branch, while it lasts."""
        self._cut = False
        """That task was cancelled because another branch failed."""
        self._broken: BaseException | None = None
        """What a branch raised; that is never a node's failure."""
        self._outputs: list[dict[str, Value]] = []
        self._child_outputs: dict[tuple[str, int], list[dict[str, Value]]] = {}
        self.parent = parent
        self.failure: WeftError | None = None
        """What ended this frame, if a node in it failed for good."""
        self.ended_loops: set[str] = set()
        self.usage = _NO_USAGE
        self._saved = saved
        """Where the frame goes on, if it has paused."""
        self._pauses: _Pauses | None = None
        """What waits in this frame; few frames have any."""

    @property
    def waits(self) -> Sequence[SavedWait]:
        """Executions that wait for something from outside."""
        return () if self._pauses is None else self._pauses.waits

    @property
    def paused(self) -> bool:
        """Whether the frame has not ended, because something in it waits."""
        pauses = self._pauses
        return pauses is not None and self.failure is None and bool(pauses.waits or pauses.deferred)

    async def run(self) -> None:
        """Run until no node is left that could; a failure is noted, not raised."""
        jobs: list[_Job] = []
        node: PlannedNode | None = self._plan.start
        predecessor: str | None = None
        wait: SavedWait | None = None
        if self._saved is not None:
            jobs = self._restore(self._saved)
            node, predecessor, wait = jobs.pop(0) if jobs else (None, None, None)
        else:
            if self._stream is not None:
                self._stream.start()
            for edge in self._plan.skipped:
                self._readiness.skip(edge, [])
        task = self._main = current_task()
        before = task.cancelling()
        done = False
        try:
            for job in jobs:
                self._fork(*job)
            await self._branch(node, predecessor, wait)
            self._main = None
            while self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            done = True
        except asyncio.CancelledError:
            if task.cancelling() > before + self._cut or not self._cut:
                raise
        finally:
            self._main = None
            if self._cut:
                task.uncancel()
            await self._give_up()
            if self._pauses is not None and not (done and self.failure is None):
                self.give_up_waits()
        if self._broken is not None:
            raise self._broken
        if self._stream is not None and self.failure is None and not self.paused:
            self._stream.drain()

    # What nodes ask for (weft.nodes.Port)

    def emit(self, event: Event) -> None:
        """Pass an event on; what a model thinks is only shown along with an answer that shows the model."""
        if isinstance(event, ReasoningStreamed) and not self._shows_reasoning(event.node_id):
            return
        self._state.emit(event)

    def stream(self, context: Context, name: str, text: str) -> None:
        """A node's output grows."""
        if self._stream is not None:
            self._stream.piece((context.node_id, name), text)

    def end_stream(self, context: Context, name: str) -> None:
        """A node's output is complete."""
        if self._stream is not None:
            self._stream.close((context.node_id, name))

    def end_loop(self, loop_id: str) -> None:
        """End the loop around this frame, however many other containers lie between."""
        frame: FrameRun | None = self
        while frame is not None and frame._plan.container_id != loop_id:
            frame = frame.parent
        (frame or self).ended_loops.add(loop_id)

    async def run_child(
        self, context: Context, kind: ContainerKind, index: int, pool: VariablePool
    ) -> FrameResult:
        """Run the frame of a container once."""
        plan = self._state.graph.containers[context.node_id]
        saved = None if self._pauses is None else self._pauses.children.pop((context.node_id, index), None)
        where = self._where.inside(kind, context.node_id, index)
        child = FrameRun(self._state, plan, pool, where, self, saved)
        await child.run()
        if child._pauses is not None and child.paused:
            self._pausing.paused_children[context.node_id, index] = child.save()
            return FrameResult(paused=True)
        if child._outputs:
            self._child_outputs[context.node_id, index] = child._outputs
        self.usage = _sum(self.usage, child.usage)
        failure = child.failure
        return FrameResult(
            error=None if failure is None else str(failure),
            error_type="" if failure is None else failure_type(failure),
            total_tokens=child.usage.total_tokens,
            usage=child.usage,
            loop_ended=context.node_id in child.ended_loops,
            cause=failure,
        )

    def child_members(self, container_id: str) -> frozenset[str]:
        """Ids of all nodes in a container."""
        return self._state.graph.containers[container_id].member_ids

    def merge_outputs(self, context: Context, index: int) -> None:
        """Take over what responses in an item of a container have put out, and forget the other items'."""
        for outputs in self._child_outputs.get((context.node_id, index), ()):
            self._put_out(outputs)
        for key in [key for key in self._child_outputs if key[0] == context.node_id]:
            del self._child_outputs[key]

    # Execution

    def _fork(self, node: PlannedNode, predecessor: str | None, wait: SavedWait | None = None) -> None:
        """Run a node, and what follows it, in a task of its own."""
        task = asyncio.create_task(self._branch(node, predecessor, wait))
        self._tasks.add(task)
        task.add_done_callback(self._branch_ended)

    async def _branch(
        self, node: PlannedNode | None, predecessor: str | None, wait: SavedWait | None = None
    ) -> None:
        """Run a node and, in the same task, the first of those that it makes ready, and so on."""
        while node is not None and self.failure is None:
            self._state.leave_if_ended()
            if self._state.pausing:
                self._put_off(node, predecessor, wait)
                return
            ready = await self._execute(node, predecessor, wait)
            predecessor, wait = node.id, None
            for other in ready[1:]:
                self._fork(other, predecessor)
            node = ready[0] if ready else None
            now = self._state.services.clock.monotonic()
            if now - self._state.turn_began > TURN_SECONDS:
                await self._state.give_way()

    def _branch_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._broken is None:
            self._broken = error
            self._cancel_others()

    async def _execute(
        self, node: PlannedNode, predecessor: str | None, wait: SavedWait | None
    ) -> list[PlannedNode]:
        if node.kind == "root" and self.parent is not None:
            return self._readiness.leave(
                node, None
            )  # where an item or a round begins; there is nothing to tell
        state = self._state
        if wait is not None:
            execution = self._again(node, wait)
        else:
            if self.parent is None:
                state.count_step()
            state.executions += 1
            services = state.services
            execution = Execution(
                node,
                Context(
                    node_id=node.id,
                    node_type=node.type,
                    title=node.title,
                    execution_id=services.ids.new(),
                    frame=self._where,
                    pool=self._pool,
                    services=services,
                    run=state.info,
                    port=self,
                ),
                state.executions,
                predecessor,
                services.clock.now(),
                services.clock.monotonic(),
            )
        state.emit(
            NodeStarted(
                execution_id=execution.context.execution_id,
                node_id=node.id,
                node_type=node.type,
                title=node.title,
                index=execution.index,
                at=execution.started_at,
                predecessor_id=execution.predecessor,
                frame=self._where,
                agent_strategy=node.behaviour.agent_strategy,
            )
        )
        try:
            result = await self._attempt(execution)
        except asyncio.CancelledError:
            self._count_usage(execution.context)
            self._drop_children(node)
            state.emit(execution.finished("stopped"))
            raise
        if isinstance(result, NodeResult):
            return (
                self._succeed(execution, result)
                if result.wait is None
                else self._wait(execution, result.wait)
            )
        return self._fail(execution, result)

    async def _attempt(self, execution: Execution) -> NodeResult | WeftError:
        """Run the node, again where its settings say so; returns its result or what it failed of at last."""
        node, context = execution.node, execution.context
        attempts = 0
        while True:
            try:
                if node.behaviour.instant or node.behaviour.kind == "container":
                    result = await node.behaviour.run(context)
                else:
                    async with self._state.places:
                        result = await node.behaviour.run(context)
                if node.kind == "branch" and result.wait is None:
                    check_handle(node, result)
                self._count_usage(context)
                return result
            except WeftError as error:
                failure = error
            except asyncio.CancelledError:
                if self._state.cause is not None or current_task().cancelling():
                    raise
                failure = NodeFailedError(
                    "the node gave up, although nobody stopped it",
                    error_type="WorkflowNodeError",
                    node_id=node.id,
                )
            except Exception as error:  # the border around strangers' and our own nodes
                log.exception("node %s (%s) raised", node.id, node.type)
                failure = NodeFailedError(
                    str(error) or type(error).__name__, error_type="WorkflowNodeError", node_id=node.id
                )
            self._state.exceptions_count += 1
            self._count_usage(context)
            if node.retry is None or attempts >= node.retry.max_retries:
                return failure
            attempts += 1
            await self._state.services.clock.sleep(node.retry.interval)
            self._state.emit(execution.retried(failure, attempts))
            if self.parent is None:
                self._state.count_step()
            context.forget_attempt()
            execution.started_at = self._state.services.clock.now()
            execution.began = self._state.services.clock.monotonic()

    def _succeed(self, execution: Execution, result: NodeResult) -> list[PlannedNode]:
        node = execution.node
        self._pool.update(node.id, result.outputs)
        ready = self._readiness.leave(node, result.handle)
        if node.behaviour.kind == "response":
            self._put_out(result.outputs)
        if self._stream is not None:
            self._stream.done(node)
        self._state.emit(execution.finished("succeeded", outputs=result.outputs))
        return ready

    def _fail(self, execution: Execution, failure: WeftError) -> list[PlannedNode]:
        node, context = execution.node, execution.context
        self._drop_children(node)
        message, type_name = str(failure), failure_type(failure)
        if node.error_strategy is None:
            self._state.emit(
                execution.finished("failed", outputs=context.outputs, error=message, error_type=type_name)
            )
            if self.failure is None:
                self.failure = failure
            self._cancel_others()
            return []
        outputs: dict[str, Value] = {"error_message": message, "error_type": type_name}
        if node.error_strategy == "default-value":
            outputs = {**node.default_outputs, **outputs}
        context.metadata["error_strategy"] = node.error_strategy
        self._pool.update(node.id, outputs)
        ready = self._readiness.leave(
            node, "fail-branch" if node.error_strategy == "fail-branch" else "source"
        )
        if self._stream is not None:
            self._stream.done(node)
        self._state.emit(
            execution.finished("exception", outputs=outputs, error=message, error_type=type_name)
        )
        return ready

    # Waiting

    @property
    def _pausing(self) -> _Pauses:
        if self._pauses is None:
            self._pauses = _Pauses()
        return self._pauses

    def _wait(self, execution: Execution, wait: Wait) -> list[PlannedNode]:
        """Keep an execution until the run goes on."""
        node, context, clock = execution.node, execution.context, self._state.services.clock
        paused = self._pausing.paused_children
        children = [key for key in paused if key[0] == node.id]
        self._pausing.waits.append(
            SavedWait(
                node_id=node.id,
                execution_id=context.execution_id,
                index=execution.index,
                predecessor=execution.predecessor,
                started_at=execution.started_at,
                elapsed=clock.monotonic() - execution.began,
                key=wait.key,
                reason=wait.reason,
                state=freeze(wait.state),
                inputs=freeze(context.inputs),
                process_data=freeze(context.process_data),
                metadata=freeze(context.metadata),
                children={str(key[1]): paused.pop(key) for key in children},
            )
        )
        return []

    def _again(self, node: PlannedNode, wait: SavedWait) -> Execution:
        """The execution of a node that has waited, with what came for it."""
        context = Context(
            node_id=node.id,
            node_type=node.type,
            title=node.title,
            execution_id=wait.execution_id,
            frame=self._where,
            pool=self._pool,
            services=self._state.services,
            run=self._state.info,
            port=self,
        )
        context.inputs = thaw_all(wait.inputs)
        context.process_data = thaw_all(wait.process_data)
        context.metadata = thaw_all(wait.metadata)
        context.resumption = Resumption(thaw_all(wait.state), self._state.answers.get(wait.key))
        for index, child in wait.children.items():
            self._pausing.children[node.id, int(index)] = child
        began = self._state.services.clock.monotonic() - wait.elapsed
        return Execution(node, context, wait.index, wait.predecessor, wait.started_at, began)

    def _put_off(self, node: PlannedNode, predecessor: str | None, wait: SavedWait | None) -> None:
        """Leave a node that is ready for when the run goes on again."""
        if wait is not None:
            self._pausing.waits.append(wait)
        else:
            self._pausing.deferred.append((node.id, predecessor))

    def _drop_children(self, node: PlannedNode) -> None:
        """Give up what waits inside a container that has ended otherwise."""
        paused = {} if self._pauses is None else self._pauses.paused_children
        for key in [key for key in paused if key[0] == node.id]:
            child = paused.pop(key)
            self._end_waits(child.waits, _inside(self._where, node, key[1]))

    def give_up_waits(self) -> None:
        """Say of all executions that wait that they were stopped."""
        waits, self._pauses = self.waits, None
        self._end_waits(waits, self._where)

    def _end_waits(self, waits: Sequence[SavedWait], where: Frame) -> None:
        """Say of executions that wait that they were stopped: they will never go on."""
        for wait in waits:
            node = self._state.graph.nodes[wait.node_id]
            for index, child in wait.children.items():
                self._end_waits(child.waits, _inside(where, node, int(index)))
            execution = self._again(node, wait)
            execution.context.frame = where
            self._state.emit(execution.finished("stopped"))

    def save(self) -> SavedFrame:
        """The frame as it stands, for another to go on from; only once `run` is over."""
        nodes = self._plan.nodes
        return SavedFrame(
            undecided={node.id: self._readiness.undecided[node.slot] for node in nodes},
            reached=[node.id for node in nodes if self._readiness.reached[node.slot]],
            waits=self._pausing.waits,
            deferred=self._pausing.deferred,
            stream=None if self._stream is None else self._stream.save(),
            outputs=[freeze(outputs) for outputs in self._outputs],
            child_outputs=[
                (node_id, index, [freeze(outputs) for outputs in kept])
                for (node_id, index), kept in self._child_outputs.items()
            ],
            ended_loops=sorted(self.ended_loops),
            usage=self.usage,
        )

    def _restore(self, saved: SavedFrame) -> list[_Job]:
        """Take over a frame that has paused; what there is to do in it now.

        Raises:
            RunError: It is a frame of another graph.
        """
        try:
            return self._take_over(saved)
        except (KeyError, IndexError) as error:
            raise RunError(
                f"the saved state of this run does not fit its graph: there is no {error}"
            ) from error

    def _take_over(self, saved: SavedFrame) -> list[_Job]:
        nodes = {node.id: node for node in self._plan.nodes}
        for node_id, number in saved.undecided.items():
            self._readiness.undecided[nodes[node_id].slot] = number
        for node_id in saved.reached:
            self._readiness.reached[nodes[node_id].slot] = 1
        if self._stream is not None and saved.stream is not None:
            self._stream.restore(saved.stream)
        self._outputs = [thaw_all(outputs) for outputs in saved.outputs]
        for node_id, index, kept in saved.child_outputs:
            self._child_outputs[node_id, index] = [thaw_all(outputs) for outputs in kept]
        self.ended_loops = set(saved.ended_loops)
        self.usage = saved.usage
        jobs: list[_Job] = [(nodes[node_id], predecessor, None) for node_id, predecessor in saved.deferred]
        answered = self._state.answers.keys()
        for wait in saved.waits:
            if wait_can_go_on(wait, answered):
                jobs.append((nodes[wait.node_id], wait.predecessor, wait))
            else:
                self._pausing.waits.append(wait)
        return jobs

    def _put_out(self, outputs: dict[str, Value]) -> None:
        if self.parent is None:
            self._state.merge_outputs(outputs)
        else:
            self._outputs.append(outputs)

    def _count_usage(self, context: Context) -> None:
        usage: Usage | None = context.usage
        if usage is not None:
            context.usage = None
            self._state.add_usage(usage)
            self.usage = _sum(self.usage, usage)

    def _shows_reasoning(self, node_id: str) -> bool:
        stream = self._stream
        return stream is not None and (
            stream.shows((node_id, "text")) or stream.shows((node_id, "reasoning_content"))
        )

    # Ending

    def _cancel_others(self) -> None:
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        if self._main is not None and self._main is not current and not self._cut:
            self._cut = True
            self._main.cancel()

    async def _give_up(self) -> None:
        """Leave no task behind, whatever ended the frame."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class _Pauses:
    """What waits in a frame."""

    waits: list[SavedWait] = field(default_factory=list)
    """Executions that wait for something from outside."""
    deferred: list[tuple[str, str | None]] = field(default_factory=list)
    """Nodes that are ready and must not start, because the run is to pause."""
    children: dict[tuple[str, int], SavedFrame] = field(default_factory=dict)
    """Frames of containers that go on with this one, by container and item or round."""
    paused_children: dict[tuple[str, int], SavedFrame] = field(default_factory=dict)
    """Frames of containers that have paused."""


_Job = tuple[PlannedNode, str | None, SavedWait | None]
"""A node to run, the one that made it ready, and what it has waited for."""


def _inside(where: Frame, container: PlannedNode, index: int) -> Frame:
    kind: ContainerKind = "loop" if container.type == "loop" else "iteration"
    return where.inside(kind, container.id, index)


def _sum(one: Usage, other: Usage) -> Usage:
    if one is _NO_USAGE or other is _NO_USAGE:  # most nodes call no model
        return other if one is _NO_USAGE else one
    return one + other

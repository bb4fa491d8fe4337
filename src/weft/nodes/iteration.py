"""Iteration: the same nodes for every item of a list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from weft.errors import NodeFailedError, WeftError
from weft.graph import NodeKind
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.container import Rounds
from weft.nodes.context import Context, NodeResult, Wait
from weft.nodes.node import Node
from weft.variables import MISSING, Selector, Value, VariablePool

ErrorMode = Literal["terminated", "continue-on-error", "remove-abnormal-output"]


class IterationConfig(NodeConfig):
    """Which list, what of each item, and how."""

    iterator_selector: SelectorField = ()
    output_selector: SelectorField = ()
    start_node_id: str = ""
    is_parallel: bool = False
    parallel_nums: int = 10
    error_handle_mode: ErrorMode = "terminated"
    flatten_output: bool = True

    @field_validator("iterator_selector", "output_selector", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or []

    @field_validator("parallel_nums", mode="before")
    @classmethod
    def _at_least_one(cls, value: object) -> object:
        return max(1, value) if isinstance(value, int | float) else 10

    @field_validator("error_handle_mode", mode="before")
    @classmethod
    def _mode(cls, value: object) -> object:
        return value or "terminated"


class IterationNode(Node[IterationConfig]):
    """Runs its frame once for each item; output `output` is the list of what each gave, in item order."""

    config_type: ClassVar[type[NodeConfig]] = IterationConfig
    kind: ClassVar[NodeKind] = "container"

    @property
    def start_node_id(self) -> str | None:
        """Where the frame of an item begins."""
        return self.config.start_node_id

    def reads(self) -> Sequence[Selector]:
        """The list."""
        return [self.config.iterator_selector]

    async def run(self, context: Context) -> NodeResult:
        """Work through the list.

        Raises:
            NodeFailedError: There is no list, or an item failed and errors end the iteration.
        """
        return await _Iteration(self.config, context, self._items(context)).run()

    def _items(self, context: Context) -> list[Value]:
        selector = self.config.iterator_selector
        items = context.pool.find(selector)
        name = ".".join(selector)
        if items is MISSING:
            raise NodeFailedError(
                f"iterator variable {name!r} not found", error_type="IteratorVariableNotFoundError"
            )
        if items is not None and not isinstance(items, list):
            raise NodeFailedError(
                f"iterator variable {name!r} is not an array, but a {type(items).__name__}",
                error_type="InvalidIteratorValueError",
            )
        context.inputs = {"iterator_selector": items or []}
        return items or []


class _Iteration:
    """One execution of the node."""

    def __init__(self, config: IterationConfig, context: Context, items: list[Value]) -> None:
        self._config = config
        self._context = context
        self._items = items
        self._outputs: dict[int, Value] = {}
        """By item; what failed has none, unless the settings put a null there."""
        self._failure: WeftError | None = None
        self._rounds = Rounds(context, "iteration")
        self._paused: dict[int, VariablePool] = {}
        """The pools of items in which something waits."""
        self._next = 0
        """The first item that has not begun."""

    async def run(self) -> NodeResult:
        context = self._context
        if context.resumption is None:
            self._rounds.begin(len(self._items))
        else:
            self._restore(context.resumption.state)
        try:
            workers = min(self._config.parallel_nums, len(self._items)) if self._config.is_parallel else 1
            if workers > 1:
                async with asyncio.TaskGroup() as group:
                    waiting = self._waiting()
                    for _ in range(workers):
                        group.create_task(self._work(waiting))
            else:
                await self._work(self._waiting())
        except asyncio.CancelledError:
            self._finish("stopped", self._collected())
            raise
        if self._paused and self._failure is None:
            return NodeResult(wait=Wait(self._save()))
        outputs: dict[str, Value] = {"output": self._collected()}
        if self._failure is not None:
            context.outputs = outputs
            self._finish("failed", outputs["output"])
            raise self._failure
        if self._items:
            context.merge_outputs(len(self._items) - 1)
        self._finish("succeeded", outputs["output"])
        return NodeResult(outputs)

    def _waiting(self) -> Iterator[int]:
        """The items to be run: those that have paused, then those that have not begun."""
        yield from list(self._paused)
        while self._next < len(self._items):
            self._next += 1
            yield self._next - 1

    async def _work(self, waiting: Iterator[int]) -> None:
        """Run items one after the other; a fatal failure ends all, an item that pauses keeps its place."""
        for index in waiting:
            await self._run_item(index)
            if self._failure is not None or index in self._paused:
                return

    async def _run_item(self, index: int) -> None:
        context = self._context
        pool = self._paused.pop(index, None) if self._paused else None
        if pool is None:
            pool = context.pool.overlay()
            pool.set(context.node_id, "item", self._items[index])
            pool.set(context.node_id, "index", index)
            self._rounds.advance(index)
        result = await self._rounds.run(index, pool)
        if result.paused:
            self._paused[index] = pool
            return
        self._keep_conversation(pool)
        if result.error is None:
            value = pool.find(self._config.output_selector)
            self._outputs[index] = None if value is MISSING else value
        elif self._config.error_handle_mode == "continue-on-error":
            self._outputs[index] = None
        elif self._config.error_handle_mode == "terminated" and self._failure is None:
            self._failure = result.failure

    def _save(self) -> dict[str, Value]:
        return {
            "next": self._next,
            "outputs": {str(index): value for index, value in self._outputs.items()},
            "pools": {str(index): pool.own_values() for index, pool in self._paused.items()},
            "rounds": self._rounds.save(),
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self._next = int(saved["next"])
        self._outputs = {int(index): value for index, value in saved["outputs"].items()}
        for index, values in saved["pools"].items():
            pool = self._paused[int(index)] = self._context.pool.overlay()
            for node_id, outputs in values.items():
                pool.update(node_id, outputs)
        self._rounds.restore(saved["rounds"])

    def _keep_conversation(self, pool: VariablePool) -> None:
        for name, value in pool.own("conversation").items():
            self._context.pool.assign(("conversation", name), value)

    def _collected(self) -> list[Value]:
        """The outputs so far; lists of lists become one list, where the settings say so."""
        outputs = [self._outputs[index] for index in sorted(self._outputs)]
        present = [value for value in outputs if value is not None]
        if self._config.flatten_output and present and all(isinstance(value, list) for value in present):
            return [item for value in present if isinstance(value, list) for item in value]
        return outputs

    def _finish(self, status: Literal["succeeded", "failed", "stopped"], output: Value) -> None:
        error = None if self._failure is None else str(self._failure)
        self._rounds.finish(status, {"output": output}, steps=len(self._items), error=error)

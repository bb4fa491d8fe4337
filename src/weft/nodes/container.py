"""What iterations and loops have in common: telling how they go on, and adding up what their insides used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from weft.events import ContainerAdvanced, ContainerFinished, ContainerKind, ContainerStarted
from weft.nodes.context import Context, FrameResult, usage_metadata
from weft.providers import Usage
from weft.variables import Value, VariablePool


class Rounds:
    """The rounds of one execution of a container, from its start to its end.

    Args:
        context: Of the container node.
        kind: Whether the rounds are the items of an iteration or those of a loop.
    """

    def __init__(self, context: Context, kind: ContainerKind) -> None:
        self._context = context
        self._kind = kind
        self._durations: dict[str, float] = {}
        self._usage = Usage.zero()
        self._clock = context.services.clock
        self._started_at = self._clock.now()
        self._began = self._clock.monotonic()

    def save(self) -> dict[str, Value]:
        """What rounds of this execution go on with after a pause."""
        return {
            "durations": self._durations,
            "usage": msgspec.to_builtins(self._usage),
            "started_at": self._started_at.isoformat(),
            "elapsed": self._clock.monotonic() - self._began,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on with what `save` gave."""
        self._durations = dict(saved["durations"])
        self._usage = msgspec.convert(saved["usage"], Usage)
        self._started_at = datetime.fromisoformat(saved["started_at"])
        self._began = self._clock.monotonic() - float(saved["elapsed"])

    def begin(self, length: int) -> None:
        """Say that the container begins; `length` is its items, or its most rounds."""
        context = self._context
        context.emit(
            ContainerStarted(
                kind=self._kind,
                execution_id=context.execution_id,
                node_id=context.node_id,
                node_type=context.node_type,
                title=context.title,
                inputs=context.inputs,
                length=length,
                at=self._started_at,
                frame=context.frame,
            )
        )

    def advance(self, index: int) -> None:
        """Say that a round begins."""
        context = self._context
        context.emit(
            ContainerAdvanced(
                kind=self._kind,
                execution_id=context.execution_id,
                node_id=context.node_id,
                node_type=context.node_type,
                title=context.title,
                index=index,
                at=self._clock.now(),
                frame=context.frame,
            )
        )

    async def run(self, index: int, pool: VariablePool) -> FrameResult:
        """Run the container's frame once, noting how long it took and what it used."""
        began = self._clock.monotonic()
        result = await self._context.run_child(self._kind, index, pool)
        key = str(index)
        # A frame that has paused meanwhile has been at work before.
        self._durations[key] = self._durations.get(key, 0.0) + self._clock.monotonic() - began
        if result.usage is not None:
            self._usage += result.usage
        return result

    def finish(
        self,
        status: Literal["succeeded", "failed", "stopped"],
        outputs: dict[str, Value],
        *,
        steps: int,
        error: str | None = None,
        metadata: dict[str, Value] | None = None,
    ) -> None:
        """Say that the container is over, and note its totals for its own record."""
        context = self._context
        durations: dict[str, Value] = {f"{self._kind}_duration_map": dict(self._durations)}
        context.metadata.update(usage_metadata(self._usage) | durations | (metadata or {}))
        context.emit(
            ContainerFinished(
                kind=self._kind,
                execution_id=context.execution_id,
                node_id=context.node_id,
                node_type=context.node_type,
                title=context.title,
                status=status,
                inputs=context.inputs,
                outputs=outputs,
                error=error,
                steps=steps,
                elapsed_time=self._clock.monotonic() - self._began,
                total_tokens=self._usage.total_tokens,
                metadata=dict(context.metadata),
                started_at=self._started_at,
                at=self._clock.now(),
                frame=context.frame,
            )
        )

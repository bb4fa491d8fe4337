"""One execution of a node, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from weft.engine.readiness import PlannedNode
from weft.errors import NodeFailedError, ProviderError, WeftError
from weft.events import NodeFinished, NodeRetried, NodeStatus
from weft.nodes import Context, NodeResult
from weft.variables import Value, mask_secrets


@dataclass(slots=True)
class Execution:
    """One execution of a node, all of its attempts."""

    node: PlannedNode
    context: Context
    index: int
    predecessor: str | None
    started_at: datetime
    """When the present attempt began."""
    began: float
    """The same on the monotonic clock."""

    def finished(
        self,
        status: NodeStatus,
        *,
        outputs: dict[str, Value] | None = None,
        error: str | None = None,
        error_type: str | None = None,
    ) -> NodeFinished:
        """What is told of its end; no secret is in it."""
        context = self.context
        clock = context.services.clock
        return NodeFinished(
            execution_id=context.execution_id,
            node_id=context.node_id,
            node_type=context.node_type,
            title=context.title,
            index=self.index,
            status=status,
            started_at=self.started_at,
            at=clock.now(),
            elapsed_time=clock.monotonic() - self.began,
            predecessor_id=self.predecessor,
            frame=context.frame,
            inputs=self._masked(context.inputs),
            process_data=self._masked(context.process_data),
            outputs={} if outputs is None else outputs,
            error=None if error is None else str(mask_secrets(error, context.run.secrets)),
            error_type=error_type,
            metadata=context.metadata,
            files=context.files,
        )

    def retried(self, failure: WeftError, retry_index: int) -> NodeRetried:
        """What is told of an attempt that failed, when the next begins."""
        context = self.context
        clock = context.services.clock
        return NodeRetried(
            execution_id=context.execution_id,
            node_id=context.node_id,
            node_type=context.node_type,
            title=context.title,
            index=self.index,
            retry_index=retry_index,
            error=str(mask_secrets(str(failure), context.run.secrets)),
            error_type=failure_type(failure),
            started_at=self.started_at,
            at=clock.now(),
            elapsed_time=clock.monotonic() - self.began,
            predecessor_id=self.predecessor,
            frame=context.frame,
            inputs=self._masked(context.inputs),
            process_data=self._masked(context.process_data),
            outputs=context.outputs,
            metadata=context.metadata,
        )

    def _masked(self, values: dict[str, Value]) -> dict[str, Value]:
        """What a node notes down is for records, so it shows no secret."""
        secrets = self.context.run.secrets
        return {name: mask_secrets(value, secrets) for name, value in values.items()} if secrets else values


def check_handle(node: PlannedNode, result: NodeResult) -> None:
    """Make sure that a branch says where the run goes on.

    Raises:
        NodeFailedError: It does not, or it must not end where nothing follows.
    """
    if not result.handle:
        if node.behaviour.kind == "branch":
            raise NodeFailedError(f"node {node.id!r} ({node.type}) chose no way out")
        result.handle = "source"
    if result.dead_end and not any(edge.handle == result.handle for edge in node.out):
        raise NodeFailedError(result.dead_end, node_id=node.id, node_type=node.type)


def failure_type(error: WeftError) -> str:
    """The class name that the record of a failed node shows."""
    if isinstance(error, NodeFailedError | ProviderError):
        return error.error_type
    return type(error).__name__

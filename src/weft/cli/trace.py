"""What each node of a run did, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from weft.cli.screen import Screen
from weft.store import NodeExecution

_COLUMNS = ("#", "node", "type", "status", "time", "tokens")


def show_trace(screen: Screen, executions: Sequence[NodeExecution]) -> None:
    """Write the table of a run: a row for each node execution, in order."""
    failed = any(execution.error for execution in executions)
    rows = []
    for execution in executions:
        tokens = _tokens(execution)
        row = (
            str(execution.index),
            execution.title + _place(execution),
            execution.node_type,
            execution.status,
            render_seconds(execution.elapsed_time),
            "" if tokens is None else str(tokens),
        )
        rows.append((*row, execution.error or "") if failed else row)
    columns = (*_COLUMNS, "error") if failed else _COLUMNS
    screen.table(columns, rows, right=("#", "time", "tokens"))


def trace_content(executions: Sequence[NodeExecution]) -> list[dict[str, object]]:
    """The same for programs, with what went in and came out of each node."""
    return [
        {
            "index": execution.index,
            "node_id": execution.node_id,
            "node_type": execution.node_type,
            "title": execution.title,
            "status": execution.status,
            "error": execution.error,
            "elapsed_time": execution.elapsed_time,
            "total_tokens": _tokens(execution),
            "inputs": execution.inputs,
            "process_data": execution.process_data,
            "outputs": execution.outputs,
            "iteration_id": execution.iteration_id,
            "iteration_index": execution.iteration_index,
            "loop_id": execution.loop_id,
            "loop_index": execution.loop_index,
        }
        for execution in executions
    ]


def render_seconds(seconds: float) -> str:
    """A duration for people, e.g. ``0.4 ms`` or ``1.25 s``."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def _tokens(execution: NodeExecution) -> int | None:
    tokens = (execution.execution_metadata or {}).get("total_tokens")
    return tokens if isinstance(tokens, int) else None


def _place(execution: NodeExecution) -> str:
    """Which items and rounds of the containers around it."""
    places = (execution.iteration_index, execution.loop_index)
    return "".join(f" [{place + 1}]" for place in places if place is not None)

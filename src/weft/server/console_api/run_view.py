"""Runs as the console shows them. Source: Dify console API, workflow logs and runs."""

from __future__ import annotations

from weft.server.sse import seconds
from weft.store import EndUser, NodeExecution, Run


def run_summary(run: Run) -> dict[str, object]:
    """A run in a log entry."""
    return {
        "id": run.id,
        "version": run.version,
        "status": run.status,
        "triggered_from": run.triggered_from,
        "error": run.error,
        "elapsed_time": run.elapsed_time,
        "total_tokens": run.total_tokens,
        "total_steps": run.total_steps,
        "created_at": seconds(run.created_at),
        "finished_at": None if run.finished_at is None else seconds(run.finished_at),
        "exceptions_count": run.exceptions_count,
    }


def end_user_summary(end_user: EndUser | None) -> dict[str, object] | None:
    """Whoever caused a run through the API."""
    if end_user is None:
        return None
    return {
        "id": end_user.id,
        "type": end_user.type,
        "is_anonymous": end_user.is_anonymous,
        "session_id": end_user.session_id,
    }


def execution_view(
    execution: NodeExecution, role: str, account: object, end_user: object
) -> dict[str, object]:
    """A node execution; who caused it is who caused its run."""
    finished = execution.finished_at
    return {
        "id": execution.id,
        "index": execution.index,
        "predecessor_node_id": execution.predecessor_node_id,
        "node_id": execution.node_id,
        "node_type": execution.node_type,
        "title": execution.title,
        "inputs": execution.inputs,
        "process_data": execution.process_data,
        "outputs": execution.outputs,
        "status": execution.status,
        "error": execution.error,
        "elapsed_time": execution.elapsed_time,
        "execution_metadata": _metadata(execution),
        "extras": execution.extras or {},
        "created_at": seconds(execution.created_at),
        "created_by_role": role,
        "created_by_account": account,
        "created_by_end_user": end_user,
        "finished_at": None if finished is None else seconds(finished),
        "inputs_truncated": False,
        "outputs_truncated": False,
        "process_data_truncated": False,
    }


def _metadata(execution: NodeExecution) -> dict[str, object]:
    metadata = dict(execution.execution_metadata or {})
    price = metadata.get("total_price")
    if price is not None and not isinstance(price, str):
        metadata["total_price"] = str(price)
    return metadata

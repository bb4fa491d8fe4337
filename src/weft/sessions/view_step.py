"""Node executions as steps of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from weft.sessions.plain import JsonObject, plain, plain_object
from weft.sessions.status import RunStatus
from weft.sessions.step import StepOutput
from weft.store import NodeExecution

MODEL_NODES = ("llm", "agent", "question-classifier", "parameter-extractor")
"""Types of nodes that ask a model."""
_STEP_TYPES = {
    "iteration": "Loop",
    "loop": "Loop",
    "if-else": "Condition",
    "question-classifier": "Router",
}
_STATUS = {
    "pending": RunStatus.pending,
    "running": RunStatus.running,
    "succeeded": RunStatus.completed,
    "failed": RunStatus.error,
    "exception": RunStatus.error,
    "retry": RunStatus.error,
    "stopped": RunStatus.cancelled,
    "paused": RunStatus.paused,
}


def node_status(execution: NodeExecution) -> RunStatus:
    """The state of an execution in the words of sessions."""
    return _STATUS[execution.status]


def model_nodes(executions: Iterable[NodeExecution]) -> list[NodeExecution]:
    """Executions of nodes that ask a model; tries that were followed by another are left out."""
    return [item for item in executions if item.node_type in MODEL_NODES and item.status != "retry"]


def step_tree(executions: Sequence[NodeExecution]) -> list[StepOutput]:
    """The steps of a run in their order; those inside of a container stand under it."""
    steps = [(execution, step_of(execution)) for execution in executions]
    top = []
    for execution, step in steps:
        container = _container(execution, steps)
        if container is None:
            top.append(step)
        else:
            container.steps = [*(container.steps or ()), step]
    return top


def _container(
    execution: NodeExecution, steps: Sequence[tuple[NodeExecution, StepOutput]]
) -> StepOutput | None:
    """The innermost container that an execution is in: of those that could be, the one that began last."""
    around = (execution.iteration_id, execution.loop_id)
    if around == (None, None):
        return None
    begun = [
        (other.index, step)
        for other, step in steps
        if other.node_id in around and other.index < execution.index and other.status != "retry"
    ]
    return max(begun, key=lambda pair: pair[0])[1] if begun else None


def step_of(execution: NodeExecution) -> StepOutput:
    """An execution as a step."""
    return StepOutput(
        step_name=execution.title,
        step_id=execution.node_id,
        step_type=_STEP_TYPES.get(execution.node_type, "Step"),
        executor_type="agent" if execution.node_type in MODEL_NODES else "function",
        executor_name=execution.title,
        step_run_id=execution.id,
        content=None if execution.outputs is None else plain_object(execution.outputs),
        metrics=node_metrics(execution),
        success=execution.status not in ("failed", "exception", "retry", "stopped"),
        error=execution.error,
        is_paused=execution.status == "paused",
    )


def node_metrics(execution: NodeExecution) -> JsonObject:
    """What an execution used: seconds, and for a model tokens and price."""
    usage = usage_of(execution)
    found = {
        "input_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        "total_tokens": usage.get("total_tokens"),
        "cost": _number(usage.get("total_price")),
        "time_to_first_token": usage.get("time_to_first_token"),
    }
    held: JsonObject = {name: value for name, value in found.items() if value is not None}
    return {**held, "duration": execution.elapsed_time}


def usage_of(execution: NodeExecution) -> Mapping[str, object]:
    """Tokens and prices as the node noted them; of an agent those of all its calls."""
    places = (execution.outputs or {}, execution.process_data or {})
    for place in places if execution.node_type == "agent" else reversed(places):
        usage = place.get("usage")
        if isinstance(usage, Mapping):
            return usage
    return {}


def _number(value: object) -> float | None:
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None


def step_metrics(executions: Iterable[NodeExecution]) -> JsonObject:
    """What each step used, by its name; of executions of the same name the sums."""
    found: dict[str, JsonObject] = {}
    for execution in executions:
        if execution.status == "retry":
            continue
        used = node_metrics(execution)
        known = found.get(execution.title)
        if known is None:
            found[execution.title] = {
                "step_name": execution.title,
                "executor_type": "agent" if execution.node_type in MODEL_NODES else "function",
                "executor_name": execution.title,
                "metrics": used,
            }
        else:
            known["metrics"] = _sum(known["metrics"], used)
    return {name: plain(step) for name, step in found.items()}


def _sum(left: object, right: Mapping[str, object]) -> JsonObject:
    total: JsonObject = dict(left) if isinstance(left, Mapping) else {}
    for name, value in right.items():
        before = total.get(name)
        if isinstance(before, int | float) and isinstance(value, int | float):
            total[name] = before + value
        elif before is None:
            total[name] = value
    total.pop("time_to_first_token", None)  # a sum of these says nothing
    return total

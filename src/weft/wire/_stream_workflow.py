"""Stream events that tell how a run goes on: the workflow, its nodes, iterations and loops."""

from __future__ import annotations

from typing import Literal

from weft.wire._field import Count, JsonObject, Seconds, Text
from weft.wire._model import WireModel
from weft.wire._stream_message import StreamEventBase
from weft.wire.instant import Created, Finished
from weft.wire.status import NodeStatus, RunStatus


class WorkflowEventBase(StreamEventBase):
    """What events of a run have."""

    workflow_run_id: str | None = None


class WorkflowStartedData(Created, WireModel):
    """A run at its start."""

    id: str
    """The run's id."""
    workflow_id: str | None = None
    inputs: JsonObject | None = None
    """User inputs, and system values under dotted keys such as ``sys.query``."""
    created_at: int | None = None
    """Unix seconds."""
    reason: str | None = None
    """``initial`` or ``resumption``."""


class WorkflowStartedEvent(WorkflowEventBase):
    """A run began, or went on after a pause."""

    event: Literal["workflow_started"] = "workflow_started"
    data: WorkflowStartedData


class WorkflowFinishedData(Finished, WireModel):
    """A run at its end."""

    id: str
    """The run's id."""
    workflow_id: str | None = None
    status: RunStatus
    outputs: JsonObject | None = None
    error: str | None = None
    elapsed_time: Seconds = 0.0
    """Seconds."""
    total_tokens: Count = 0
    total_steps: Count = 0
    created_by: JsonObject | None = None
    """``id`` and ``user`` of an end user."""
    created_at: int | None = None
    """Unix seconds."""
    finished_at: int | None = None
    """Unix seconds."""
    exceptions_count: int | None = 0
    files: list[JsonObject] | None = None


class WorkflowFinishedEvent(WorkflowEventBase):
    """A run ended; `message_end` may come before or after, `error` after a failed one."""

    event: Literal["workflow_finished"] = "workflow_finished"
    data: WorkflowFinishedData


class NodeStartedData(Created, WireModel):
    """A node execution at its start."""

    id: str
    """The node execution's id."""
    node_id: str
    node_type: Text = ""
    title: Text = ""
    index: Count = 0
    """Place in the order of execution, from 1."""
    predecessor_node_id: str | None = None
    inputs: JsonObject | None = None
    inputs_truncated: bool = False
    created_at: int | None = None
    """Unix seconds."""
    extras: JsonObject | None = None
    iteration_id: str | None = None
    """The iteration node around this one."""
    loop_id: str | None = None
    """The loop node around this one."""
    agent_strategy: JsonObject | None = None


class NodeStartedEvent(WorkflowEventBase):
    """A node began."""

    event: Literal["node_started"] = "node_started"
    data: NodeStartedData


class NodeFinishedData(NodeStartedData, Finished):
    """A node execution at its end."""

    process_data: JsonObject | None = None
    process_data_truncated: bool = False
    outputs: JsonObject | None = None
    outputs_truncated: bool = False
    status: NodeStatus
    error: str | None = None
    elapsed_time: Seconds = 0.0
    """Seconds."""
    execution_metadata: JsonObject | None = None
    finished_at: int | None = None
    """Unix seconds."""
    files: list[JsonObject] | None = None


class NodeFinishedEvent(WorkflowEventBase):
    """A node ended."""

    event: Literal["node_finished"] = "node_finished"
    data: NodeFinishedData


class NodeRetryData(NodeFinishedData):
    """A node execution that failed and is tried again."""

    retry_index: Count = 0
    """Number of this retry, from 1."""


class NodeRetryEvent(WorkflowEventBase):
    """A node failed and is tried again; its `node_finished` is still to come."""

    event: Literal["node_retry"] = "node_retry"
    data: NodeRetryData


class RoundsStartedData(Created, WireModel):
    """An iteration or loop at its start."""

    id: str
    """The same as `node_id`."""
    node_id: str
    node_type: Text = ""
    title: Text = ""
    created_at: int | None = None
    """Unix seconds."""
    extras: JsonObject | None = None
    metadata: JsonObject | None = None
    inputs: JsonObject | None = None
    inputs_truncated: bool = False


class RoundsNextData(Created, WireModel):
    """An iteration or loop at the start of a round."""

    id: str
    """The same as `node_id`."""
    node_id: str
    node_type: Text = ""
    title: Text = ""
    index: Count = 0
    """Number of the round."""
    created_at: int | None = None
    """Unix seconds."""
    extras: JsonObject | None = None


class LoopNextData(RoundsNextData):
    """A loop at the start of a round."""

    pre_loop_output: object = None
    """What the round before made."""


class RoundsCompletedData(Finished, WireModel):
    """An iteration or loop at its end."""

    id: str
    """The same as `node_id`."""
    node_id: str
    node_type: Text = ""
    title: Text = ""
    outputs: JsonObject | None = None
    outputs_truncated: bool = False
    inputs: JsonObject | None = None
    inputs_truncated: bool = False
    status: NodeStatus
    error: str | None = None
    elapsed_time: Seconds = 0.0
    """Seconds."""
    total_tokens: Count = 0
    execution_metadata: JsonObject | None = None
    created_at: int | None = None
    """Unix seconds."""
    finished_at: int | None = None
    """Unix seconds."""
    steps: Count = 0
    """Rounds done."""
    extras: JsonObject | None = None


class IterationStartedEvent(WorkflowEventBase):
    """An iteration began."""

    event: Literal["iteration_started"] = "iteration_started"
    data: RoundsStartedData


class IterationNextEvent(WorkflowEventBase):
    """An iteration began a round."""

    event: Literal["iteration_next"] = "iteration_next"
    data: RoundsNextData


class IterationCompletedEvent(WorkflowEventBase):
    """An iteration ended."""

    event: Literal["iteration_completed"] = "iteration_completed"
    data: RoundsCompletedData


class LoopStartedEvent(WorkflowEventBase):
    """A loop began."""

    event: Literal["loop_started"] = "loop_started"
    data: RoundsStartedData


class LoopNextEvent(WorkflowEventBase):
    """A loop began a round."""

    event: Literal["loop_next"] = "loop_next"
    data: LoopNextData


class LoopCompletedEvent(WorkflowEventBase):
    """A loop ended."""

    event: Literal["loop_completed"] = "loop_completed"
    data: RoundsCompletedData

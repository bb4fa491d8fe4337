"""Workflow runs, their log and their nodes. Source: Dify console API, `/apps/{id}/workflow-...`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from pydantic import Field, field_validator

from weft.wire._field import Count, JsonObject, ListOf, Object, ObjectOrText, Part, Text
from weft.wire.console._base import ConsoleModel, moment
from weft.wire.end_user import EndUserSummary
from weft.wire.page import CursorPage, Page
from weft.wire.run import AccountSummary
from weft.wire.status import NodeStatus, RunStatus


class WorkflowRun(ConsoleModel):
    """One run, as lists show it."""

    id: str | None = None
    version: str | None = None
    status: RunStatus
    triggered_from: str | None = None
    """``debugging`` or ``app-run``."""
    error: str | None = None
    elapsed_time: float | None = None
    """Seconds."""
    total_tokens: Count = 0
    total_steps: Count = 0
    exceptions_count: Count = 0
    retry_index: int | None = None
    conversation_id: str | None = None
    """Only of chatflows."""
    message_id: str | None = None
    """Only of chatflows."""
    created_by_account: AccountSummary | None = None
    created_at: int | None = None
    """Unix seconds."""
    finished_at: int | None = None
    """Unix seconds; ``None`` while running."""

    @property
    def finished_datetime(self) -> datetime | None:
        """`finished_at` as an aware UTC datetime."""
        return moment(self.finished_at)


WorkflowRunPage = CursorPage[WorkflowRun]


class WorkflowRunDetail(WorkflowRun):
    """One run in full."""

    id: str
    graph: JsonObject | None = None
    inputs: ObjectOrText = Field(default_factory=dict)
    outputs: ObjectOrText = None
    created_by_role: str | None = None
    created_by_end_user: EndUserSummary | None = None


class WorkflowRunCount(ConsoleModel):
    """How many runs there are, by how they ended."""

    total: Count = 0
    running: Count = 0
    succeeded: Count = 0
    failed: Count = 0
    stopped: Count = 0
    partial_succeeded: Count = 0


class WorkflowLogEntry(ConsoleModel):
    """One entry of the log of runs."""

    id: str
    """Of the entry; the run's is `workflow_run.id`."""
    workflow_run: WorkflowRun
    details: JsonObject | None = None
    created_from: Text = ""
    """``service-api``, ``web-app`` or ``installed-app``."""
    created_by_role: Text = ""
    """``end_user`` or ``account``."""
    created_by_account: AccountSummary | None = None
    created_by_end_user: EndUserSummary | None = None
    created_at: int | None = None
    """Unix seconds."""


WorkflowLogEntryPage = Page[WorkflowLogEntry]


class NodeExecutionMetadata(ConsoleModel):
    """What a node's execution cost and belonged to; other keys are kept."""

    parallel_id: str | None = None
    parallel_start_node_id: str | None = None
    tool_info: JsonObject | None = None
    total_tokens: int | None = None
    total_price: Decimal | None = None
    """Number or text on the wire."""
    currency: str | None = None

    @field_validator("total_price", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        if value == "":
            return None
        # A JSON number is a float by now; its shortest text is what the server wrote.
        return repr(value) if isinstance(value, float) else value


class NodeExecution(ConsoleModel):
    """One execution of one node."""

    id: str | None = None
    index: int = 0
    """Place in the run, from 1."""
    predecessor_node_id: str | None = None
    node_id: Text = ""
    node_type: Text = ""
    title: Text = ""
    status: NodeStatus
    error: str | None = None
    inputs: ObjectOrText = None
    inputs_truncated: bool | None = False
    process_data: ObjectOrText = None
    process_data_truncated: bool | None = False
    outputs: ObjectOrText = None
    outputs_truncated: bool | None = False
    elapsed_time: float | None = None
    """Seconds; ``None`` while running."""
    execution_metadata: Part[NodeExecutionMetadata] = Field(default_factory=NodeExecutionMetadata)
    extras: Object = Field(default_factory=dict)
    created_by_role: str | None = None
    created_by_account: AccountSummary | None = None
    created_by_end_user: EndUserSummary | None = None
    created_at: int | None = None
    """Unix seconds."""
    finished_at: int | None = None
    """Unix seconds; ``None`` while running."""

    @property
    def finished_datetime(self) -> datetime | None:
        """`finished_at` as an aware UTC datetime."""
        return moment(self.finished_at)


class NodeExecutions(ConsoleModel):
    """All executions of a run, in their order."""

    data: ListOf[NodeExecution] = Field(default_factory=list)

    @field_validator("data", mode="after")
    @classmethod
    def _in_order(cls, data: list[NodeExecution]) -> list[NodeExecution]:
        return sorted(data, key=lambda execution: execution.index)  # servers of before send them backwards

    def __iter__(self) -> Iterator[NodeExecution]:  # type: ignore[override]  # items, not pairs
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return True

    def by_node_id(self, node_id: str) -> list[NodeExecution]:
        """All executions of one node: several in loops and after retries, none if it did not run."""
        return [execution for execution in self.data if execution.node_id == node_id]

    @property
    def failed(self) -> list[NodeExecution]:
        """Executions that failed, handled or not."""
        return [one for one in self.data if one.status in (NodeStatus.FAILED, NodeStatus.EXCEPTION)]

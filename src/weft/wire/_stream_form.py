"""Stream events of a run that waits for a person."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from weft.wire._field import Count, JsonObject, ListOf, Object, Seconds, Text
from weft.wire._model import WireModel
from weft.wire._stream_workflow import WorkflowEventBase
from weft.wire.form import FormDefinition, FormSubmissionData
from weft.wire.instant import Created
from weft.wire.status import RunStatus


class HumanInputRequiredEvent(WorkflowEventBase):
    """A form waits to be filled in."""

    event: Literal["human_input_required"] = "human_input_required"
    data: FormDefinition


class HumanInputFormFilledEvent(WorkflowEventBase):
    """A form was filled in."""

    event: Literal["human_input_form_filled"] = "human_input_form_filled"
    data: FormSubmissionData


class FormTimeoutData(WireModel):
    """A form nobody filled in."""

    node_id: Text = ""
    node_title: Text = ""
    expiration_time: int | None = None
    """Unix seconds."""


class HumanInputFormTimeoutEvent(WorkflowEventBase):
    """A form was not filled in in time."""

    event: Literal["human_input_form_timeout"] = "human_input_form_timeout"
    data: FormTimeoutData


class WorkflowPausedData(Created, WireModel):
    """A run that waits."""

    workflow_run_id: str
    paused_nodes: ListOf[str] = Field(default_factory=list)
    outputs: Object = Field(default_factory=dict)
    reasons: ListOf[JsonObject] = Field(default_factory=list)
    """One per form, told apart by the key ``TYPE``."""
    status: RunStatus = RunStatus.PAUSED
    created_at: int | None = None
    """Unix seconds."""
    elapsed_time: Seconds = 0.0
    """Seconds."""
    total_tokens: Count = 0
    total_steps: Count = 0


class WorkflowPausedEvent(WorkflowEventBase):
    """A run waits for a person; the stream closes, joining the run again goes on with it."""

    event: Literal["workflow_paused"] = "workflow_paused"
    data: WorkflowPausedData

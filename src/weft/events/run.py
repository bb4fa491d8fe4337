"""A run begins, ends or waits."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from weft.events.form import FormRequested
from weft.variables import File, Value

RunStatus = Literal["scheduled", "running", "succeeded", "failed", "stopped", "partial-succeeded", "paused"]


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The run exists on disk and its first node is about to start."""

    run_id: str
    workflow_id: str
    inputs: dict[str, Value]
    """Accepted inputs, and system variables under dotted names such as ``sys.query``."""
    at: datetime
    reason: Literal["initial", "resumption"] = "initial"


class RunFinished(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The run is over and its record is on disk."""

    run_id: str
    workflow_id: str
    status: RunStatus
    outputs: dict[str, Value]
    error: str | None
    error_code: str | None
    """The API's code where the failure has one of its own; ``None`` stands for ``invalid_param``."""
    elapsed_time: float
    """Seconds."""
    total_tokens: int
    total_steps: int
    exceptions_count: int
    started_at: datetime
    at: datetime
    files: list[File] = []


class PauseReason(msgspec.Struct, frozen=True, kw_only=True):
    """What a paused run waits for."""

    type: Literal["human_input_required", "scheduling_pause"]
    node_id: str
    """Empty where no node asked for the pause."""
    node_title: str
    form: FormRequested | None = None
    """The form that a person has to fill in, where that is what it waits for."""


class RunPaused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The run waits; its whole state is on disk."""

    run_id: str
    workflow_id: str
    reasons: list[PauseReason]
    outputs: dict[str, Value]
    elapsed_time: float
    total_tokens: int
    total_steps: int
    started_at: datetime
    at: datetime

"""Statuses of runs and nodes, in the outside world's spelling."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _OpenStatus(StrEnum):
    """Text with known values that also holds values a newer server invents."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown


class RunStatus(_OpenStatus):
    """How far a workflow run is; compares equal to its text, unknown texts are kept."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    PARTIAL_SUCCEEDED = "partial-succeeded"
    PAUSED = "paused"

    @property
    def is_finished(self) -> bool:
        """Whether nothing will happen any more in this run."""
        return self in (
            RunStatus.SUCCEEDED,
            RunStatus.FAILED,
            RunStatus.STOPPED,
            RunStatus.PARTIAL_SUCCEEDED,
        )

    @property
    def is_success(self) -> bool:
        """Whether the run reached its end, with or without handled exceptions."""
        return self in (RunStatus.SUCCEEDED, RunStatus.PARTIAL_SUCCEEDED)


class NodeStatus(_OpenStatus):
    """How far a node execution is; compares equal to its text, unknown texts are kept."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXCEPTION = "exception"
    STOPPED = "stopped"
    PAUSED = "paused"
    RETRY = "retry"

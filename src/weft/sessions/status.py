"""The states of a run, in the words that stored sessions use."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The state of a run; the value is the stored text, to which it is equal."""

    pending = "PENDING"
    running = "RUNNING"
    completed = "COMPLETED"
    paused = "PAUSED"
    cancelled = "CANCELLED"
    error = "ERROR"
    regenerated = "REGENERATED"
    """The answer was replaced by that of a newer run."""


def parse_status(value: object, default: RunStatus) -> RunStatus | str:
    """The state of that text; an unknown text stays as it is, and nothing is the default."""
    if not isinstance(value, str):
        return default
    try:
        return RunStatus(value)
    except ValueError:
        return value

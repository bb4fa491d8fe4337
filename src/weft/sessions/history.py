"""Earlier runs as pairs of texts; `history_context` makes the block of them that flows are told as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from weft.sessions.status import RunStatus
from weft.sessions.workflow_run import WorkflowRunOutput
from weft.variables import history_context, history_text

__all__ = ["completed", "history_context", "history_pairs", "last"]

T = TypeVar("T")


def last(items: Sequence[T], count: int | None) -> Sequence[T]:
    """The last so many; all for `None`, none for zero and less."""
    if count is None:
        return items
    return items[-count:] if count > 0 else items[:0]


def completed(runs: Iterable[WorkflowRunOutput]) -> list[WorkflowRunOutput]:
    """Those that came to a good end."""
    return [run for run in runs if run.status == RunStatus.completed]


def history_pairs(runs: Sequence[WorkflowRunOutput], num_runs: int | None = None) -> list[tuple[str, str]]:
    """Input and output of the last so many completed runs as texts, oldest first."""
    return [(history_text(run.input), history_text(run.content)) for run in last(completed(runs), num_runs)]

"""Earlier runs as something to read: pairs of texts, and the block that goes in front of a step's message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as escape_html
from typing import TypeVar

from weft.sessions.status import RunStatus
from weft.sessions.workflow_run import WorkflowRunOutput

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
    return [(_text(run.input), _text(run.content)) for run in last(completed(runs), num_runs)]


def _text(value: object) -> str:
    if not value:
        return ""
    return value if isinstance(value, str) else str(value)


def history_context(pairs: Sequence[tuple[str, str]], *, escape: bool = False) -> str | None:
    """The block that tells a step of earlier runs; a message is appended to it as it is.

    Args:
        pairs: Input and output of each run, oldest first.
        escape: Make it impossible for a text to end the block or to begin a run in it: ``&``, ``<`` and ``>``
            become entities, and lines after the first are indented.
    """
    if not pairs:
        return None
    lines = ["<workflow_history_context>"]
    for number, pair in enumerate(pairs, start=1):
        given, made = (_harmless(text) for text in pair) if escape else pair
        lines.append(f"[Workflow Run-{number}]")
        if given:
            lines.append(f"User input: {given}")
        if made:
            lines.append(f"Workflow output: {made}")
        lines.append("")
    return "\n".join([*lines, "</workflow_history_context>", ""])


def _harmless(text: str) -> str:
    return "\n  ".join(escape_html(text, quote=False).splitlines())

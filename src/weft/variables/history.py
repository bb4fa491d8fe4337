"""Earlier runs of a conversation as a text, for prompts and templates of flows and for sessions alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape as escape_html

_NAME = re.compile(r"workflow_history(?:_([1-9][0-9]{0,2}))?", re.ASCII)
_USUAL = 3


def history_runs(name: str) -> int | None:
    """How many earlier runs a system variable tells of; ``None`` for a variable that tells of none.

    ``workflow_history`` tells of the last 3, ``workflow_history_20`` of the last 20.
    """
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1] or _USUAL)


def history_text(value: object) -> str:
    """What went into a run or came out of it, as the history tells it."""
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

"""Tables of documents as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table whose head is the first of them; all get as many cells as the widest.

    Returns:
        Lines without an end of line after the last; empty for no rows.
    """
    width = max((len(row) for row in rows), default=0)
    if not width:
        return ""
    lines = [_line([*map(_cell, row), *[""] * (width - len(row))]) for row in rows]
    return "\n".join([lines[0], _line(["---"] * width), *lines[1:]])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

"""A report as Markdown; what it quotes is escaped, so it can form nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weft.archive.report.findings import Report
from weft.archive.report.wording import Table, busiest, tables, warnings

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#!|<>&~$@^])")


def render_markdown(report: Report) -> str:
    """The report's tables; charts are for pages."""
    subject = "all organisations" if report.organization_id is None else report.organization_id
    lines = [f"# Conversations, {report.period}", "", f"{_text(subject)}; made {report.made_at}", ""]
    for warning in warnings(report):
        lines += [f"**{_text(warning)}**", ""]
    for table in tables(report):
        lines += _table(table)
        if table.title == "Overview" and busiest(report):
            lines += [busiest(report), ""]
    return "\n".join(lines)


def _table(table: Table) -> Sequence[str]:
    lines = [f"## {table.title}", ""]
    if table.rows:
        marks = ["---" if table.is_text or not place else "---:" for place in range(len(table.columns))]
        cells = [table.columns, marks, *table.rows]
        shown = [[_text(cell) if line != 1 else cell for cell in row] for line, row in enumerate(cells)]
        lines += ["| " + " | ".join(row) + " |" for row in shown]
    else:
        lines.append("None.")
    lines.append("")
    if table.remark:
        lines += [table.remark, ""]
    return lines


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\0", "")

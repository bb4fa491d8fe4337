"""A report as one page that loads nothing, runs nothing, and takes nothing that it quotes for markup."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from weft.archive.report.chart import bars, grid
from weft.archive.report.findings import Report
from weft.archive.report.wording import WEEKDAYS, Table, busiest, tables, warnings

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere }
thead th { border-bottom: 1px solid #8888; font-weight: 600 }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.remark, .none { color: #777 }
.warning { border-left: 4px solid #c60; padding-left: .75rem }
svg { max-width: 100%; height: auto }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""What the page may do: look like this, and nothing else."""


def render_html(report: Report) -> str:
    """The page."""
    title = f"Conversations, {report.period}"
    subject = "all organisations" if report.organization_id is None else report.organization_id
    first, *others = tables(report)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width">\n<meta name="referrer" content="no-referrer">',
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{_text(title)}</h1>",
        f'<p class="remark">{_text(subject)}; made {_text(report.made_at)}</p>',
        *(f'<p class="warning">{_text(warning)}</p>' for warning in warnings(report)),
        _table(first),
        "<h2>Messages by day</h2>",
        bars(report.by_day, "Messages by day"),
    ]
    if report.hours:
        parts += [
            "<h2>Messages by hour</h2>",
            grid(report.hours, WEEKDAYS, "Messages by weekday and hour"),
            f'<p class="remark">{_text(busiest(report))}</p>',
        ]
    parts += [_table(table) for table in others]
    return "\n".join(parts) + "\n</body>\n</html>\n"


def _table(table: Table) -> str:
    lines = [f"<h2>{_text(table.title)}</h2>"]
    if table.rows:
        kinds = [
            "" if table.is_text or not place else ' class="number"' for place in range(len(table.columns))
        ]
        lines.append("<table>")
        if any(table.columns):
            heads = "".join(
                f'<th scope="col"{kind}>{_text(name)}</th>'
                for name, kind in zip(table.columns, kinds, strict=True)
            )
            lines.append(f"<thead><tr>{heads}</tr></thead>")
        lines.append("<tbody>")
        for row in table.rows:
            cells = "".join(f"<td{kind}>{_text(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
            lines.append(f"<tr>{cells}</tr>")
        lines.append("</tbody></table>")
    else:
        lines.append('<p class="none">None.</p>')
    if table.remark:
        lines.append(f'<p class="remark">{_text(table.remark)}</p>')
    return "\n".join(lines)


def _text(text: str) -> str:
    return escape(text).replace("\0", "")

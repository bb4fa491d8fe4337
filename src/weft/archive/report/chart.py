"""Small charts as SVG without a word of style or script, so that any page may hold them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_BAR, _HEIGHT, _CELL = 24, 120, 20
_MOST_BARS = 62


def bars(values: Sequence[tuple[str, int]], what: str) -> str:
    """A bar for each value, those of long periods brought together.

    Args:
        values: What each is called, and how much it is.
        what: What is counted, for those who cannot see it.
    """
    step = -(-len(values) // _MOST_BARS) if values else 1
    groups = [values[start : start + step] for start in range(0, len(values), step)]
    most = max((sum(count for _, count in group) for group in groups), default=0) or 1
    parts = []
    for number, group in enumerate(groups):
        count = sum(count for _, count in group)
        height = round(count / most * (_HEIGHT - 20), 1)
        name = group[0][0] if step == 1 else f"{group[0][0]} to {group[-1][0]}"
        parts.append(
            f'<rect x="{number * _BAR + 2}" y="{_HEIGHT - height}" width="{_BAR - 4}" height="{height}" '
            f'fill="#4c78a8"><title>{escape(name)}: {count:,}</title></rect>'
        )
    return _svg(max(len(groups), 1) * _BAR, _HEIGHT, what, parts)


def grid(rows: Sequence[Sequence[int]], names: Sequence[str], what: str) -> str:
    """A cell for each number, the darker the larger; rows are named, columns are hours."""
    most = max((count for row in rows for count in row), default=0) or 1
    left, top = 40, 16
    parts = [
        f'<text x="{left + hour * _CELL}" y="11" font-size="10" fill="currentColor">{hour:02d}</text>'
        for hour in range(0, 24, 3)
    ]
    for line, (name, row) in enumerate(zip(names, rows, strict=True)):
        y = top + line * _CELL
        parts.append(f'<text x="0" y="{y + 14}" font-size="11" fill="currentColor">{escape(name[:3])}</text>')
        for hour, count in enumerate(row):
            parts.append(
                f'<rect x="{left + hour * _CELL}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" '
                f'fill="#4c78a8" fill-opacity="{0.06 + 0.94 * count / most:.2f}">'
                f"<title>{escape(name)}, {hour:02d}:00: {count:,}</title></rect>"
            )
    return _svg(left + 24 * _CELL, top + len(rows) * _CELL, what, parts)


def _svg(width: int, height: int, what: str, parts: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escape(what)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg">' + "".join(parts) + "</svg>"
    )

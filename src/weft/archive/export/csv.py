"""Comma-separated values for spreadsheets, in which no cell is ever a formula.

The totals are not in the file, as every line of it is a row.
"""

from __future__ import annotations

import csv
import io

from weft.archive.export.format import Format, Stored
from weft.archive.export.table import COLUMNS, iter_rows

# Source: OWASP, "CSV injection"; the wide forms are what spreadsheets of East Asia take for the narrow ones.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


class CsvFormat(Format):
    """UTF-8 with a byte order mark, lines end with CR LF, quotes as in RFC 4180."""

    name = "csv"
    suffix = ".csv"
    media_type = "text/csv; charset=utf-8"

    def begin(self) -> bytes:
        """The names of the columns."""
        return "\ufeff".encode() + _lines([list(COLUMNS)])

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """A row for each message."""
        rows = [[_safe(cell) for cell in row] for row in iter_rows(stored.conversation)]
        return _lines(rows), len(rows)


def _safe(cell: object) -> object:
    """A text that a spreadsheet would run gets an apostrophe before it; zero bytes, which end a cell, go."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\0", "")
    if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA):
        return f"'{text}"
    return text


def _lines(rows: list[list[object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()

"""Writing conversations out, in the formats that other programs read.

A format is a `Format` in a module of its own and a line in the table of `FORMATS`; formats of others come
from the entry-point group ``weft.export_formats``.
"""

from __future__ import annotations

from weft.archive.export.format import Format, Totals
from weft.archive.export.stream import FORMATS, ExportStream, export_to_file, open_export

__all__ = ["FORMATS", "ExportStream", "Format", "Totals", "export_to_file", "open_export"]

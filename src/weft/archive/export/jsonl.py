"""One conversation on each line, as it is stored, and the totals on the last."""

from __future__ import annotations

from weft.archive.export.format import Format, Stored, Totals
from weft.archive.json_text import encode


class JsonlFormat(Format):
    """Lines of the guide's log file format; the last line is ``{"totals":{...}}``."""

    name = "jsonl"
    suffix = ".jsonl"
    media_type = "application/x-ndjson"

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """One line."""
        return stored.data if stored.data.endswith(b"\n") else stored.data + b"\n", 1

    def end(self, totals: Totals) -> bytes:
        """The totals line."""
        return b'{"totals":%s}\n' % encode(totals)

"""The guide's export: one JSON object with every conversation in it.

Source: "Export Logs" of the conversation log guide; ``totals`` is an addition.
"""

from __future__ import annotations

from weft.archive.export.format import Format, Stored, Totals
from weft.archive.json_text import encode


class JsonFormat(Format):
    """``{"success":true,"conversations":[...],"count":150,"totals":{...}}``.

    The count comes after the conversations, as only then it is known to be true.
    """

    name = "json"
    suffix = ".json"
    media_type = "application/json"

    def begin(self) -> bytes:
        """Open the object."""
        return b'{"success":true,"conversations":['

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """One conversation, as it is stored."""
        line = stored.data.rstrip(b"\n")
        return (b"\n" if is_first else b",\n") + line, 1

    def end(self, totals: Totals) -> bytes:
        """The count and the totals."""
        return b'\n],"count":%d,"totals":%s}\n' % (totals.conversations, encode(totals))

"""A file as an answer: its bytes as they are read, all of them or a range, and headers that keep it harmless.

Source: Dify service API, file previews.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from weft.errors import WeftError
from weft.files import FileMissingError
from weft.runs import Filing
from weft.server.errors import error_response
from weft.store import StoredFile

_RANGED = frozenset(
    {
        "audio/mpeg",
        "audio/wav",
        "audio/mp4",
        "audio/ogg",
        "audio/flac",
        "audio/aac",
        "audio/x-m4a",
        "video/mp4",
        "video/webm",
        "video/quicktime",
    }
)
"""What players jump about in."""
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_HTML_EXTENSIONS = frozenset({"html", "htm", "xhtml", "xht"})
_SCRIPTABLE = re.compile(r"(text|application)/xml|.*\+xml")
"""Kinds that a browser may find a script in, SVG among them."""
_TYPE = re.compile(r'[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;\s*[\w-]+=("[ !#-\[\]-~]*"|[\w.:+-]+))*', re.ASCII)
_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII)
_OCTETS = "application/octet-stream"


async def file_reply(
    request: Request, filing: Filing, row: StoredFile, *, as_attachment: bool, absent: WeftError, cached: bool
) -> Response:
    """The file, or the range of it that was asked for.

    Args:
        request: Its method and ``Range`` count.
        filing: Has the bytes.
        row: The file.
        as_attachment: To be saved, not shown.
        absent: Raised when there are no bytes.
        cached: Whether the client may keep it for an hour.
    """
    mime_type = row.mime_type if _TYPE.fullmatch(row.mime_type) else _OCTETS
    kind = mime_type.partition(";")[0].strip().lower()
    headers = {"x-content-type-options": "nosniff"}
    if cached:
        headers["cache-control"] = "public, max-age=3600"
    if as_attachment or kind in _HTML_TYPES or row.extension in _HTML_EXTENSIONS:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(row.name, safe='')}"
    elif _SCRIPTABLE.fullmatch(kind):
        headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    headers["content-type"] = _OCTETS if as_attachment else mime_type
    start, end, status = 0, row.size, 200
    if kind in _RANGED:
        headers["accept-ranges"] = "bytes"
        wanted = _wanted(request, row.size)
        if wanted is not None and wanted[0] >= wanted[1]:
            return error_response(
                416,
                "range_not_satisfiable",
                "The requested range is not in the file.",
                {"content-range": f"bytes */{row.size}"},
            )
        if wanted is not None:
            (start, end), status = wanted, 206
            headers["content-range"] = f"bytes {start}-{end - 1}/{row.size}"
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    pieces = filing.open(row, start=start, end=end)
    try:
        # Before the head of the answer is sent, so that it can still say that there is none.
        first = await anext(pieces, b"")
    except FileMissingError as error:
        raise absent from error
    if start + len(first) == end:
        return Response(first, status, headers)
    return StreamingResponse(_all(first, pieces), status, headers)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _wanted(request: Request, size: int) -> tuple[int, int] | None:
    """The one range that is asked for, as start and end, empty if nothing is in it; ``None`` for the whole.

    Malformed and multiple ranges ask for the whole, as does one that depends on a version we do not tell.
    """
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or "if-range" in request.headers:
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        return max(0, size - int(last)), size
    start = int(first)
    if last and int(last) < start:
        return None
    return start, min(int(last) + 1, size) if last else size

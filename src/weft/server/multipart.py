"""Bodies of the type multipart/form-data, read piece by piece: nothing is kept that is over its limit.

A part with a file name is a file, every other one a field. Files are held in memory while they are small and
in a temporary file beyond that. A file over its own limit is read to its end and not kept, so that the
route can check in its own order and answer properly; a body over its limit is not read any further.

Source: RFC 7578; what browsers and HTTP libraries send.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import BinaryIO, cast
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.requests import ClientDisconnect, Request

from weft.errors import InvalidRequestError
from weft.server.errors import ApiError

KIB = 1024
_IN_MEMORY_BYTES = 512 * KIB
"""A file up to this size never touches the disk."""
_WRITE_BYTES = 256 * KIB
"""What is gathered before a thread is asked to write it."""
_MAX_HEADERS = 8
_MAX_HEADER_BYTES = 4 * KIB
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;"]*))')
"""One parameter: its name, and its value in quotes or bare; nothing in it can match in two ways."""


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a file part says of itself before its bytes."""

    name: str
    """Of the form's field."""
    filename: str
    """As the client wrote it; empty when it gave none, which browsers do for a field left empty."""
    content_type: str | None
    """As the client wrote it; ``None`` when it said nothing."""
    headers: Mapping[str, str]
    """All headers of the part, names in lower case."""


class FormFile:
    """A file that came with a form."""

    def __init__(self, head: PartHead, max_bytes: int) -> None:
        self.head = head
        self.max_bytes = max_bytes
        """The most that is kept of it."""
        self.size = 0
        """Bytes that the client sent, kept or not."""
        spooled = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # closed with its form
        self.file = cast("BinaryIO", spooled)
        """Its bytes from the start; empty when it is too large."""
        self._waiting = bytearray()

    @property
    def name(self) -> str:
        """Of the form's field."""
        return self.head.name

    @property
    def filename(self) -> str:
        """As the client wrote it, perhaps empty."""
        return self.head.filename

    @property
    def content_type(self) -> str | None:
        """As the client wrote it."""
        return self.head.content_type

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers of the part, names in lower case."""
        return self.head.headers

    @property
    def too_large(self) -> bool:
        """Whether it was over its limit; then none of it was kept."""
        return self.size > self.max_bytes

    async def read(self) -> bytes:
        """All of it, off the loop when it lies on disk."""
        self.file.seek(0)
        return self.file.read() if self.size <= _IN_MEMORY_BYTES else await asyncio.to_thread(self.file.read)

    def take(self, data: bytes) -> None:
        """Count a piece, and keep it for the next `flush` unless the file is too large by now."""
        self.size += len(data)
        if self.too_large:
            self._waiting.clear()
        else:
            self._waiting += data

    async def flush(self, *, least: int = 1) -> None:
        """Write what waits if it is at least so many bytes; free what is there of a file too large."""
        if self.too_large:
            self.file.truncate(0)
        elif len(self._waiting) >= least:
            data, self._waiting = bytes(self._waiting), bytearray()
            if self.size <= _IN_MEMORY_BYTES:
                self.file.write(data)
            else:
                await asyncio.to_thread(self.file.write, data)


@dataclass(slots=True)
class Form:
    """What a form held; a context manager that lets go of its files."""

    fields: dict[str, str] = field(default_factory=dict)
    """Of a repeated name the first value."""
    files: list[FormFile] = field(default_factory=list)
    """In the order of the body, several of one name too."""

    def file(self, name: str) -> FormFile | None:
        """The first file of that name."""
        return next((file for file in self.files if file.name == name), None)

    def close(self) -> None:
        """Let go of all files; their temporary copies are gone afterwards."""
        for file in self.files:
            file.file.close()

    def __enter__(self) -> Form:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def read_form(
    request: Request,
    *,
    max_file_bytes: Callable[[PartHead], int],
    max_bytes: int,
    max_parts: int = 20,
    max_field_bytes: int = 64 * KIB,
) -> Form:
    """Read the body of a request as a form.

    Args:
        request: Its body must not have been read.
        max_file_bytes: Most bytes of a file, asked once for each before its bytes; it may raise.
        max_bytes: Most bytes of the whole body.
        max_parts: Most fields and files together.
        max_field_bytes: Most bytes of one field.

    Returns:
        The form, to be closed by the caller; an empty one, and nothing is read, when the body is of another
        type.

    Raises:
        ApiError: 400 when the body is no proper form, 413 when the body or a field is too large.
        InvalidRequestError: The client left before its form was complete.
    """
    kind, parameters = parse_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        return Form()
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes)
    reader = _Reader(parameters.get("boundary", ""), max_file_bytes, max_parts, max_field_bytes)
    try:
        await _pump(request, reader, max_bytes)
    except BaseException:
        reader.form.close()
        raise
    return reader.form


def parse_header(value: str) -> tuple[str, dict[str, str]]:
    """A header's value in lower case and its parameters, names in lower case; the first of a name counts."""
    kind, _, _ = value.partition(";")
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(value, len(kind)):
        name, quoted, bare = match.groups()
        text = re.sub(r'\\(["\\])', r"\1", quoted) if quoted is not None else bare.strip()
        parameters.setdefault(name.lower(), text)
    return kind.strip().lower(), parameters


async def _pump(request: Request, reader: _Reader, max_bytes: int) -> None:
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            reader.feed(chunk)
            for file in reader.form.files[reader.written :]:
                await file.flush(least=_WRITE_BYTES)
            reader.written = max(0, len(reader.form.files) - 1)
    except ClientDisconnect as error:
        raise InvalidRequestError("the client left before its request was complete") from error
    if not reader.complete:
        raise _malformed("its last boundary is missing")
    for file in reader.form.files:
        await file.flush()
        file.file.seek(0)


class _Reader:
    """Puts together a form out of what the parser finds."""

    def __init__(
        self, boundary: str, max_file_bytes: Callable[[PartHead], int], max_parts: int, max_field_bytes: int
    ) -> None:
        if not boundary:
            raise _malformed("its content type names no boundary")
        self.form = Form()
        self.complete = False
        self.written = 0
        """Files before this one are complete but for what still waits in them."""
        self._max_file_bytes = max_file_bytes
        self._max_parts = max_parts
        self._max_field_bytes = max_field_bytes
        self._parts = 0
        self._headers: dict[str, str] = {}
        self._header = bytearray()
        self._value = bytearray()
        self._file: FormFile | None = None
        self._field = ""
        self._text = bytearray()
        try:
            self._parser = MultipartParser(
                boundary.encode("latin-1", "replace"),
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._take_name,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
                max_header_count=_MAX_HEADERS,
                max_header_size=_MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _malformed("its boundary is too long") from error

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed("its parts cannot be told apart") from error

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            raise _malformed(f"it has more than {self._max_parts} parts")
        self._headers = {}

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers.setdefault(_text(self._header).lower(), _text(self._value).strip())
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        kind, parameters = parse_header(self._headers.get("content-disposition", ""))
        name = parameters.get("name")
        if kind != "form-data" or name is None:
            raise _malformed("a part has no name")
        filename = _filename(parameters)
        self._field = name
        if filename is None:
            return
        head = PartHead(name, filename, self._headers.get("content-type"), self._headers)
        self._file = FormFile(head, self._max_file_bytes(head))
        self.form.files.append(self._file)

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.take(data[start:end])
        elif len(self._text) + end - start > self._max_field_bytes:
            raise ApiError(
                413,
                "request_entity_too_large",
                f"The form's field {self._field!r} is larger than {self._max_field_bytes} bytes.",
            )
        else:
            self._text += data[start:end]

    def _end_part(self) -> None:
        if self._file is None:
            self.form.fields.setdefault(self._field, _text(self._text))
            self._text.clear()
        self._file = None

    def _end(self) -> None:
        self.complete = True


def _filename(parameters: Mapping[str, str]) -> str | None:
    """The plain name, else the extended notation of RFC 5987, which older HTTP libraries send alone."""
    plain = parameters.get("filename")
    extended = parameters.get("filename*")
    if plain is not None or extended is None:
        return plain
    charset, _, rest = extended.partition("'")
    _, _, escaped = rest.partition("'")
    encoding = "latin-1" if charset.lower() in ("iso-8859-1", "latin-1") else "utf-8"
    return unquote_to_bytes(escaped).decode(encoding, "replace")


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace")


def _malformed(reason: str) -> ApiError:
    return ApiError(400, "bad_request", f"The body is no proper multipart/form-data: {reason}.")


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "request_entity_too_large", f"The request body is larger than {limit} bytes.")

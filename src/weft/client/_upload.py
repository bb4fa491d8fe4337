"""Files on their way to the server: from a path, an open file or bytes."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Protocol

from weft.errors import InvalidRequestError


class ReadableFile(Protocol):
    """A file opened for reading bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """The next bytes; none at the end."""
        ...


FileSource = str | os.PathLike[str] | bytes | ReadableFile
"""A path, the bytes themselves, or a file opened in binary mode (read from where it stands)."""

UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it is sent."""

    filename: str
    mime_type: str
    content: bytes | IO[bytes] = field(repr=False)


@contextmanager
def opened(source: FileSource, filename: str | None, mime_type: str | None) -> Iterator[Upload]:
    """A file to be sent, open while it is.

    Args:
        source: Where it comes from.
        filename: Its name; ``None`` takes it from the path.
        mime_type: ``None`` guesses it from the name.

    Raises:
        InvalidRequestError: It cannot be read, or bytes have no name.
    """
    if isinstance(source, (str, os.PathLike)):
        name = filename or os.path.basename(os.fspath(source))
        with _open(source) as file:
            yield Upload(name, _type_of(name, mime_type), file)
        return
    if filename is None and not isinstance(source, bytes):
        found = getattr(source, "name", None)
        filename = os.path.basename(found) if isinstance(found, str) else None
    if not filename:
        raise InvalidRequestError("a file without a path needs a name; give filename='...'")
    content = source if isinstance(source, bytes) else _rest_of(source)
    yield Upload(filename, _type_of(filename, mime_type), content)


def byte_range(start: int | None, end: int | None) -> dict[str, str]:
    """The header that asks for a part of a file: bytes `start` to `end`, both inclusive, from 0.

    Raises:
        InvalidRequestError: There is no such part.
    """
    if start is None and end is None:
        return {}
    first = start or 0
    if (first < 0 and end is not None) or (end is not None and end < first):
        raise InvalidRequestError(f"there is no part of a file from byte {start} to byte {end}")
    return {"Range": f"bytes={first}" if first < 0 else f"bytes={first}-{'' if end is None else end}"}


def _open(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidRequestError(f"{os.fspath(path)!r} cannot be uploaded: {why}") from error


def _rest_of(file: ReadableFile) -> bytes:
    content = file.read()
    if not isinstance(content, bytes):
        raise InvalidRequestError("the file was opened as text; open it in mode 'rb'")
    return content


def _type_of(filename: str, mime_type: str | None) -> str:
    return mime_type or mimetypes.guess_type(filename)[0] or UNKNOWN_TYPE

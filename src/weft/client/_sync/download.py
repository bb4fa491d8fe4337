# Written by scripts/unasync.py from ../_async/download.py; change that file instead.
"""A file or a sound on its way from the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from weft.client._call import Call
from weft.client._part_file import PartFile
from weft.errors import TransportError

if TYPE_CHECKING:
    from weft.client._sync.connection import Answer


class Opens(Protocol):
    """Opens an answer whose body is still to be read."""

    def _open(
        self,
        call: Call[None],
        *,
        wanted: str,
        accept: str,
        is_wanted: Callable[[int, Mapping[str, str]], bool],
    ) -> Answer: ...


class Download:
    """Bytes in pieces as they arrive; the request goes out with the first piece, or on entering.

    ::

        with client.file_preview(file_id) as download:
            print(download.content_type, download.size)
            for piece in download:
                ...

    `read` and `save` do it in one call, without a context. Leaving early closes the connection.
    """

    def __init__(
        self,
        session: Opens,
        call: Call[None],
        *,
        wanted: str,
        is_wanted: Callable[[int, Mapping[str, str]], bool],
    ) -> None:
        self._session = session
        self._call = call
        self._wanted = wanted
        self._is_wanted = is_wanted
        self._answer: Answer | None = None
        self._closed = False
        self.headers: Mapping[str, str] = {}
        """Of the answer, names in lower case; empty before it has begun."""

    @property
    def content_type(self) -> str | None:
        """What it is."""
        return self.headers.get("content-type")

    @property
    def size(self) -> int | None:
        """Bytes of this answer, of a part only those of the part; ``None`` when the server does not tell."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isdecimal() else None

    @property
    def content_range(self) -> str | None:
        """Which part it is, such as ``bytes 0-9/100``; ``None`` when it is the whole."""
        return self.headers.get("content-range")

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """The next piece.

        Raises:
            WeftError: The server refuses it.
            TransportError: The connection failed on the way.
        """
        if self._closed:
            raise StopIteration
        try:
            piece = (self._begin()).chunk()
        except BaseException:
            self.close()
            raise
        if piece is None:
            self.close()
            raise StopIteration
        return piece

    def read(self) -> bytes:
        """All of it.

        Raises:
            WeftError: The server refuses it.
            TransportError: The connection failed on the way.
        """
        pieces = bytearray()
        for piece in self:
            pieces += piece
        return bytes(pieces)

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write it to a file, which is there only once it is whole.

        Returns:
            Bytes written.

        Raises:
            WeftError: The server refuses it.
            TransportError: The connection failed on the way.
            OSError: The file cannot be written.
        """
        written = 0
        with PartFile(path) as file:
            for piece in self:
                written += file.write(piece)
            if self.size is not None and "content-encoding" not in self.headers and written != self.size:
                raise TransportError(f"{self._call}: {written} of {self.size} bytes arrived")
        return written

    def close(self) -> None:
        """Give the connection back."""
        self._closed = True
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def _begin(self) -> Answer:
        if self._answer is None:
            self._answer = self._session._open(
                self._call, wanted=self._wanted, accept="*/*", is_wanted=self._is_wanted
            )
            self.headers = self._answer.headers
        return self._answer

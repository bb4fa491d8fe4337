"""What a store of files offers to the rest of the program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol


class ByteSource(Protocol):
    """Where bytes are read from: a file, opened to be read."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        ...

    def tell(self) -> int:
        """Where the next byte is."""
        ...

    def seek(self, offset: int, /) -> object:
        """Go there."""
        ...


class FileStore(Protocol):
    """Bytes under ids; a file is written once and does not change.

    Ids are lower-case, hyphenated UUIDs; anything else raises `ValueError`.
    """

    async def put(self, file_id: str, source: bytes | ByteSource, *, max_bytes: int) -> int:
        """Keep a file; when this returns it is durable, and until then nobody sees a part of it.

        Args:
            file_id: Its id; a file that is kept under it already is replaced.
            source: The bytes, or where to read them from its present position to its end, piece by piece.
            max_bytes: The most to keep.

        Returns:
            How many bytes it has.

        Raises:
            FileTooLargeError: There are more; nothing is kept.
            FileStoreError: It could not be kept.
        """
        ...

    def open(self, file_id: str, *, start: int = 0, end: int) -> AsyncIterator[bytes]:
        """A part of a file in pieces, read as they are asked for.

        Args:
            file_id: Its id.
            start: Its first byte, from 0.
            end: The one after its last; nothing is looked up when it is not above `start`.

        Raises:
            FileMissingError: There is no such file (at the first piece).
            FileStoreError: It cannot be read, or ends before `end`.
        """
        ...

    async def delete(self, file_ids: Sequence[str]) -> None:
        """Forget files; those that are not there are forgotten already.

        Raises:
            FileStoreError: Some could not be deleted; the same call again goes on.
        """
        ...

    async def close(self) -> None:
        """Give back connections and threads; waits for what is going on."""
        ...

"""The file that makes changes durable before they are made: one append for as many files as there are.

``logs/.weft/redo.bin`` holds, one after the other, records of everything that was done to the day folders
since they were last synced, with the bytes of the files, and for each day the manifest that it began with.
Once a record is on the disk its change is; the folders themselves are brought to the disk later, all at once,
and then the file goes. After a crash the records are done again, from those manifests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from weft.archive.file_system import FileSystem
from weft.archive.json_text import digest
from weft.archive.manifest import Entry

FILE = "redo.bin"
_SUM = 64
_HEAD = _SUM + 8
"""Bytes before a record: its SHA-256 in hexadecimal, and its length."""


class DayRecord(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What is done to one day folder."""

    path: str
    writes: list[tuple[Entry, bytes]] = []
    rows: list[Entry] = []
    removals: list[str] = []
    base: bytes | None = None
    """The manifest before this, empty where there was none; None when an earlier record tells."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[DayRecord]).decode


class Redo:
    """The records of one archive; without any there is no file.

    Args:
        folder: Where the file lies; it is there.
    """

    def __init__(self, files: FileSystem, folder: Path) -> None:
        self._files = files
        self._folder = folder
        self._path = folder / FILE
        self.size = 0
        """Bytes that were appended since it was last cleared."""
        self.is_torn = False
        """Whether an append failed half-way: what is appended after it would not be found."""

    def append(self, days: Sequence[DayRecord]) -> None:
        """Add a record, and return when it is on the disk.

        Raises:
            OSError: The file system refuses; `clear` has to come before the next append.
        """
        body = _encode(days)
        is_new = self.size == 0
        self.is_torn = True
        self._files.append(self._path, digest(body).encode() + len(body).to_bytes(8) + body)
        if is_new:
            self._files.sync_folder(self._folder)
        self.is_torn = False
        self.size += _HEAD + len(body)

    def read(self) -> list[list[DayRecord]]:
        """All whole records in their order; one that was cut off was acknowledged to nobody.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            data = self._files.read(self._path)
        except FileNotFoundError:
            return []
        self.size = len(data)
        found, place = [], 0
        while len(data) - place > _HEAD:
            end = place + _HEAD + int.from_bytes(data[place + _SUM : place + _HEAD])
            body = data[place + _HEAD : end]
            if len(body) < end - place - _HEAD or digest(body).encode() != data[place : place + _SUM]:
                break
            found.append(_decode(body))
            place = end
        return found

    def is_left(self) -> bool:
        """Whether there is a file, written to or not."""
        try:
            return self._files.size(self._path) >= 0
        except (FileNotFoundError, NotADirectoryError):
            return False

    def clear(self) -> None:
        """Remove all records, and return when that is on the disk.

        Raises:
            OSError: The file system refuses.
        """
        if self.is_left():
            self._files.remove(self._path)
        if self.size or self.is_torn:
            self._files.sync_folder(self._folder)
            self.size, self.is_torn = 0, False

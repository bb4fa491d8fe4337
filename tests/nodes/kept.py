"""A place that keeps files in memory, for tests of nodes."""

from __future__ import annotations

from collections.abc import Sequence

from weft.ids import SequentialIds
from weft.nodes import FileContent, FileUser, KeptFileError, NewFile, is_kept, made_name
from weft.variables import File, FileType, TransferMethod, kind_of


class MemoryFiles:
    """Keeps what it is given; every run may have everything.

    Args:
        full: It takes in nothing more.
    """

    def __init__(self, *, full: bool = False) -> None:
        self.contents: dict[str | None, bytes] = {}
        """By id."""
        self._facts: dict[str | None, tuple[str, str]] = {}
        """Names and types by id."""
        self.sources: list[str | None] = []
        """Where each was fetched."""
        self.users: list[FileUser] = []
        """Who asked for anything."""
        self._full = full
        self._ids = SequentialIds()

    def add(
        self,
        name: str,
        mime_type: str,
        data: bytes,
        *,
        type: FileType | None = None,
        method: TransferMethod = "local_file",
    ) -> File:
        """A file that is kept already."""
        id = self._ids.new()
        self.contents[id] = data
        self._facts[id] = name, mime_type
        return File(
            id=f"record of {id}",
            type=type or kind_of(mime_type),
            transfer_method=method,
            related_id=id,
            filename=name,
            extension="." + name.rpartition(".")[2],
            mime_type=mime_type,
            size=len(data),
            url=f"https://weft/{id}?sign=old",
        )

    async def read(self, file: File, run: FileUser, *, max_bytes: int) -> FileContent:
        self.users.append(run)
        data = self.contents.get(file.related_id)
        if data is None:
            raise KeptFileError("it is gone")
        if len(data) > max_bytes:
            raise KeptFileError(f"it has more than {max_bytes} bytes")
        return FileContent(*self._facts[file.related_id], data)

    async def keep(self, new: NewFile, run: FileUser) -> File:
        if self._full:
            raise KeptFileError("the disk is full")
        self.users.append(run)
        self.sources.append(new.source_url)
        name = made_name(new.name, new.mime_type)
        return self.add(name, new.mime_type, new.data, type=new.type, method="tool_file")

    async def renew(self, files: Sequence[File], run: FileUser) -> list[File]:
        self.users.append(run)
        return [file for file in files if not is_kept(file) or file.related_id in self.contents]

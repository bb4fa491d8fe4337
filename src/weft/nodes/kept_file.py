"""Files that this server keeps, as nodes know them: read by whoever may, and made by runs.

A file record in a pool is data that a flow can make up, so that nothing in it says whether the run may have
the file. Whoever implements `KeptFiles` looks that up.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from weft.errors import WeftError
from weft.files import clean_name
from weft.variables import File, FileType


class KeptFileError(WeftError):
    """A file cannot be read or kept for this run; the message says why."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file with its bytes."""

    name: str
    mime_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that a node has the bytes of, to be kept."""

    name: str
    """May be empty or anything that somebody wrote; a proper name is made of it."""
    mime_type: str
    data: bytes
    type: FileType | None = None
    """``None`` for the one that the MIME type says."""
    source_url: str | None = None
    """Where it was fetched from, without anything secret."""


class FileUser(Protocol):
    """The run that wants a file, as `weft.nodes.RunInfo` has it."""

    @property
    def run_id(self) -> str:
        """The run itself."""
        ...

    @property
    def app_id(self) -> str:
        """The app that runs."""
        ...

    @property
    def user(self) -> str:
        """Whom it runs for, as callers name them."""
        ...

    @property
    def conversation_id(self) -> str | None:
        """The conversation it is part of."""
        ...


class KeptFiles(Protocol):
    """What nodes ask of the place where files are kept."""

    async def read(self, file: File, run: FileUser, *, max_bytes: int) -> FileContent:
        """All of a kept file.

        Raises:
            KeptFileError: It is gone or too large, or the run may not have it.
        """
        ...

    async def keep(self, new: NewFile, run: FileUser) -> File:
        """Keep a file that a run has made.

        Raises:
            KeptFileError: It cannot be kept.
        """
        ...

    async def renew(self, files: Sequence[File], run: FileUser) -> list[File]:
        """The files with links that are good from now on; those that the run may not have are left out."""
        ...


class NoFiles:
    """A place that keeps nothing, for runs outside of a server."""

    async def read(self, file: File, run: FileUser, *, max_bytes: int) -> FileContent:
        """Refuse."""
        raise KeptFileError(f"the file {file.filename or 'file'!r} is not kept here")

    async def keep(self, new: NewFile, run: FileUser) -> File:
        """Refuse."""
        raise KeptFileError("no files can be kept here")

    async def renew(self, files: Sequence[File], run: FileUser) -> list[File]:
        """Only files that lie elsewhere."""
        return [file for file in files if not is_kept(file)]


def is_kept(file: File) -> bool:
    """Whether a record says that its file is kept by this server."""
    return file.related_id is not None and file.remote_url is None


def made_name(name: str, mime_type: str) -> str:
    """A name for a file that a run has made: the last part of what it is called, and an extension."""
    name = clean_name(name.replace("\\", "/").rpartition("/")[2])
    name = "" if name in (".", "..") else name
    if "." in name.strip("."):
        return name
    extension = mimetypes.guess_extension(mime_type.partition(";")[0].strip().lower()) or ""
    return f"{name.strip('.') or 'file'}{extension}"
